package shard

import (
	"github.com/stratix-gateway/stratix/core/frame"
	"github.com/stratix-gateway/stratix/core/wire"
	"strings"
)

const (
	// writeBytes is when a connection is written to before the turn ends.
	writeBytes = 64 << 10
	// keepBytes is the largest outbound that is kept for another connection.
	keepBytes = 64 << 10
	// keepAll bounds the bytes of all that are kept.
	keepAll = 16 << 20
)

// outbound returns what c still has to get, to append to, and sees to it that
// it is written at the end of the turn.
func (s *Shard) outbound(c *session) *outbound {
	if c.out == nil {
		if n := len(s.outbounds); n > 0 {
			c.out = s.outbounds[n-1]
			s.outbounds = s.outbounds[:n-1]
			s.kept -= c.out.footprint()
		} else {
			c.out = &outbound{}
		}
		c.out.start = s.position
	}
	if !c.dirty {
		c.dirty = true
		s.dirty = append(s.dirty, c)
	}
	return c.out
}

// dropOutbound gives c's outbound back; the messages in it that were waited for are lost.
func (s *Shard) dropOutbound(c *session) {
	o := c.out
	if o == nil {
		return
	}
	if o.late > 0 {
		for _, m := range o.marks {
			s.settleLate(o, m, lateLost)
		}
	}
	c.out = nil
	s.position = max(s.position, o.end())
	if size := o.footprint(); size <= keepBytes && s.kept+size <= keepAll {
		s.kept += size
		*o = outbound{buf: o.buf[:0], marks: o.marks[:0], sent: o.sent[:0]}
		s.outbounds = append(s.outbounds, o)
	}
}

// send queues a text frame that is no message: an acknowledgement, an error.
// A client that makes them and does not read them is not read from either, so
// they are bounded by what one turn can make.
func (s *Shard) send(c *session, text []byte) {
	o := s.outbound(c)
	o.buf = frame.AppendFrame(o.buf, frame.OpText, text)
}

// sendError queues a type 2 frame.
func (s *Shard) sendError(c *session, id []byte, code, text string) {
	s.countTold(code)
	s.text = wire.AppendError(s.text[:0], id, code, text)
	s.send(c, s.text)
}

// maxCodes bounds the codes that are counted one by one: scripts choose some.
const maxCodes = 64

// countTold counts an error that a sender is told.
func (s *Shard) countTold(code string) {
	if _, known := s.told[code]; !known {
		if len(s.told) >= maxCodes {
			code = "other"
		} else {
			code = strings.Clone(code)
		}
	}
	s.told[code]++
}

// flush writes once to every connection that has something to get.
func (s *Shard) flush() {
	for i := 0; i < len(s.dirty); i++ {
		c := s.dirty[i]
		s.dirty[i] = nil
		c.dirty = false
		if c.out != nil && !c.blocked {
			s.write(c)
		}
	}
	s.dirty = s.dirty[:0]
}

// write writes what the socket takes. What it does not take waits for room.
func (s *Shard) write(c *session) {
	o := c.out
	n, ok := s.put(c, o.buf[o.off:])
	if !ok {
		s.breakOff(c)
		return
	}
	s.count.WireOut += uint64(n)
	if n > 0 && c.blocked {
		c.seen = s.wheel.now // the peer has read something
	}
	done := o.wrote(n)
	if o.late > 0 {
		for _, m := range o.marks[:done] {
			s.settleLate(o, m, lateDelivered)
		}
	}
	if len(o.sent) > 0 {
		s.written(c, o)
	}
	if o.waiting() > 0 {
		o.forget(done)
		if !c.blocked {
			c.blocked = true
			s.watch(c)
		} else if c.unheard() {
			s.listen(c)
		}
		return
	}
	o.marks = o.marks[:0]
	s.dropOutbound(c)
	if c.blocked {
		c.blocked = false
		s.watch(c)
	}
	if b := c.box; b != nil {
		s.hunger(b)
		if b.owesGaps {
			s.oweNoGaps(b)
		}
	}
	switch {
	case c.state == leaving:
		s.leave(c)
	case c.unheard():
		s.listen(c)
	}
}

// breakOff notes that c's socket failed. reap ends it.
func (s *Shard) breakOff(c *session) {
	switch c.state {
	case open:
		c.state = broken
		s.doomed = append(s.doomed, c)
	case closing, leaving:
		s.doom(c)
	}
}

// doom puts c, which is retired, on the list of connections to end; see reap.
func (s *Shard) doom(c *session) {
	c.state = over
	s.doomed = append(s.doomed, c)
}

// clogged reports whether c has so much to read that it is not read from: a
// client that only writes gets back-pressure instead of losses.
func (s *Shard) clogged(c *session) bool {
	return c.out != nil && c.blocked && c.out.waiting() > s.opt.QueueBytes/2
}

// put hands bytes to the connection without blocking; ok is false when it is
// broken.
func (s *Shard) put(c *session, b []byte) (n int, ok bool) {
	if c.pump != nil {
		return c.pump.put(b)
	}
	s.count.Writes++
	n, errno := rawWrite(int(c.fd), b)
	switch {
	case errno == 0:
		return n, true
	case again(errno):
		return 0, true
	}
	return 0, false
}

// watch tells the poller what c waits for.
func (s *Shard) watch(c *session) {
	if c.pump != nil {
		return
	}
	if err := s.poll.watch(int(c.fd), c.slot, c.serial, !c.deaf, c.blocked); err != nil {
		s.opt.Log.Error("a connection cannot be watched", "client", c.ID, "error", err)
	}
}
