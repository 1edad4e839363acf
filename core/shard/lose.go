package shard

import (
	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/record"
	"github.com/stratix-gateway/stratix/core/wire"
)

// lose takes entry i out of lane l, behind before: it will never be delivered,
// and its recipient will be told the cause. It is told before the log knows, so
// that the cause must be one that a recovery finds again by itself: that the
// message has expired, or that the log has a later one under its key. What goes
// for another cause yields.
func (s *Shard) lose(b *mailbox, l *lane, before, i uint32, cause record.Cause) {
	e := s.entries.At(i)
	if seq := b.whole(e); e.flags&entryDisk != 0 && s.relief.full {
		s.owe(b) // a relief says so, if one is written
	} else if e.flags&entryDisk != 0 {
		s.logRecord(func(buf []byte) []byte {
			return record.AppendGone(buf, b.epoch, cause, record.Range{From: seq, To: seq})
		})
	}
	s.drop(b, l, before, i, cause)
}

// drop is lose where the log has it, or does not have the message.
func (s *Shard) drop(b *mailbox, l *lane, before, i uint32, cause record.Cause) {
	e := s.entries.At(i)
	seq := b.whole(e)
	s.count.Lapsed[cause]++
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
	if c := b.conn; c != nil && c.begun && b.reliable && !b.owesGaps {
		s.untold = append(s.untold, untold{b, wire.Gap{Range: wire.Range{From: seq, To: seq}, Cause: cause.String()}})
	}
}

// supersede makes the message that waits for b under the key of the new one
// yield, where that conflates.
func (s *Shard) supersede(k *keeping, b *mailbox) {
	if k.letter.Overflow != core.OverflowConflate || len(k.letter.Key) == 0 {
		return
	}
	i, taken := b.conflated[string(k.letter.Key)]
	if !taken {
		return
	}
	e := s.entries.At(i)
	if l := b.lane(e.prio); e.flags&entryYields == 0 && !s.onConnection(l, e) && s.replaces(k.disk, e) {
		s.yield(b, i, record.Conflated)
	}
}

// replaces reports whether a newer message, on the disk or not, may take the
// place of e under its key. What is on the disk is not replaced by what is not: a
// crash would bring it back behind its successor.
func (s *Shard) replaces(disk bool, e *entry) bool { return disk || e.flags&entryDisk == 0 }

// conflate lets entry i, which is committed and bears a key, wait under it in
// place of the one that did, of the same commit.
func (s *Shard) conflate(b *mailbox, i uint32) {
	e := s.entries.At(i)
	var letter record.Letter
	s.readLetter(e.block, &letter)
	key := letter.Key
	if old, taken := b.conflated[string(key)]; taken {
		o := s.entries.At(old)
		if l := b.lane(o.prio); s.onConnection(l, o) || !s.replaces(e.flags&entryDisk != 0, o) {
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
