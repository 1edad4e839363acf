package shard

import (
	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/record"
	"github.com/stratix-gateway/stratix/core/wire"
)

// fits makes sure of room for the message, in the ring and for b, by the
// message's policy. When it reports true, the count of one message is taken and
// the block is there.
func (s *Shard) fits(k *keeping, b *mailbox) bool {
	size := int64(len(k.letter.Content))
	r := s.opt.Ring
	policy := k.letter.Overflow
	if size > r.ClientBytes.Load() {
		return false // whatever made way
	}
	for int64(b.count) >= r.ClientMessages.Load() || b.bytes+size > r.ClientBytes.Load() {
		if !s.makeWay(b, policy) {
			return false
		}
	}
	for !s.bounds.get() {
		if !s.makeWay(b, policy) {
			return false
		}
	}
	for tries := 0; k.block == 0; tries++ {
		ref, ok := s.newBlock(&k.letter, k.disk)
		if ok {
			k.block = ref
		} else if tries == makeWayTries || !s.makeWay(b, policy) {
			s.bounds.put()
			return false
		}
	}
	return true
}

// makeWayTries is how many messages of a client make way for one where the
// memory of the ring is full: it may be others who fill it.
const makeWayTries = 32

// makeWay applies the policy to a mailbox for which there is no room, and
// reports whether some was made.
func (s *Shard) makeWay(b *mailbox, policy core.Overflow) bool {
	switch policy {
	case core.OverflowDropOldest, core.OverflowConflate:
		return s.dropFirst(b)
	case core.OverflowDisconnect:
		if b.conn != nil && b.conn.state == open {
			s.doomed = append(s.doomed, b.conn)
		}
	}
	return false
}

// dropFirst drops the oldest message of the lowest priority that is committed
// and not on the connection; false when there is none.
func (s *Shard) dropFirst(b *mailbox) bool {
	dropped := false
	for prio := uint8(0); prio <= 9 && !dropped; prio++ {
		if prio > 0 && b.high == nil {
			break
		}
		l := b.lane(prio)
		if i := l.next; i != 0 && s.entries.At(i).flags&entryLoose == 0 {
			s.lose(b, l, s.before(l, i), i, record.Overflow)
			dropped = true
		}
	}
	return dropped
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

// lose takes entry i out of lane l, behind before: it will never be delivered,
// and its recipient will be told the cause.
func (s *Shard) lose(b *mailbox, l *lane, before, i uint32, cause record.Cause) {
	e := s.entries.At(i)
	seq := b.whole(e)
	s.count.Lapsed[cause]++
	if e.flags&entryDisk != 0 {
		s.logRecord(func(buf []byte) []byte {
			return record.AppendGone(buf, b.epoch, cause, record.Range{From: seq, To: seq})
		})
	}
	if e.flags&entryLate != 0 {
		s.answerFor(i, cause)
	}
	if i == s.passing {
		s.passingLost = cause
	}
	s.noteLoss(b, e, cause)
	s.unlink(b, l, before, i, false)
	b.remember(seq, cause)
	b.advance()
	if c := b.conn; c != nil && c.begun && b.reliable {
		s.untold = append(s.untold, untold{b, wire.Gap{Range: wire.Range{From: seq, To: seq}, Cause: cause.String()}})
	}
}

// conflate lets entry i, which is committed and bears a key, wait under it in
// place of the one that did.
func (s *Shard) conflate(b *mailbox, i uint32) {
	var letter record.Letter
	s.readLetter(s.entries.At(i).block, &letter)
	key := letter.Key
	if old, taken := b.conflated[string(key)]; taken {
		o := s.entries.At(old)
		if l := b.lane(o.prio); s.onConnection(l, o) {
			o.flags &^= entryKeyed // it is on its way
		} else {
			s.lose(b, l, s.before(l, old), old, record.Conflated)
		}
	}
	if b.conflated == nil {
		b.conflated = map[string]uint32{}
	}
	b.conflated[string(key)] = i
}

// onConnection reports whether e is in front of the next of its lane.
func (s *Shard) onConnection(l *lane, e *entry) bool {
	return l.next == 0 || int32(e.seq-s.entries.At(l.next).seq) < 0
}

// forgetKey takes entry i out of those that wait under a key.
func (s *Shard) forgetKey(b *mailbox, i uint32, e *entry) {
	var l record.Letter
	s.readLetter(e.block, &l)
	if b.conflated[string(l.Key)] == i {
		delete(b.conflated, string(l.Key))
	}
}
