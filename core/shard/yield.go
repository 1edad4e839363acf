package shard

import (
	"math"

	"github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/record"
)

// yield is an entry that makes way for a message. It goes when the message is
// safe, and stays if that is refused: until then nobody gets either. What it has
// gone for is in the log in the same commit, behind the message.
type yield struct {
	box   *mailbox
	entry uint32 // 0 if it has gone another way
	cause record.Cause
}

// yield makes entry i of b, which is committed and not on the connection, go with
// the commit that is being filled; false if that has no place for it.
func (s *Shard) yield(b *mailbox, i uint32, cause record.Cause) bool {
	f := s.filling
	if len(f.yields) > math.MaxUint16 {
		return false
	}
	e := s.entries.At(i)
	e.flags |= entryYields
	if e.flags &^= entryOdd; f.number%2 == 1 {
		e.flags |= entryOdd
	}
	e.yield = uint16(len(f.yields))
	f.yields = append(f.yields, yield{b, i, cause})
	b.yielding++
	blk := s.block(e.block)
	b.yieldSize += int64(blk.size)
	s.senders.all[blk.sender].waiting--
	return true
}

// yieldOf is the note about e, which yields.
func (s *Shard) yieldOf(e *entry) *yield {
	f := s.filling
	if (f.number%2 == 1) != (e.flags&entryOdd != 0) {
		f = s.flying
	}
	return &f.yields[e.yield]
}

// reprieve lets entry i, e, of lane l yield no more.
func (s *Shard) reprieve(b *mailbox, l *lane, i uint32, e *entry) {
	e.flags &^= entryYields
	b.yielding--
	blk := s.block(e.block)
	b.yieldSize -= int64(blk.size)
	s.senders.all[blk.sender].waiting++
	if l.yielded == i {
		l.yielded = 0
	}
}

// stay lets all of these wait on: what they were to make way for is refused.
func (s *Shard) stay(yields []yield) {
	for _, y := range yields {
		if y.entry != 0 {
			e := s.entries.At(y.entry)
			s.reprieve(y.box, y.box.lane(e.prio), y.entry, e)
		}
	}
}

// feedAll gives the mailboxes of these what waits.
func (s *Shard) feedAll(yields []yield) {
	for _, y := range yields {
		s.feed(y.box, 0)
	}
}

// giveWay takes these out.
func (s *Shard) giveWay(yields []yield) {
	for _, y := range yields {
		if y.entry == 0 {
			continue
		}
		e := s.entries.At(y.entry)
		l := y.box.lane(e.prio)
		s.reprieve(y.box, l, y.entry, e)
		s.drop(y.box, l, s.before(l, y.entry), y.entry, y.cause)
	}
}

// logYields writes down, behind the record of what they make way for, who goes.
func (s *Shard) logYields(yields []yield) {
	f := s.filling
	for _, y := range yields {
		e := s.entries.At(y.entry)
		if e.flags&entryDisk == 0 || s.opt.Journal == nil {
			continue
		}
		seq := y.box.whole(e)
		buf, at := journal.BeginRecord(f.main)
		buf = record.AppendGone(buf, y.box.epoch, y.cause, record.Range{From: seq, To: seq})
		f.main = journal.EndRecord(buf, at)
	}
}
