package shard

import "github.com/stratix-gateway/stratix/core"

// Adjust takes over the bounds in opt that can change while the shards run, each
// shard between two messages, and returns when all have: MaxMessage, the times,
// QueueBytes and QueuePolicy, DeflateAbove, Window, Sessions and SessionLifetime, those
// of the deduplication window, TraceEvery, TraceData, Budget and Heavy. They are for what
// begins from then on. Nothing that was accepted is lost and no connection is closed
// for having been within the bounds before: who has been silent for longer than a
// shorter time allows has all of that time from now on.
func (set *Set) Adjust(opt Options) { set.each(func(s *Shard) { s.adjust(&opt) }) }

func (s *Shard) adjust(to *Options) {
	o := &s.opt
	o.MaxMessage, o.QueueBytes, o.QueuePolicy, o.DeflateAbove = to.MaxMessage, to.QueueBytes, to.QueuePolicy, to.DeflateAbove
	o.Window, o.Sessions, o.SessionLifetime = to.Window, to.Sessions, to.SessionLifetime
	o.SeenMessages, o.SeenAge = to.SeenMessages, to.SeenAge
	o.PingEvery, o.IdleTimeout, o.StallTimeout, o.AckTimeout = to.PingEvery, to.IdleTimeout, to.StallTimeout, to.AckTimeout
	s.frames.SetMaxMessage(o.MaxMessage)
	s.seen.setBounds(o.SeenMessages, o.SeenAge)
	if o.TraceEvery != to.TraceEvery || o.TraceData != to.TraceData {
		o.TraceEvery, o.TraceData = to.TraceEvery, to.TraceData
		s.sampleTraces()
	}
	if o.Budget != to.Budget || o.Heavy != to.Heavy {
		o.Budget, o.Heavy = to.Budget, to.Heavy
		for _, p := range append(s.programs(), s.retiring...) {
			s.bound(p)
		}
	}
	was := [...]uint32{s.pingTicks, s.idleTicks, s.stallTicks, s.ackTicks}
	s.setTicks()
	for i, now := range [...]uint32{s.pingTicks, s.idleTicks, s.stallTicks, s.ackTicks} {
		if now < was[i] {
			s.sessions.each(s.hurry)
			break
		}
	}
}

// setTicks derives the times in ticks.
func (s *Shard) setTicks() {
	s.pingTicks, s.idleTicks = ticks(s.opt.PingEvery), ticks(s.opt.IdleTimeout)
	s.stallTicks, s.ackTicks = ticks(s.opt.StallTimeout), ticks(s.opt.AckTimeout)
}

// bound gives a program the budget and the bound of heavy messages that hold now,
// whatever it was made with.
func (s *Shard) bound(p *core.Program) {
	p.Toll.Most = s.opt.Heavy
	if s.opt.Budget > 0 && p.SetBudget != nil {
		p.SetBudget(s.opt.Budget)
	}
}

// hurry looks at c earlier than was planned, since a time is shorter now. What it
// would be closed for at once begins anew; pings to the silent are spread over their
// period.
func (s *Shard) hurry(c *session) {
	if c.state != open {
		return
	}
	now := s.wheel.now
	if now-c.seen >= s.pingTicks {
		c.seen = now - s.random.Uint32N(s.pingTicks)
		c.pinged = c.seen - 1 // not since then
	}
	if c.stalled != 0 && now-c.stalled >= s.stallTicks {
		c.stalled = now
	}
	if s.overdue(c) {
		c.box.since = now
	}
	s.schedule(c)
}

// sampleTraces begins to sample by Options.TraceEvery, and to show Options.TraceData.
func (s *Shard) sampleTraces() {
	t := &s.tracer
	t.every, t.preview, t.easy = s.opt.TraceEvery, s.opt.TraceData, 0
	t.passing = t.interval()
	if t.open == 0 {
		s.untraced = t.passing
	} else {
		t.until = t.passing
	}
}
