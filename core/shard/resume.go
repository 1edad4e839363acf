package shard

import (
	"cmp"
	"slices"

	"github.com/stratix-gateway/stratix/core/record"
	"github.com/stratix-gateway/stratix/core/wire"
)

// helloWait is how long the first frame of a reliable client is waited for
// before it is given what waits.
const helloWait = 1 // seconds

// connect joins c to the mailbox of its ClientID, if there is one or it needs
// one.
func (s *Shard) connect(c *session) {
	b := s.boxes[c.ID]
	if b == nil && c.reliable {
		if b = s.box(c.ID); b == nil {
			s.dir.reliable--
			c.reliable = false // there is no room to keep anything for it: it is served as it comes
			s.complain("a client of stratix.v1 is served as a plain one: there are too many sessions", "client", c.ID, "most", s.opt.Sessions)
		}
	}
	c.begun = !c.reliable
	if b == nil {
		return
	}
	if b.conn != nil {
		s.disconnect(b.conn) // it has broken, and is still to be retired
	}
	if b.reliable && !c.reliable {
		s.renew(b) // a plain client settles what the reliable one has not seen
	}
	b.reliable = c.reliable
	c.box, b.conn = b, c
	b.seen = s.unixMillis / 1000
	for _, name := range s.dir.present(b) {
		if c.reliable {
			s.dir.join(c, name)
		}
	}
	if c.reliable && b.home == 0 {
		s.introduce(b)
	}
	s.hunger(b)
}

// disconnect parts c, which is gone, from its mailbox.
func (s *Shard) disconnect(c *session) {
	b := c.box
	if b == nil {
		return
	}
	s.part(b)
	if b.reliable {
		s.dir.leaveBehind(c, b)
		b.stale = b.home != 0
	}
}

// part takes b's connection from it: what is on it waits again.
func (s *Shard) part(b *mailbox) {
	c := b.conn
	if c.out != nil {
		c.out.sent = c.out.sent[:0]
	}
	c.box, b.conn, b.owesGaps = nil, nil, false // it says hello before it hears of them
	s.rewind(b)
	b.seen = s.unixMillis / 1000
}

// renew gives b another epoch: its client cannot rely on what it knows.
func (s *Shard) renew(b *mailbox) {
	if b.home != 0 {
		s.logState(b) // links what follows under the old epoch, too
	}
	b.epoch = s.random.Uint64()
	b.mixed = false
	if b.loose == 0 {
		b.mixing = 0
	}
	if b.home != 0 {
		s.logState(b)
		s.filling.links = append(s.filling.links, b)
	}
}

// begin gives a reliable client what waits, whether it has said hello or not.
func (s *Shard) begin(c *session) {
	if !c.begun {
		c.begun = true
		s.hunger(c.box)
	}
}

// hello answers a reliable client that says what it has.
func (s *Shard) hello(c *session, f *wire.Frame) {
	if c.box == nil || !c.reliable {
		s.sendError(c, f.ID, codeUnsupported, "resuming needs the subprotocol stratix.v1")
		return
	}
	if c.greeted {
		s.sendError(c, f.ID, wire.CodeBadMessage, "hello comes once on a connection")
		return
	}
	b := c.box
	if !s.readRanges(c, f) {
		return
	}
	c.greeted = true
	epoch, ok := wire.ParseEpoch(f.Epoch)
	recovered := ok && epoch == b.epoch && f.Seq <= b.seq-uint64(b.loose)
	if recovered {
		s.settleUpto(b, f.Seq, s.acked, true)
	} else if ok && epoch == b.epoch {
		s.renew(b) // it has seen more than was given: one of both has forgotten
	}
	s.gaps = s.gaps[:0]
	for _, span := range b.spans {
		switch {
		case span.Cause != 0:
			s.gaps = append(s.gaps, wire.Gap{Range: wire.Range(span.Range), Cause: span.Cause.String()})
		case !recovered: // it has acknowledged these, and does not know it any more
			s.gaps = append(s.gaps, wire.Gap{Range: wire.Range(span.Range), Cause: "settled"})
		}
	}
	s.text = wire.AppendHello(s.text[:0], b.epoch, b.upto, b.seq-uint64(b.loose), recovered, s.gaps)
	s.send(c, s.text)
	s.begin(c)
}

// acknowledge takes what a reliable client has settled.
func (s *Shard) acknowledge(c *session, f *wire.Frame) {
	b := c.box
	if b == nil || !c.reliable {
		return // a plain client's written frames count as delivered
	}
	if !s.readRanges(c, f) {
		return
	}
	if f.Seq > b.seq-uint64(b.loose) {
		s.sendError(c, f.ID, wire.CodeBadMessage, "seq acknowledges what was not given")
		return
	}
	before := b.sent
	s.settleUpto(b, f.Seq, s.acked, false)
	if b.sent < before {
		b.since = s.wheel.now
	}
	s.hunger(b)
}

// readRanges reads the ranges of an ack or a hello into s.acked, or tells the
// client what is wrong with them.
func (s *Shard) readRanges(c *session, f *wire.Frame) bool {
	s.acked = s.acked[:0]
	if f.Also == nil {
		return true
	}
	var fault *wire.Fault
	if s.acked, fault = wire.ParseRanges(f.Also, s.acked); fault != nil {
		s.count.Malformed++
		s.sendError(c, f.ID, fault.Code, fault.Text)
		return false
	}
	slices.SortFunc(s.acked, func(a, b wire.Range) int { return cmp.Compare(a.From, b.From) })
	return true
}

// settleUpto settles everything up to upto and in the ranges, which are in the
// order of their lower ends, as far as it is committed. What the ranges name and
// is not on the connection is looked at only if all says so.
func (s *Shard) settleUpto(b *mailbox, upto uint64, ranges []wire.Range, all bool) {
	most := upto
	for _, r := range ranges {
		most = max(most, r.To)
	}
	b.lanes(func(l *lane) {
		on, before, left := true, uint32(0), ranges
		for i := l.first; i != 0; {
			e := s.entries.At(i)
			on = on && i != l.next
			seq := b.whole(e)
			if seq > most || e.flags&entryLoose != 0 || !all && !on && seq > upto {
				break
			}
			for len(left) > 0 && left[0].To < seq {
				left = left[1:]
			}
			next := e.next
			if seq <= upto || len(left) > 0 && seq >= left[0].From {
				s.settleEntry(b, l, before, i, on)
			} else {
				before = i
			}
			i = next
		}
	})
	if upto > b.upto {
		b.upto = upto
		n := 0
		for n < len(b.spans) && b.spans[n].To <= upto {
			n++
		}
		b.spans = append(b.spans[:0], b.spans[n:]...)
		if b.home != 0 {
			s.owe(b)
		}
	}
	b.advance()
}

// overdue reports whether an acknowledgement stays out too long.
func (s *Shard) overdue(c *session) bool {
	b := c.box
	return b != nil && b.reliable && b.sent > 0 && s.wheel.now-b.since >= s.ackTicks
}

// maxNotes is how many may wait for the receipt of one entry: it comes again each
// time.
const maxNotes = 8

// noteLate remembers who waits for the receipt of entry i.
func (s *Shard) noteLate(i uint32, who lateNote) {
	e := s.entries.At(i)
	if e.flags&entryLate != 0 {
		first := s.lates[i]
		n := 1
		for at := first.next; at != nil; at = at.next {
			n++
		}
		if n >= maxNotes {
			s.tellLate(who, lateSilent)
			return
		}
		who.next = &first
	}
	e.flags |= entryLate
	s.lates[i] = who
}

// answerFor tells the senders of entry i what became of it: it was delivered if
// cause is 0.
func (s *Shard) answerFor(i uint32, cause record.Cause) {
	who := s.lates[i]
	delete(s.lates, i)
	for at := &who; at != nil; at = at.next {
		s.tellLate(*at, lateOutcome(cause))
	}
}

func lateOutcome(cause record.Cause) byte {
	switch cause {
	case 0:
		return lateDelivered
	case record.Expired:
		return lateExpired
	}
	return lateLost
}
