package shard

import (
	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/frame"
	"github.com/stratix-gateway/stratix/core/wire"
)

// delivery is one message given to one session within this turn. Whether it
// was written is known after the turn's writes.
type delivery struct {
	to      *session
	serial  uint32
	receipt int32  // index among the turn's receipts
	end     uint64 // position in the session's outbound; 0: dropped since
	entry   uint32 // in its mailbox; 0 if it is not kept
	seq     uint32 // of that entry, its lower half
	box     *mailbox
}

// receipt gathers what this shard did with one message within this turn.
type receipt struct {
	from   *Shard
	slot   uint32
	wanted bool // a second receipt is owed for what had to wait
	stored stored
	fault  fault
	counts wire.Counts
}

// deliver gives a message to the recipients that this shard owns. body is the
// encoded envelope without the recipient's own head; it is copied.
func (s *Shard) deliver(from *Shard, slot uint32, wanted bool, targets []core.Target, body []byte) {
	s.receipts = append(s.receipts, receipt{from: from, slot: slot, wanted: wanted})
	r := &s.receipts[len(s.receipts)-1]
	s.newStamp()
	for _, t := range targets {
		switch t.Kind {
		case core.ToClient:
			if c := s.dir.byID[t.Name]; c != nil {
				s.give(c, r, body)
			} else {
				r.counts.Offline++
			}
		case core.ToPrefix:
			s.dir.under(t.Name, func(c *session) bool {
				s.give(c, r, body)
				return true
			})
		case core.ToGroup:
			if g := s.dir.groups[t.Name]; g != nil {
				for _, c := range g.members {
					s.give(c, r, body)
				}
			}
		}
	}
	s.reap()
}

// newStamp makes a stamp that no session bears.
func (s *Shard) newStamp() {
	if s.stamp++; s.stamp == 0 {
		s.sessions.each(func(c *session) { c.stamp = 0 })
		s.stamp = 1
	}
}

// give queues one message for c, once a message, and notes it in r. c stays in
// the directories even if the policy says to disconnect it: see reap.
func (s *Shard) give(c *session, r *receipt, body []byte) {
	if c.stamp == s.stamp {
		return
	}
	c.stamp = s.stamp
	if c.state != open {
		r.counts.Offline++
		return
	}
	size := wire.HeadSize(c.nextSeq()) + len(body)
	if c.out != nil && c.out.waiting()+size > s.opt.QueueBytes && !s.makeRoom(c, size) {
		r.counts.Refused++
		return
	}
	o := s.outbound(c)
	begin := o.end()
	c.seq = c.nextSeq()
	s.appendMessage(c, o, c.seq, body)
	o.marks = append(o.marks, mark{
		begin: begin, end: o.end(), seq: c.seq,
		turn: s.turn, delivery: int32(len(s.deliveries)),
	})
	s.deliveries = append(s.deliveries, delivery{
		to: c, serial: c.serial, receipt: int32(len(s.receipts) - 1), end: o.end(),
	})
	if len(o.buf) >= writeBytes && !c.blocked {
		s.write(c)
	}
}

// giveSelf queues a message for its own sender. It cannot be dropped, so an
// acknowledgement behind it in the same stream is true when it is read.
func (s *Shard) giveSelf(c *session, body []byte) {
	o := s.outbound(c)
	c.seq = c.nextSeq()
	s.appendMessage(c, o, c.seq, body)
	if len(o.buf) >= writeBytes && !c.blocked {
		s.write(c)
	}
}

// nextSeq is the seq of the next message to c that is not kept: a client that
// resumes counts only what is, and gets 0 for none.
func (c *session) nextSeq() uint64 {
	if c.reliable {
		return 0
	}
	return c.seq + 1
}

// appendMessage appends one message frame.
func (s *Shard) appendMessage(c *session, o *outbound, seq uint64, body []byte) {
	size := wire.HeadSize(seq) + len(body)
	s.count.Out++
	s.count.OutBytes += uint64(size)
	if c.deflate && s.opt.DeflateAbove > 0 && size >= s.opt.DeflateAbove {
		s.text = append(wire.AppendHead(s.text[:0], seq), body...)
		o.buf = s.deflater.AppendFrame(o.buf, frame.OpText, s.text)
		return
	}
	o.buf = frame.AppendHeader(o.buf, frame.OpText, size)
	o.buf = wire.AppendHead(o.buf, seq)
	o.buf = append(o.buf, body...)
}

// makeRoom applies the policy to a full queue and reports whether a message of
// this size may be queued now.
func (s *Shard) makeRoom(c *session, size int) bool {
	if !c.blocked {
		// Nothing was tried yet in this turn: the socket may well take it.
		s.write(c)
		if c.state != open || c.out == nil || c.out.waiting()+size <= s.opt.QueueBytes {
			return c.state == open
		}
	}
	switch s.opt.QueuePolicy {
	case DropOldest:
		if c.reliable || len(c.out.sent) > 0 {
			return false // what is kept, or could not be named, does not make way
		}
		// An eighth more than needed, so that a recipient that stays slow does
		// not cost a move of its queue for each message.
		s.gone, s.tail = c.out.dropOldest(s.opt.QueueBytes-s.opt.QueueBytes/8-size, s.gone[:0], s.tail)
		s.forgetDropped(c, s.gone)
		return c.out.waiting()+size <= s.opt.QueueBytes
	case Disconnect:
		s.doomed = append(s.doomed, c)
	}
	return false
}

// forgetDropped settles messages that dropOldest took out of c's queue. Those
// of this turn become refusals.
func (s *Shard) forgetDropped(c *session, gone []mark) {
	for _, m := range gone {
		if m.turn == s.turn {
			s.deliveries[m.delivery].end = 0
		} else {
			s.count.Dropped++
		}
		s.settleLate(c.out, m, lateLost)
	}
	for _, m := range c.out.marks {
		if m.turn == s.turn {
			s.deliveries[m.delivery].end = m.end
		}
	}
}

// reap ends the connections that broke or fell behind. It runs outside of walks
// over the directories, since it changes them.
func (s *Shard) reap() {
	for len(s.doomed) > 0 {
		c := s.doomed[len(s.doomed)-1]
		s.doomed = s.doomed[:len(s.doomed)-1]
		switch c.state {
		case broken:
			s.retire(c, causeLost)
			s.end(c)
		case over:
			s.end(c)
		case open:
			s.abandon(c, CloseSlow, "too slow: the queue is full", causeSlow)
		}
	}
}

// settle turns the deliveries of the turn, after its writes, into receipts and
// sends these to the shards that the messages came from.
func (s *Shard) settle() {
	for i := range s.deliveries {
		d := &s.deliveries[i]
		r := &s.receipts[d.receipt]
		c := d.to
		switch {
		case d.end == 0:
			r.counts.Refused++
		case d.entry != 0 && (c.serial != d.serial || c.state != open || c.out != nil && c.out.written() < d.end):
			if s.find(d.box, d.entry, d.seq) == nil {
				r.counts.Delivered++ // it was written before the connection ended
				break
			}
			r.counts.Queued++ // it waits on
			if r.wanted {
				s.noteLate(d.entry, lateNote{shard: r.from, slot: r.slot})
			}
		case c.serial != d.serial || c.state == free:
			r.counts.Offline++ // it left before the write
		case c.out == nil || c.out.written() >= d.end:
			r.counts.Delivered++
		case c.state != open:
			r.counts.Offline++
		default:
			r.counts.Queued++
			if r.wanted {
				c.out.noteLate(d.end, lateNote{shard: r.from, slot: r.slot})
			}
		}
		d.to, d.box = nil, nil
	}
	s.deliveries = s.deliveries[:0]
	for i := range s.receipts {
		r := &s.receipts[i]
		if r.from == s {
			s.report(r.slot, r.counts, r.stored, r.fault)
		} else {
			b := s.to(r.from.index)
			b.buf = appendReceipt(b.buf, r.slot, r.counts, r.stored, r.fault)
		}
		r.from = nil
	}
	s.receipts = s.receipts[:0]
}

// settleLate tells the sender of a message that had to wait.
func (s *Shard) settleLate(o *outbound, m mark, outcome byte) {
	if m.late.shard == nil {
		return
	}
	o.late--
	s.tellLate(m.late, outcome)
}

// tellLate gives the second receipt of one recipient.
func (s *Shard) tellLate(who lateNote, outcome byte) {
	if who.shard == s {
		s.reportLate(who.slot, outcome)
		return
	}
	b := s.to(who.shard.index)
	b.buf = appendLate(b.buf, who.slot, outcome)
}
