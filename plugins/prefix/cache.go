package prefix

import "hash/maphash"

// cache remembers the routes of senders in a table of fixed size: an ID has one
// slot, and takes it from whoever had it before. It belongs to one shard.
type cache struct {
	seed  maphash.Seed // senders choose their IDs; which of them collide is not theirs to know
	slots []slot       // none, or a power of two
}

// slot is one cache line. It copies the ID, since a session's strings must not
// be kept, and in place, since a message must not allocate.
type slot struct {
	route int32 // what index.find said
	size  uint8 // of id; 0 in an empty slot
	id    [59]byte
}

// slot returns the slot of id; nil where there is no cache, and for the rare ID
// that is too long for it.
func (c *cache) slot(id string) *slot {
	if len(c.slots) == 0 || id == "" || len(id) > len(slot{}.id) {
		return nil
	}
	return &c.slots[maphash.String(c.seed, id)&uint64(len(c.slots)-1)]
}

func (s *slot) holds(id string) bool { return string(s.id[:s.size]) == id }

func (s *slot) keep(id string, route int32) {
	s.size = uint8(copy(s.id[:], id))
	s.route = route
}
