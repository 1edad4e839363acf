package shard

import (
	"github.com/stratix-gateway/stratix/core/arena"
	"github.com/stratix-gateway/stratix/core/record"
)

// mailbox is what is kept for a ClientID beyond its connection: the messages
// that it has not settled, in order, and where its numbering stands. It belongs
// to the shard that owns the ClientID.
type mailbox struct {
	name  string
	epoch uint64        // names this numbering; random
	seq   uint64        // of the last message given to it
	upto  uint64        // all up to it are settled
	spans []record.Span // after upto: what does not wait any more, in order
	conn  *session      // nil while it is offline

	low  lane     // priority 0
	high *[9]lane // priorities 1 to 9; nil until one is used

	count     int32             // messages that wait
	loose     int32             // of these: not yet committed
	yielding  int32             // of these: going, with a commit
	sent      int32             // of these: on the connection
	passed    uint8             // messages sent since a lower priority had its turn ...
	favored   uint8             // ... and which one had it
	bytes     int64             // of the letters that wait
	yieldSize int64             // of those that are going
	sentBytes int64             // of those on the connection
	since     uint32            // tick of the last progress while something is sent
	mixing    uint64            // the commit with which the log will know that; 0 for none
	stamp     uint32            // of the last message given to it: once each
	home      uint32            // segment of its oldest record that nothing newer repeats; 0 for none
	last      uint32            // segment of its newest record, while the log is replayed
	seen      int64             // when it was last connected, seconds since 1970
	at        int               // in the list of all
	groups    []absence         // of a reliable client that is offline
	conflated map[string]uint32 // the entry that waits under a key

	reliable bool // its client acknowledges; its session outlives a connection
	mixed    bool // the log knows that some seqs were never in it
	hungry   bool // in the list of those to be fed
	owesGaps bool // its client, which does not read, is to be told of gaps
	paging   bool // letters of it are being read from the disk
	unsaid   bool // in the list of those whose acknowledgements are not in the log yet
	stale    bool // the log has lost records of it: its state is owed
}

// flags of a mailbox in a session record.
const (
	flagReliable = 1 << iota
	flagMixed
	flagOnline // it is connected
)

// lane is the messages of one priority in the order of their seqs: a list of
// entries. Those in front of next are on the connection. yielded is the last that
// was made to yield for its age; 0 if none waits for that.
type lane struct{ first, last, next, yielded uint32 }

// entry is one message that waits for one recipient.
type entry struct {
	next  uint32 // in its lane
	block arena.Ref
	seq   uint32 // its lower half; see mailbox.whole
	flags uint8
	prio  uint8
	yield uint16 // its place in commit.yields, while it yields
}

// flags of an entry.
const (
	entryLoose  = 1 << iota // not yet committed: nobody may see it
	entryDisk               // it is in the log
	entryAgain              // it was sent before
	entryLate               // its sender waits for a receipt
	entryKeyed              // it may be in mailbox.conflated
	entryYields             // it goes when a commit is done: nobody may see it any more
	entryOdd                // that commit's number is odd
)

// whole returns the seq of which e has the lower half.
func (b *mailbox) whole(e *entry) uint64 { return b.seq - uint64(uint32(b.seq)-e.seq) }

// lane returns the lane of a priority.
func (b *mailbox) lane(prio uint8) *lane {
	if prio == 0 {
		return &b.low
	}
	if b.high == nil {
		b.high = new([9]lane)
	}
	return &b.high[prio-1]
}

// lanes calls f for every lane that holds something, the most urgent first.
func (b *mailbox) lanes(f func(*lane)) {
	if b.high != nil {
		for i := len(b.high) - 1; i >= 0; i-- {
			if b.high[i].first != 0 {
				f(&b.high[i])
			}
		}
	}
	if b.low.first != 0 {
		f(&b.low)
	}
}

// waits reports whether something is not on the connection yet.
func (b *mailbox) waits() bool { return b.count > b.sent }

// push puts entry i, e, at the end of its lane.
func (s *Shard) push(b *mailbox, i uint32, e *entry) {
	l := b.lane(e.prio)
	if l.last != 0 {
		s.entries.At(l.last).next = i
	} else {
		l.first = i
	}
	l.last = i
	if l.next == 0 {
		l.next = i
	}
	b.count++
	s.senders.all[s.block(e.block).sender].waiting++
	if e.flags&entryLoose != 0 {
		b.loose++
	}
}

// unlink takes entry i out of lane l, where it stands behind before (0: in
// front), and frees it. on says that it was on the connection.
func (s *Shard) unlink(b *mailbox, l *lane, before, i uint32, on bool) {
	e := s.entries.At(i)
	if before != 0 {
		s.entries.At(before).next = e.next
	} else {
		l.first = e.next
	}
	if l.last == i {
		l.last = before
	}
	if l.next == i {
		l.next = e.next
	}
	b.count--
	blk := s.block(e.block)
	s.senders.all[blk.sender].waiting--
	size := int64(blk.size)
	b.bytes -= size
	if on {
		b.sent--
		b.sentBytes -= size
	}
	if e.flags&entryLoose != 0 {
		b.loose--
	}
	if e.flags&entryYields != 0 {
		s.yieldOf(e).entry = 0
		s.reprieve(b, l, i, e)
	}
	if e.flags&entryKeyed != 0 {
		s.forgetKey(b, i, e)
	}
	s.release(e.block)
	s.entries.Put(i)
	s.bounds.put()
}

// remember adds a seq after upto that does not wait any more. Neighbours of one
// cause become one span.
func (b *mailbox) remember(seq uint64, cause record.Cause) {
	if seq <= b.upto {
		return
	}
	i := len(b.spans)
	for i > 0 && b.spans[i-1].From > seq {
		i--
	}
	if i > 0 && b.spans[i-1].To >= seq {
		return
	}
	left := i > 0 && b.spans[i-1].To+1 == seq && b.spans[i-1].Cause == cause
	right := i < len(b.spans) && b.spans[i].From == seq+1 && b.spans[i].Cause == cause
	switch {
	case left && right:
		b.spans[i-1].To = b.spans[i].To
		b.spans = append(b.spans[:i], b.spans[i+1:]...)
	case left:
		b.spans[i-1].To = seq
	case right:
		b.spans[i].From = seq
	default:
		b.spans = append(b.spans, record.Span{})
		copy(b.spans[i+1:], b.spans[i:])
		b.spans[i] = record.Span{Range: record.Range{From: seq, To: seq}, Cause: cause}
	}
}

// rememberRange adds a range of seqs as remember does, as far as they were
// given.
func (b *mailbox) rememberRange(r record.Range, cause record.Cause) {
	r.From, r.To = max(r.From, b.upto+1), min(r.To, b.seq)
	if n := len(b.spans); r.From <= r.To && (n == 0 || b.spans[n-1].To < r.From) {
		if n > 0 && b.spans[n-1].To+1 == r.From && b.spans[n-1].Cause == cause {
			b.spans[n-1].To = r.To
		} else {
			b.spans = append(b.spans, record.Span{Range: r, Cause: cause})
		}
	} else {
		for seq := r.From; seq <= r.To; seq++ {
			b.remember(seq, cause)
		}
	}
	b.advance()
}

// outcome reports whether the message with this seq does not wait any more, and
// the cause if it will never be delivered, as far as that is still known.
func (b *mailbox) outcome(seq uint64) (cause record.Cause, done bool) {
	for _, span := range b.spans {
		if seq >= span.From && seq <= span.To {
			return span.Cause, true
		}
	}
	return 0, seq <= b.upto
}

// maxSpans is how many spans there may be beside one for each message that waits:
// a client that names its gaps settled makes them few at any time.
const maxSpans = 1024

// join makes one span of all neighbours, whatever their causes: the gravest, and of
// what was settled a gap, which is as true of what comes no second time.
func (b *mailbox) join() {
	n := 0
	for _, span := range b.spans[1:] {
		if last := &b.spans[n]; last.To+1 == span.From {
			last.To, last.Cause = span.To, max(last.Cause, span.Cause)
		} else {
			n++
			b.spans[n] = span
		}
	}
	b.spans = b.spans[:n+1]
}

// advance moves upto over the spans behind it that need no naming: those that
// are settled, and all of a client that is not told of gaps.
func (b *mailbox) advance() {
	n := 0
	for n < len(b.spans) && b.spans[n].From <= b.upto+1 && (b.spans[n].Cause == 0 || !b.reliable || b.spans[n].To <= b.upto) {
		b.upto = max(b.upto, b.spans[n].To)
		n++
	}
	if n > 0 {
		b.spans = append(b.spans[:0], b.spans[n:]...)
	}
	if len(b.spans) > maxSpans+int(b.count) {
		b.join()
	}
	if len(b.spans) == 0 {
		b.spans = nil
	} else if b.spans[0].From <= b.upto {
		b.spans[0].From = b.upto + 1
	}
}
