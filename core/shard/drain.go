package shard

import (
	"math/rand/v2"
	"time"

	"github.com/stratix-gateway/stratix/core/wire"
)

// drainOrder tells a shard to let all clients go.
type drainOrder struct {
	within time.Duration // over which the connections are closed
	done   func()        // called once, when the last one has ended
}

// drain is an order being carried out.
type drain struct {
	drainOrder
	leavers []readyRef // not yet closed
	until   uint32     // tick by which all are
}

// comeBack is over what time clients are asked to come back at least; each adds
// half a millisecond, so that many do not come at once.
const comeBack = 2 * time.Second

// beginDrain says goodbye to every client: each gets a type 6 frame with a
// moment of its own to come back at, and is closed in its turn.
func (s *Shard) beginDrain(order *drainOrder) {
	d := &drain{drainOrder: *order, until: s.wheel.now + ticks(order.within)}
	spread := int64(comeBack.Milliseconds()) + int64(len(s.dir.byID))/2
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

// stepDrain closes this tick's share of the connections.
func (s *Shard) stepDrain() {
	d := s.draining
	left := 1
	if d.until > s.wheel.now {
		left = int(d.until - s.wheel.now)
	}
	share := (len(d.leavers) + left - 1) / left
	for _, l := range d.leavers[:share] {
		if l.c.serial == l.serial {
			s.abandon(l.c, CloseGoingAway, "the gateway is shutting down", "drain")
		}
	}
	d.leavers = d.leavers[share:]
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
