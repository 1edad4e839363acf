package shard

import (
	"errors"
	"slices"

	"github.com/stratix-gateway/stratix/core/frame"
)

const (
	// readBytes is the size of the shard's read buffer: what one connection can
	// hand over in one turn.
	readBytes = 64 << 10
	// turnMessages is how many messages of one connection are handled in one
	// turn; the rest waits in the ready list.
	turnMessages = 64
	// turnDeliveries is after how many deliveries a turn takes no further
	// messages, so that a fan-out does not keep everybody else waiting. What comes
	// from other shards gets half of them.
	turnDeliveries = 8 << 10
)

// spent reports whether this turn takes no further messages.
func (s *Shard) spent() bool { return s.stuck || len(s.deliveries)+s.given >= turnDeliveries }

// readable reads what arrived for c and handles it.
func (s *Shard) readable(c *session) {
	switch {
	case c.state == leaving:
	case c.held || s.stuck || s.clogged(c):
		// Its turn has not come, and level-triggered events would spin.
		c.deaf = true
		s.watch(c)
		if s.stuck {
			s.makeReady(c)
		}
		return
	case c.in != nil:
		return // it is in the ready list
	}
	n, errno := rawRead(int(c.fd), s.buf)
	s.count.Reads++
	switch {
	case errno != 0 && again(errno):
	case errno == 0 && n == 0 && c.state == leaving && c.out != nil:
		c.deaf = true // it has ended its direction, and still gets the rest of ours
		s.watch(c)
	case errno != 0 || n == 0:
		s.breakOff(c)
	case c.state == leaving:
		// Too late. It is read so that closing does not reset the connection
		// before the peer has seen the close frame.
		s.count.WireIn += uint64(n)
	default:
		s.count.WireIn += uint64(n)
		c.seen = s.wheel.now
		s.consume(c, s.buf[:n])
	}
}

// makeReady puts c into the list of those whose turn comes without an event.
func (s *Shard) makeReady(c *session) {
	if !c.isReady {
		c.isReady = true
		s.ready = append(s.ready, readyRef{c, c.serial})
	}
}

// listen takes up reading from c again, waiting input first.
func (s *Shard) listen(c *session) {
	if c.held || s.clogged(c) {
		return
	}
	if c.in != nil || s.stuck {
		s.makeReady(c)
		return
	}
	s.creditPump(c)
	if c.deaf {
		c.deaf = false
		s.watch(c)
	}
}

type readyRef struct {
	c      *session
	serial uint32
}

// runReady gives a turn to each connection of the ready list.
func (s *Shard) runReady() {
	if s.stuck || len(s.ready) == 0 {
		return
	}
	s.ready, s.readyNow = s.readyNow[:0], s.ready
	for i, r := range s.readyNow {
		if s.spent() {
			s.ready = slices.Insert(s.ready, 0, s.readyNow[i:]...)
			break
		}
		c := r.c
		if c.serial != r.serial || !c.isReady {
			continue
		}
		c.isReady = false
		if c.in == nil {
			s.listen(c)
			continue
		}
		if c.held || s.clogged(c) {
			continue
		}
		s.consume(c, c.in.buf[c.in.off:])
	}
	clear(s.readyNow)
}

// consume handles the messages in b, the shard's read buffer, a pump's, or c's
// own waiting input. What cannot be handled now is kept as waiting input. b's
// owner gets it back afterwards only, whatever becomes of c on the way.
func (s *Shard) consume(c *session, b []byte) {
	s.consuming = c
	b = s.handleAll(c, b)
	s.consuming = nil
	if len(b) > 0 {
		s.keepInput(c, b)
		return
	}
	if in := c.in; in != nil {
		c.in = nil
		s.giveInput(in)
	}
	if c.partial == nil {
		c.stalled = 0
	} else if c.stalled == 0 && c.state == open {
		c.stalled = max(1, s.wheel.now)
		s.schedule(c)
	}
	if c.deaf || c.pump != nil {
		s.listen(c)
	}
}

// handleAll handles the messages in b and returns what has to wait for a later
// turn.
func (s *Shard) handleAll(c *session, b []byte) (rest []byte) {
	for left := turnMessages; len(b) > 0; {
		if c.held || left == 0 || s.spent() || s.clogged(c) {
			return b
		}
		ev, n, ok, err := s.frames.Next(&c.partial, c.deflate, b)
		b = b[n:]
		if err != nil {
			s.refuse(c, err)
			return nil
		}
		if !ok {
			return nil
		}
		left--
		if ev.Op == frame.OpText || ev.Op == frame.OpBinary {
			c.stalled = 0 // what follows is another message
		}
		s.handle(c, ev)
		if c.state != open && c.state != closing {
			return nil
		}
	}
	return nil
}

// keepInput remembers b, the rest of c's input, for a later turn.
func (s *Shard) keepInput(c *session, b []byte) {
	if c.in == nil {
		c.in = s.takeInput()
		c.in.buf = append(c.in.buf[:0], b...)
		c.in.off = 0
	} else {
		c.in.off = len(c.in.buf) - len(b)
	}
	if !c.held && !s.clogged(c) {
		s.makeReady(c)
	}
}

func (s *Shard) takeInput() *inbound {
	if n := len(s.inputs); n > 0 {
		in := s.inputs[n-1]
		s.inputs = s.inputs[:n-1]
		return in
	}
	return &inbound{}
}

func (s *Shard) giveInput(in *inbound) {
	if cap(in.buf) <= 2*readBytes && len(s.inputs) < 64 {
		in.buf, in.off = in.buf[:0], 0
		s.inputs = append(s.inputs, in)
	}
}

// handle takes one complete message or control frame.
func (s *Shard) handle(c *session, ev frame.Event) {
	if c.state == closing && ev.Op != frame.OpClose {
		return // what it sent before it saw our close frame is too late
	}
	switch ev.Op {
	case frame.OpText:
		s.receive(c, ev.Payload)
	case frame.OpBinary:
		s.abandon(c, CloseUnsupported, "binary messages are not supported: send JSON text", causeProtocol)
	case frame.OpPing:
		o := s.outbound(c)
		o.buf = frame.AppendFrame(o.buf, frame.OpPong, ev.Payload)
	case frame.OpPong:
		// Its bytes have moved c.seen.
	case frame.OpClose:
		s.farewell(c, ev.Code)
	}
}

// refuse closes a connection whose bytes break the protocol.
func (s *Shard) refuse(c *session, err error) {
	code, reason := CloseProtocol, "protocol error"
	var ce *frame.CloseError
	if errors.As(err, &ce) {
		code, reason = ce.Code, ce.Reason
	}
	s.abandon(c, code, reason, causeProtocol)
	// The stream cannot be followed any further, not even to the peer's close
	// frame. It learns from the end of the stream that it was understood.
	s.frames.Release(&c.partial)
	c.lingers = true
	s.leave(c)
}
