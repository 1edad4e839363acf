package shard

import (
	"cmp"
	"slices"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/record"
)

func (s *Shard) recoverMessage(b *mailbox, rec *record.Record, seq uint64, at journal.Position) bool {
	b.seq = max(b.seq, seq)
	if _, done := b.outcome(seq); done {
		return false
	}
	if l := b.lane(rec.Letter.Priority); l.last != 0 {
		// A record that was copied to the head comes a second time.
		if newest := b.whole(s.entries.At(l.last)); seq <= newest {
			s.recoverCopy(b, l, seq, rec, at)
			return false
		}
	}
	i, ok := s.entries.Get()
	if !ok {
		panic("shard: there is no memory for what waits")
	}
	s.bounds.force()
	if s.recovering == 0 {
		s.recovering, _ = s.newBlock(&rec.Letter, true)
		s.place(s.block(s.recovering).block, at)
	}
	blk := s.block(s.recovering)
	blk.refs++
	e := s.entries.At(i)
	*e = entry{block: s.recovering, seq: uint32(seq), flags: entryDisk, prio: rec.Letter.Priority}
	b.bytes += int64(blk.size)
	if rec.Letter.Overflow == core.OverflowConflate && len(rec.Letter.Key) > 0 && blk.here {
		e.flags |= entryKeyed
		if b.conflated == nil {
			b.conflated = map[string]uint32{}
		}
		b.conflated[string(rec.Letter.Key)] = i
	}
	s.push(b, i, e)
	return true
}

// recoverCopy takes a record that stands in the log a second time: the message
// is found there from now on. If it does not wait any more, or never did, it is
// put in its place.
func (s *Shard) recoverCopy(b *mailbox, l *lane, seq uint64, rec *record.Record, at journal.Position) {
	for i := l.first; i != 0; i = s.entries.At(i).next {
		e := s.entries.At(i)
		if b.whole(e) != seq {
			continue
		}
		if blk := s.block(e.block); blk.refs == 1 && blk.segment != 0 {
			s.place(blk.block, at)
		}
		return
	}
	// Its first record is in a segment that is gone, and later messages came first.
	i, ok := s.entries.Get()
	if !ok {
		panic("shard: there is no memory for what waits")
	}
	s.bounds.force()
	ref, _ := s.newBlock(&rec.Letter, true)
	blk := s.block(ref)
	blk.refs = 1
	s.place(blk.block, at)
	e := s.entries.At(i)
	*e = entry{block: ref, seq: uint32(seq), flags: entryDisk, prio: rec.Letter.Priority}
	b.bytes += int64(blk.size)
	b.count++
	s.senders.all[blk.sender].waiting++
	before := uint32(0)
	for at := l.first; at != 0 && b.whole(s.entries.At(at)) < seq; at = s.entries.At(at).next {
		before = at
	}
	if before == 0 {
		e.next, l.first = l.first, i
	} else {
		e.next = s.entries.At(before).next
		s.entries.At(before).next = i
	}
	if e.next == 0 {
		l.last = i
	}
	l.next = l.first
}

func (s *Shard) recoverSeen(b *mailbox, rec *record.Record, seq uint64, at int64) {
	s.seen.add(s.seeds.key(rec.Letter.From, rec.Letter.ID, b.name), uint32(seq)&markSeq|markDisk, uint32(at))
	s.added++
}

func (s *Shard) recoverAck(b *mailbox, rec *record.Record) {
	b.seq = max(b.seq, rec.Upto)
	s.acked = s.acked[:0]
	for _, r := range rec.Ranges {
		s.acked = append(s.acked, struct{ From, To uint64 }(r))
	}
	s.settleUpto(b, rec.Upto, s.acked, true)
	for _, r := range rec.Ranges { // also what was in memory only
		b.rememberRange(r, 0)
	}
	s.forgetOwed()
}

func (s *Shard) recoverSpans(b *mailbox, st *record.State) {
	s.settleUpto(b, st.Upto, nil, true)
	for _, span := range st.Spans {
		b.rememberRange(span.Range, span.Cause)
	}
	s.dropCovered(b)
	s.forgetOwed()
}

// forgetOwed leaves out what the log knows already.
func (s *Shard) forgetOwed() {
	for _, b := range s.settled {
		b.unsaid = false
	}
	s.settled = s.settled[:0]
}

// dropCovered takes out the messages that spans say do not wait any more.
func (s *Shard) dropCovered(b *mailbox) {
	b.lanes(func(l *lane) {
		before, spans := uint32(0), b.spans
		for i := l.first; i != 0; {
			e := s.entries.At(i)
			next, seq := e.next, b.whole(e)
			for len(spans) > 0 && spans[0].To < seq {
				spans = spans[1:]
			}
			switch {
			case len(spans) > 0 && seq >= spans[0].From:
				if cause := spans[0].Cause; cause != 0 {
					s.noteLoss(b, e, cause)
				}
				s.unlink(b, l, before, i, false)
			case seq <= b.upto:
				s.unlink(b, l, before, i, false)
			default:
				before = i
			}
			i = next
		}
	})
}

// recoverConflated takes out what a later message under the same key has
// replaced, whether the log got to know or not.
func (s *Shard) recoverConflated(b *mailbox) {
	if b.conflated == nil {
		return
	}
	var letter record.Letter
	b.lanes(func(l *lane) {
		before := uint32(0)
		for i := l.first; i != 0; {
			e := s.entries.At(i)
			next := e.next
			if e.flags&entryKeyed != 0 {
				s.readLetter(e.block, &letter)
			}
			if e.flags&entryKeyed != 0 && b.conflated[string(letter.Key)] != i {
				s.drop(b, l, before, i, record.Conflated)
			} else {
				before = i
			}
			i = next
		}
	})
}

// recoverEnd forgets a mailbox, as the log says.
func (s *Shard) recoverEnd(b *mailbox) {
	b.lanes(func(l *lane) {
		for l.first != 0 {
			s.unlink(b, l, 0, l.first, false)
		}
	})
	b.home = 0
	s.forget(b)
}

// recoverHoles names what neither waits nor is known to be done: the log has
// lost it, or it was in memory only.
func (s *Shard) recoverHoles(b *mailbox) {
	known := uint64(b.count)
	for _, span := range b.spans {
		known += span.To - span.From + 1
	}
	if known >= b.seq-b.upto {
		return
	}
	cause := record.Damaged
	if b.mixed {
		cause = record.Lost
	}
	done := make([]record.Range, 0, int(b.count)+len(b.spans)+1)
	b.lanes(func(l *lane) {
		for i := l.first; i != 0; i = s.entries.At(i).next {
			seq := b.whole(s.entries.At(i))
			done = append(done, record.Range{From: seq, To: seq})
		}
	})
	for _, span := range b.spans {
		done = append(done, span.Range)
	}
	slices.SortFunc(done, func(a, b record.Range) int { return cmp.Compare(a.From, b.From) })
	next := b.upto + 1
	for _, r := range append(done, record.Range{From: b.seq + 1, To: b.seq + 1}) {
		if r.From > next {
			s.count.Lapsed[cause] += r.From - next
			b.rememberRange(record.Range{From: next, To: r.From - 1}, cause)
		}
		next = max(next, r.To+1)
	}
	b.advance()
}
