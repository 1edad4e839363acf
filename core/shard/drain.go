package shard

import (
	"math/rand/v2"
	"time"

	"github.com/stratix-gateway/stratix/core/wire"
)

// drainOrder tells a shard to let all clients go.
type drainOrder struct {
	pace   time.Duration // over which the clients are told to go
	within time.Duration // after which those who are left are cut off
	done   func()        // called once, when the last one has ended
}

// drain is an order being carried out.
type drain struct {
	drainOrder
	leavers []readyRef // not yet told to go
	until   uint32     // tick by which all are
	end     uint32     // tick by which all have gone
}

// comeBack is over what time clients are asked to come back at least; each adds
// half a millisecond, so that many do not come at once.
const comeBack = 2 * time.Second

// beginDrain says goodbye to every client: each gets a type 6 frame with a
// moment of its own to come back at, and is closed in its turn.
func (s *Shard) beginDrain(order *drainOrder) {
	end := s.wheel.now + max(1, uint32(order.within/tickLength)) // rather early than late
	d := &drain{drainOrder: *order, until: min(s.wheel.now+ticks(order.pace), end), end: end}
	spread := comeBack.Milliseconds() + int64(len(s.dir.byID))/2
	s.sessions.each(func(c *session) {
		if c.state != open {
			return
		}
		retryAfter := 100 + rand.Int64N(spread)
		s.text = wire.AppendGoodbye(s.text[:0], retryAfter, "drain")
		s.send(c, s.text)
		d.leavers = append(d.leavers, readyRef{c, c.serial})
	})
	s.draining = d
	s.stepDrain()
}

// stepDrain closes this tick's share of the connections, and at the end cuts off
// who has not answered or not read yet.
func (s *Shard) stepDrain() {
	d := s.draining
	left := 1
	if d.until > s.wheel.now {
		left = int(d.until - s.wheel.now)
	}
	share := (len(d.leavers) + left - 1) / left
	for _, l := range d.leavers[:share] {
		if l.c.serial == l.serial {
			s.abandon(l.c, CloseGoingAway, "the gateway is shutting down", causeDrain)
		}
	}
	d.leavers = d.leavers[share:]
	if s.wheel.now < d.end {
		return
	}
	s.sessions.each(func(c *session) {
		if c.state == closing || c.state == leaving {
			s.doom(c)
		}
	})
}

// lastWrite is how long a pump may take for its last bytes: no longer than the
// drain.
func (s *Shard) lastWrite() time.Duration {
	d := s.draining
	switch {
	case d == nil:
		return lastWrite
	case s.wheel.now >= d.end:
		return 0
	}
	return min(lastWrite, time.Duration(d.end-s.wheel.now)*tickLength)
}

// checkDrained reports the end of the drain.
func (s *Shard) checkDrained() {
	d := s.draining
	if d == nil || d.done == nil || s.sessions.used() > 0 {
		return
	}
	d.done()
	d.done = nil
}
