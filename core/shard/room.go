package shard

import (
	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/arena"
	"github.com/stratix-gateway/stratix/core/record"
)

// fits makes sure of room for the message, in the ring and for b, by the
// message's policy. When it reports true, the count of one message is taken, the
// block is there, and who has to make way for it yields.
func (s *Shard) fits(k *keeping, b *mailbox) bool {
	first := len(s.filling.yields)
	s.supersede(k, b)
	if s.findRoom(k, b, first) {
		for _, y := range s.filling.yields[first:] {
			k.loose = k.loose || s.entries.At(y.entry).flags&entryDisk != 0 // it goes with a commit
		}
		return true
	}
	s.stay(s.filling.yields[first:])
	s.filling.yields = s.filling.yields[:first]
	return false
}

// findRoom looks for room, where those in yields from first on make some already.
func (s *Shard) findRoom(k *keeping, b *mailbox, first int) bool {
	f, r, policy := s.filling, s.opt.Ring, k.letter.Overflow
	size := int64(len(k.letter.Content))
	if size > r.ClientBytes.Load() {
		return false // whatever made way
	}
	for int64(b.count-b.yielding) >= r.ClientMessages.Load() || b.bytes-b.yieldSize+size > r.ClientBytes.Load() {
		if !s.makeWay(b, policy) {
			return false
		}
	}
	if !s.bounds.get() {
		if len(f.yields) == first && !s.makeWay(b, policy) {
			return false
		}
		s.bounds.force() // one of those goes for it
	}
	if k.block != 0 {
		return true
	}
	var ok bool
	var ref arena.Ref
	// What was taken over the bound is given back by those who make way for more.
	if drops := policy == core.OverflowDropOldest || policy == core.OverflowConflate; k.disk || !drops || !s.memory.Exceeded() {
		ref, ok = s.newBlock(&k.letter, k.disk)
	}
	for !ok && s.frees(f.yields[first:]) < size {
		if len(f.yields)-first >= makeWayTries || !s.makeWay(b, policy) {
			s.bounds.put()
			return false
		}
	}
	if !ok {
		ref = s.newBlockOver(&k.letter)
	}
	k.block = ref
	return true
}

// makeWayTries is how many messages of a client make way for one where the
// memory of the ring is full: it may be others who fill it.
const makeWayTries = 32

// frees is how much memory of the ring there will be when these have gone.
func (s *Shard) frees(yields []yield) (bytes int64) {
	for _, y := range yields {
		if b := s.block(s.entries.At(y.entry).block); b.here && b.refs == 1 {
			bytes += int64(b.size)
		}
	}
	return bytes
}

// makeWay applies the policy to a mailbox for which there is no room, and
// reports whether some is being made.
func (s *Shard) makeWay(b *mailbox, policy core.Overflow) bool {
	switch policy {
	case core.OverflowDropOldest, core.OverflowConflate:
		return s.yieldFirst(b)
	case core.OverflowDisconnect:
		if b.conn != nil && b.conn.state == open {
			s.doomed = append(s.doomed, b.conn)
		}
	}
	return false
}

// yieldFirst makes the oldest message of the lowest priority yield that is
// committed and not on the connection; false when there is none.
func (s *Shard) yieldFirst(b *mailbox) bool {
	for prio := uint8(0); prio <= 9; prio++ {
		if prio > 0 && b.high == nil {
			break
		}
		l := b.lane(prio)
		i := l.next
		if l.yielded != 0 {
			i = s.entries.At(l.yielded).next
		}
		for i != 0 && s.entries.At(i).flags&entryYields != 0 {
			i = s.entries.At(i).next
		}
		if i != 0 && s.entries.At(i).flags&entryLoose == 0 && s.yield(b, i, record.Overflow) {
			l.yielded = i
			return true
		}
	}
	return false
}

// before returns the entry in front of i in l; 0 if i is the first.
func (s *Shard) before(l *lane, i uint32) uint32 {
	before, steps := uint32(0), 0
	for at := l.first; at != i; at = s.entries.At(at).next {
		before = at
		steps++
	}
	s.given += steps / walkSteps
	return before
}

// walkSteps is how many steps of a walk weigh as much as a delivery, in what a
// turn does.
const walkSteps = 64
