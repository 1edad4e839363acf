package shard

import (
	"github.com/stratix-gateway/stratix/core/record"
	"github.com/stratix-gateway/stratix/core/wire"
)

const (
	// feedBytes is how much may wait in a connection's outbound while its mailbox
	// adds to it: the rest waits in the mailbox, where a lost connection cannot
	// take it along.
	feedBytes = 64 << 10
	// windowBytes bounds the letters that a reliable client has not acknowledged.
	windowBytes = 1 << 20
	// maxPasses is how many messages of higher priorities pass one of a lower.
	maxPasses = 16
)

// sentMark is where a message of a plain client's mailbox stands in its
// outbound: written up to end, it is delivered.
type sentMark struct {
	end   uint64
	entry uint32
	prio  uint8
}

// feed gives the connection of b what waits, as far as the window and the socket
// allow. If entry i is among it, sent is true, and end is the position in the
// outbound up to which it has to be written.
func (s *Shard) feed(b *mailbox, i uint32) (end uint64, sent bool) {
	for s.hasRoom(b) {
		l := s.choose(b)
		if l == nil {
			break
		}
		at := l.next
		ref := s.entries.At(at).block
		blk := s.block(ref)
		if s.expired(ref) {
			s.lose(b, l, s.before(l, at), at, record.Expired)
			continue
		}
		if !blk.here {
			s.page(b, l)
			break
		}
		if s.composed != ref {
			s.readLetter(ref, &s.out)
			s.composed = ref
			s.envelope = wire.AppendEnvelope(s.envelope[:0], s.out.From, s.out.ID, s.out.Data, s.out.Headers, s.out.Time)
		}
		p := s.sendEntry(b, l, s.envelope)
		if at == i {
			end, sent = p, true
		}
	}
	return end, sent
}

// hasRoom reports whether b's connection may be given one more message.
func (s *Shard) hasRoom(b *mailbox) bool {
	c := b.conn
	switch {
	case c == nil || !c.begun || c.state != open || !b.waits() || b.paging:
		return false
	case brimming(c):
		return false
	case !b.reliable || b.sent == 0:
		return true
	}
	return int(b.sent) < s.opt.Window && b.sentBytes < windowBytes
}

// brimming reports whether so much waits in c's outbound that nothing is added which
// can wait elsewhere.
func brimming(c *session) bool {
	return c.blocked || c.out != nil && c.out.waiting() >= feedBytes
}

// choose returns the lane whose next message goes out: the most urgent, but one
// of the others each time that has been passed often enough. nil if none may go.
func (s *Shard) choose(b *mailbox) *lane {
	if b.high == nil {
		return s.sendable(&b.low)
	}
	top := -1
	for prio := 9; prio >= 0; prio-- {
		l := s.sendable(b.lane(uint8(prio)))
		if l == nil {
			continue
		}
		if top < 0 {
			top = prio
			continue
		}
		// There is a lower one: the top passes it.
		if b.passed++; b.passed < maxPasses {
			return b.lane(uint8(top))
		}
		b.passed = 0
		return s.favor(b, top)
	}
	if top < 0 {
		return nil
	}
	return b.lane(uint8(top))
}

// favor returns the lane below top that is next in turn after the last one that
// was favored.
func (s *Shard) favor(b *mailbox, top int) *lane {
	prio := int(b.favored)
	for range 10 {
		if prio--; prio < 0 {
			prio = top - 1
		}
		if prio >= top {
			continue
		}
		if l := s.sendable(b.lane(uint8(prio))); l != nil {
			b.favored = uint8(prio)
			return l
		}
	}
	return b.lane(uint8(top))
}

// sendable returns l if its next message may go out, else nil.
func (s *Shard) sendable(l *lane) *lane {
	if l.next == 0 || s.entries.At(l.next).flags&(entryLoose|entryYields) != 0 {
		return nil
	}
	return l
}

// sendEntry gives the next message of lane l to the connection, as body, and
// returns the position behind it in the outbound. The entry may be settled, and
// freed, when it returns.
func (s *Shard) sendEntry(b *mailbox, l *lane, body []byte) (end uint64) {
	c, at := b.conn, l.next
	e := s.entries.At(at)
	if e.flags&entryAgain != 0 {
		s.count.Retries++
	}
	l.next = e.next
	b.sent++
	b.sentBytes += int64(s.block(e.block).size)
	o := s.outbound(c)
	if b.reliable {
		s.appendMessage(c, o, b.whole(e), body)
		if b.sent == 1 {
			b.since = s.wheel.now
			s.schedule(c)
		}
	} else {
		c.seq++
		s.appendMessage(c, o, c.seq, body)
		o.sent = append(o.sent, sentMark{o.end(), at, e.prio})
	}
	end = o.end()
	if len(o.buf) >= writeBytes && !c.blocked {
		s.write(c)
	}
	return end
}

// written settles the messages of c's mailbox that are written now.
func (s *Shard) written(c *session, o *outbound) {
	n := 0
	for n < len(o.sent) && o.sent[n].end <= o.written() {
		m := o.sent[n]
		l := c.box.lane(m.prio)
		s.settleEntry(c.box, l, s.before(l, m.entry), m.entry, true)
		n++
	}
	o.sent = o.sent[:copy(o.sent, o.sent[n:])]
}

// settleEntry takes out a message that has reached its recipient.
func (s *Shard) settleEntry(b *mailbox, l *lane, before, i uint32, on bool) {
	e := s.entries.At(i)
	seq := b.whole(e)
	if e.flags&entryDisk != 0 {
		s.owe(b)
	}
	if e.flags&entryLate != 0 {
		s.answerFor(i, 0)
	}
	s.count.Settled++
	s.unlink(b, l, before, i, on)
	if seq == b.upto+1 && len(b.spans) == 0 {
		b.upto = seq
		return
	}
	b.remember(seq, 0)
	b.advance()
}

// owe sees to it that the log learns what b has settled.
func (s *Shard) owe(b *mailbox) {
	if !b.unsaid {
		b.unsaid = true
		s.settled = append(s.settled, b)
	}
}

// rewind takes back what is on a connection that has ended: it waits again.
func (s *Shard) rewind(b *mailbox) {
	b.lanes(func(l *lane) {
		for i := l.first; i != l.next; i = s.entries.At(i).next {
			s.entries.At(i).flags |= entryAgain
		}
		l.next = l.first
	})
	b.sent, b.sentBytes = 0, 0
}

// hunger sees to it that b is fed within this turn or the next.
func (s *Shard) hunger(b *mailbox) {
	if !b.hungry && b.waits() {
		b.hungry = true
		s.hungry = append(s.hungry, b)
	}
}

// feedHungry feeds those whose connection has got room.
func (s *Shard) feedHungry() {
	for i := 0; i < len(s.hungry); i++ {
		b := s.hungry[i]
		s.hungry[i] = nil
		b.hungry = false
		s.feed(b, 0)
	}
	s.hungry = s.hungry[:0]
}
