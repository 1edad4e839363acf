package shard

import (
	"github.com/stratix-gateway/stratix/core"
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
	sent      int32             // of these: on the connection
	passed    uint8             // messages sent since a lower priority had its turn ...
	favored   uint8             // ... and which one had it
	bytes     int64             // of the letters that wait
	sentBytes int64             // of those on the connection
	since     uint32            // tick of the last progress while something is sent
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
	paging   bool // letters of it are being read from the disk
	unsaid   bool // in the list of those whose acknowledgements are not in the log yet
	stale    bool // the log has lost records of it: its state is owed
}

// flags of a mailbox in a session record.
const (
	flagReliable = 1 << iota
	flagMixed
)

// lane is the messages of one priority in the order of their seqs: a list of
// entries. Those in front of next are on the connection.
type lane struct{ first, last, next uint32 }

// entry is one message that waits for one recipient.
type entry struct {
	next  uint32 // in its lane
	block arena.Ref
	seq   uint32 // its lower half; see mailbox.whole
	flags uint8
	prio  uint8
}

// flags of an entry.
const (
	entryLoose = 1 << iota // not yet committed: nobody may see it
	entryDisk              // it is in the log
	entryAgain             // it was sent before
	entryLate              // its sender waits for a receipt
	entryKeyed             // it may be in mailbox.conflated
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
	size := int64(s.block(e.block).size)
	b.bytes -= size
	if on {
		b.sent--
		b.sentBytes -= size
	}
	if e.flags&entryLoose != 0 {
		b.loose--
	}
	if e.flags&entryKeyed != 0 {
		s.forgetKey(b, i, e)
	}
	s.release(e.block)
	s.entries.Put(i)
	s.bounds.put()
}

// remember adds a seq after upto that does not wait any more. Neighbours of one
// cause become one span, so there are at most as many as messages wait, and one
// for each change of the cause.
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
	if len(b.spans) == 0 {
		b.spans = nil
	} else if b.spans[0].From <= b.upto {
		b.spans[0].From = b.upto + 1
	}
}

// newBox makes a mailbox with a numbering of its own.
func (s *Shard) newBox(name string) *mailbox {
	b := &mailbox{name: name, epoch: s.random.Uint64(), seen: s.unixMillis / 1000, at: len(s.boxList)}
	s.boxes[name] = b
	s.boxList = append(s.boxList, b)
	return b
}

// box returns the mailbox of a ClientID, and makes it if there is room for one
// more; else nil. name is copied if it is kept.
func (s *Shard) box(name string) *mailbox {
	if b := s.boxes[name]; b != nil {
		return b
	}
	if len(s.boxes) >= s.opt.Sessions && !s.evict() {
		return nil
	}
	return s.newBox(string([]byte(name)))
}

// boxOf is box for a client that is connected.
func (s *Shard) boxOf(c *session) *mailbox {
	if c.box == nil {
		b := s.boxes[c.ID]
		if b == nil {
			if len(s.boxes) >= s.opt.Sessions && !s.evict() {
				return nil
			}
			b = s.newBox(c.ID)
		}
		c.box, b.conn = b, c
	}
	return c.box
}

// forget drops a mailbox that holds nothing.
func (s *Shard) forget(b *mailbox) {
	if b.home != 0 {
		s.logRecord(func(buf []byte) []byte { return record.AppendEnd(buf, b.epoch) })
	}
	delete(s.boxes, b.name)
	last := s.boxList[len(s.boxList)-1]
	s.boxList[b.at], last.at = last, b.at
	s.boxList[len(s.boxList)-1] = nil
	s.boxList = s.boxList[:len(s.boxList)-1]
	s.dir.present(b)
	if b.conn != nil {
		b.conn.box = nil
	}
}

// idle reports whether nothing would be lost with b but a numbering.
func (b *mailbox) idle() bool { return b.count == 0 && b.conn == nil && !b.hungry && !b.paging }

// evictSample is how many mailboxes are looked at to find one to forget.
const evictSample = 64

// evict forgets the one that was offline longest among a sample of those that
// hold nothing; it reports false when there is none.
func (s *Shard) evict() bool {
	var oldest *mailbox
	for range min(evictSample, len(s.boxList)) {
		b := s.boxList[s.random.IntN(len(s.boxList))]
		if b.idle() && (oldest == nil || b.seen < oldest.seen) {
			oldest = b
		}
	}
	if oldest == nil {
		return false
	}
	s.count.Evicted++
	s.forget(oldest)
	return true
}

// state is what the log is told of b.
func (s *Shard) state(b *mailbox) *record.State {
	st := &s.stateBuf
	*st = record.State{Name: b.name, Epoch: b.epoch, Seq: b.seq, Upto: b.upto, Seen: b.seen, Groups: st.Groups[:0], Spans: b.spans}
	if b.reliable {
		st.Flags |= flagReliable
	}
	if b.mixed {
		st.Flags |= flagMixed
	}
	if b.conn != nil {
		for _, m := range b.conn.groups {
			st.Groups = append(st.Groups, m.group.name)
		}
	}
	for _, a := range b.groups {
		st.Groups = append(st.Groups, a.group.name)
	}
	return st
}

// bounds counts the messages that wait for a shard's clients against the bound
// of all shards, of which it leases some at a time.
type bounds struct {
	ring   *core.Ring
	shared *shared
	share  int64 // how many are leased at a time, at the most
	leased int64
	used   int64
}

// get takes room for one message; false when there is none.
func (b *bounds) get() bool {
	if b.used == b.leased {
		limit := b.ring.Messages.Load()
		n := max(1, min(b.share, limit/64))
		if b.shared.messages.Add(n) > limit {
			b.shared.messages.Add(-n)
			if n == 1 {
				return false
			}
			if n = 1; b.shared.messages.Add(n) > limit {
				b.shared.messages.Add(-n)
				return false
			}
		}
		b.leased += n
	}
	b.used++
	return true
}

// force takes room for one message that is there already.
func (b *bounds) force() {
	if b.used == b.leased {
		b.shared.messages.Add(1)
		b.leased++
	}
	b.used++
}

// put gives the room of one message back.
func (b *bounds) put() {
	b.used--
	if b.leased-b.used >= 2*b.share {
		b.shared.messages.Add(-b.share)
		b.leased -= b.share
	}
}
