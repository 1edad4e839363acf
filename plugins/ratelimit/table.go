package ratelimit

// slot is a bucket under the hash of who it belongs to; 0 for none.
type slot struct {
	hash uint64
	bucket
}

// minSlots is the size of a small table, and looked is how many slots a new bucket
// makes the table look at: two cache lines for each that it takes.
const (
	minSlots = 64
	looked   = 16
)

// table is buckets by hash, with linear probing. It holds no pointers, and it
// grows when buckets are added only.
type table struct {
	slots []slot // a power of two, three quarters of them in use at the most
	used  int
	hand  int // the slot that the next look begins at
}

// find returns the bucket of hash, or nil. It is valid until the next add.
func (t *table) find(hash uint64) *bucket {
	if len(t.slots) == 0 {
		return nil
	}
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.hash == hash {
			return &s.bucket
		}
		if s.hash == 0 {
			return nil
		}
	}
}

// add makes the bucket of hash, which has none, or returns nil where there are
// most buckets already that owe something. Full ones, which are as none, make room:
// each call looks at some, so that they go sooner than room is short.
func (t *table) add(hash uint64, now int64, p *pace, most int) *bucket {
	t.tidy(now, p)
	if t.used >= most {
		return nil
	}
	if t.used >= len(t.slots)/4*3 {
		t.rebuild(now, p)
	}
	t.used++
	b := t.place(hash)
	b.at = now
	return b
}

// place takes the first free slot for hash.
func (t *table) place(hash uint64) *bucket {
	mask := uint64(len(t.slots) - 1)
	i := hash & mask
	for t.slots[i].hash != 0 {
		i = (i + 1) & mask
	}
	t.slots[i].hash = hash
	return &t.slots[i].bucket
}

// tidy takes the full buckets out of some slots.
func (t *table) tidy(now int64, p *pace) {
	for range min(looked, len(t.slots)) {
		t.hand &= len(t.slots) - 1
		if s := &t.slots[t.hand]; s.hash != 0 && s.full(now, p) {
			t.remove(t.hand) // another one may stand here now
		} else {
			t.hand++
		}
	}
}

// remove frees slot i and moves those up that had to stand behind it.
func (t *table) remove(i int) {
	t.used--
	mask := len(t.slots) - 1
	for j := i; ; {
		t.slots[i] = slot{}
		for {
			j = (j + 1) & mask
			s := &t.slots[j]
			if s.hash == 0 {
				return
			}
			// Its own place is not between i and j: it may move to i.
			if home := int(s.hash) & mask; (j-home)&mask >= (j-i)&mask {
				t.slots[i] = *s
				i = j
				break
			}
		}
	}
}

// rebuild makes a table with room for as many buckets again as owe something.
func (t *table) rebuild(now int64, p *pace) {
	old := t.slots
	t.used = 0
	for i := range old {
		if s := &old[i]; s.hash != 0 && s.full(now, p) {
			s.hash = 0
		} else if s.hash != 0 {
			t.used++
		}
	}
	size := minSlots
	for size < 2*t.used {
		size *= 2
	}
	t.slots = make([]slot, size)
	for _, s := range old {
		if s.hash != 0 {
			*t.place(s.hash) = s.bucket
		}
	}
}
