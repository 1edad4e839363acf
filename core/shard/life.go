package shard

import (
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/frame"
	"github.com/stratix-gateway/stratix/core/ruling"
)

// Close codes that the gateway uses beside those of RFC 6455.
const (
	CloseGoingAway   = 1001
	CloseProtocol    = 1002
	CloseUnsupported = 1003
	CloseTryLater    = 1013
	CloseReplaced    = 4001
	CloseDismissed   = 4003
	CloseRefused     = 4403
	CloseSlow        = 4008
	CloseIdle        = 4009
	CloseStalled     = 4010
	CloseUnacked     = 4011
	CloseExpired     = 4401
	CloseLimited     = ruling.CloseLimited
)

// closeWait is how long a peer may take to answer a close frame.
const closeWait = 3 * time.Second

// replaced is what the older of two connections is told.
const replaced = "replaced by a newer connection with this clientId"

// attach makes a session of a client, which takes the place of an older
// connection with the same ClientID. Handshakes may overtake each other: a peer
// that has left already is the older one, whose client has connected anew.
func (s *Shard) attach(cl *Client) {
	if s.draining != nil {
		cl.turnAway(CloseTryLater, shuttingDown)
		return
	}
	if other := s.dir.byID[cl.ID]; other != nil && other.state == open {
		if cl.left() {
			s.count.Opened++
			s.count.closed(causeReplaced)
			cl.turnAway(CloseReplaced, replaced)
			return
		}
		s.abandon(other, CloseReplaced, replaced, causeReplaced)
	}
	c := s.sessions.take()
	*c = session{
		Session: core.Session{ID: cl.ID, Remote: cl.Remote, Grant: cl.Grant},
		place:   cl.Place, pump: cl.pump, fd: int32(cl.FD), deflate: cl.Deflate,
		slot: c.slot, serial: c.serial, state: open, since: s.wheel.now, seen: s.wheel.now, pinged: s.wheel.now,
		reliable: cl.Reliable,
	}
	if c.pump != nil {
		c.pump.slot, c.pump.serial = c.slot, c.serial
		close(c.pump.attached)
	} else if err := s.poll.add(cl.FD, c.slot, c.serial); err != nil {
		s.opt.Log.Error("a connection cannot be watched: it is closed", "client", c.ID, "error", err)
		s.end(c)
		return
	}
	s.count.Opened++
	s.dir.add(c)
	s.connect(c)
	s.schedule(c)
	s.greet(c)
	if len(cl.Early) > 0 && c.state == open {
		s.count.WireIn += uint64(len(cl.Early))
		s.consume(c, cl.Early)
	}
}

// greet runs the on_connect hook.
func (s *Shard) greet(c *session) {
	hello := core.Conn{Session: &c.Session}
	p := s.programOf(c.ID)
	p.Toll.Connects++
	if err := p.Hooks.Connect(&hello); err != nil {
		p.Toll.Unmet++
		p.Toll.Failing.Add(s.hashOf(c.ID))
		s.count.HookErrors++
		s.abandon(c, CloseRefused, "the gateway's on_connect hook failed", causeRefused)
		return
	}
	if hello.Refused != "" {
		s.abandon(c, CloseRefused, hello.Refused, causeRefused)
		return
	}
	c.hooked = true
	for _, g := range hello.Joins {
		if !s.dir.join(c, g) {
			s.count.HookErrors++
			s.complain("on_connect joins more groups than a client may be in: the rest are left out",
				"client", c.ID, "most", MaxGroups, "generation", p.Generation)
			break
		}
	}
	if len(hello.Joins) > 0 {
		s.noteGroups(c)
	}
	s.postConnect(c)
}

// retire takes c out of everything through which it could be given a message,
// counts it, and runs the on_disconnect hook.
func (s *Shard) retire(c *session, why cause) {
	s.disconnect(c)
	s.dir.remove(c)
	s.count.closed(why)
	if c.talks {
		c.talks = false
		s.talkers--
	}
	if c.hooked {
		c.hooked = false
		p := s.programOf(c.ID)
		if err := p.Hooks.Disconnect(&c.Session, string(why)); err != nil {
			s.count.HookErrors++
			p.Toll.Failing.Add(s.hashOf(c.ID))
		}
		s.postDisconnect(c, why)
	}
}

// abandon closes c from this side: a close frame, then the wait for the peer's.
// Input that waits is followed to that, too.
func (s *Shard) abandon(c *session, code int, reason string, why cause) {
	if c.state != open {
		return
	}
	s.retire(c, why)
	o := s.outbound(c)
	o.buf = frame.AppendClose(o.buf, code, reason)
	c.state = closing
	c.held = false
	c.stalled = 0 // its partial message is followed to the close frame behind
	s.listen(c)
	s.wheel.schedule(&s.sessions, c, s.wheel.now+ticks(closeWait))
}

// farewell answers the peer's close frame, or ends the wait for it.
func (s *Shard) farewell(c *session, code int) {
	if c.state == open {
		s.retire(c, causeLeft)
		o := s.outbound(c)
		if code == 1005 {
			o.buf = frame.AppendFrame(o.buf, frame.OpClose, nil)
		} else {
			o.buf = frame.AppendClose(o.buf, code, "")
		}
		s.wheel.schedule(&s.sessions, c, s.wheel.now+ticks(closeWait))
	}
	s.leave(c)
}

// leave ends c as soon as everything is written; it is retired, and its time is
// bounded by the wheel.
func (s *Shard) leave(c *session) {
	c.state = leaving
	switch {
	case c.out != nil:
	case !c.lingers:
		s.doom(c)
	case c.pump != nil:
		c.pump.finish()
	default:
		shutWrite(int(c.fd))
	}
}

// end closes the connection and frees the session. It is retired already.
func (s *Shard) end(c *session) {
	s.wheel.cancel(&s.sessions, c)
	s.dropOutbound(c)
	s.frames.Release(&c.partial)
	if c.in != nil {
		s.giveInput(c.in)
		c.in = nil
	}
	if c.pump != nil {
		c.pump.shut(s.lastWrite())
	} else {
		closeDescriptor(int(c.fd))
	}
	c.place.Leave()
	s.sessions.give(c)
}

// schedule puts c into the wheel for whatever it waits for first.
func (s *Shard) schedule(c *session) {
	due := c.seen + s.pingTicks
	if c.pinged >= c.seen {
		due = min(c.seen+s.idleTicks, c.pinged+s.pingTicks)
	}
	if c.stalled != 0 {
		due = min(due, c.stalled+s.stallTicks)
	}
	if c.reliable && c.box != nil {
		if !c.begun {
			due = min(due, s.wheel.now+helloWait*second)
		} else if c.box.sent > 0 {
			due = min(due, c.box.since+s.ackTicks)
		}
	}
	if c.Grant != nil {
		due = min(due, s.expiryTick(c))
	}
	s.wheel.schedule(&s.sessions, c, due)
}

// fire looks at what is due for c.
func (s *Shard) fire(c *session) {
	now := s.wheel.now
	if c.unheard() {
		if !s.clogged(c) {
			c.seen = now // it waits for the gateway
		}
		if c.stalled != 0 {
			c.stalled = now
		}
	}
	switch {
	case c.state == broken || c.state == over:
		return // reap ends it
	case c.state != open:
		s.doom(c) // the peer took too long to answer the close frame
		return
	case now-c.seen >= s.idleTicks:
		s.abandon(c, CloseIdle, "idle: nothing arrived, not even a pong", causeIdle)
		return
	case c.stalled != 0 && now-c.stalled >= s.stallTicks:
		s.abandon(c, CloseStalled, "a message took too long to arrive", causeStalled)
		return
	case c.Grant != nil && s.outlived(c):
		s.abandon(c, CloseExpired, "the token has expired: connect with a new one", causeExpired)
		return
	case s.overdue(c):
		s.abandon(c, CloseUnacked, "an acknowledgement took too long", causeUnacked)
		return
	case c.reliable && !c.begun:
		s.begin(c)
	case now-c.seen >= s.pingTicks && now-c.pinged >= s.pingTicks:
		c.pinged = now
		o := s.outbound(c)
		o.buf = frame.AppendFrame(o.buf, frame.OpPing, nil)
	}
	s.schedule(c)
}
