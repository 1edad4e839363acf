package torture

import "time"

// recipient is what the history says of a client that gets messages.
type recipient struct {
	name        string
	plain       bool
	opened      time.Duration // when it connected last
	mayExpire   bool          // a message with a ttl was sent to it
	mayConflate bool          // one with a key was
	forgot      bool          // its next hello names no epoch
	epochs      []*epoch
	acked       settled    // in the current epoch, on the present connection
	owed        []*owing   // receipts for what it gets; also some that are not owed any more
	saw         []*message // that have a seq, as they became visible
}

func (c *Checker) recipient(name string) *recipient {
	r := c.recipients[name]
	if r == nil {
		r = &recipient{name: name}
		c.recipients[name] = r
	}
	return r
}

func (c *Checker) received(e *Event) {
	m := c.messages[key{e.From, e.ID}]
	if m == nil {
		c.violated(RuleOrigin, nil, e.Client, "at %s it got %s of %s, which nobody has sent", e.At, e.ID, e.From)
		return
	}
	if !m.sent.to.reaches(e.Client) {
		c.violated(RuleOrigin, m, e.Client, "arrived where it was not sent to")
	}
	if m.sent.sum != e.Sum {
		c.violated(RuleOrigin, m, e.Client, "arrived with other bytes than it was sent with")
	}
	if !m.mayHaveArrived(e.At) {
		c.violated(RuleRefused, m, e.Client, "arrived at %s, though all %d attempts were refused", e.At, len(m.attempts))
	}
	if e.Plain {
		return // a plain client sees repeats after a crash, and no seqs that last
	}
	c.receivedSeq(m, e)
	r, s := c.recipient(e.Client), m.at(e.Client)
	if s == nil {
		m.seen = append(m.seen, seen{client: r.name, first: e.At, visible: never})
		s = &m.seen[len(m.seen)-1]
	}
	if e.Seq > 0 {
		s.epoch, s.seq = len(r.epochs)-1, e.Seq
	}
	switch {
	case e.Repeat:
	case s.visible == never:
		s.visible, s.passing = e.At, e.Seq == 0
		if e.Seq > 0 {
			r.saw = append(r.saw, m)
		}
	case s.passing || e.Seq == 0:
		// What is not kept is not known when it comes again.
	case !c.mayRepeat(m, s.visible, e.At):
		c.violated(RuleOnce, m, e.Client, "was seen at %s and again at %s", s.visible, e.At)
	}
}

// mayRepeat reports whether the gateway may have forgotten the message between
// its two receptions: it was in memory only and the process was killed, or its
// record was damaged.
func (c *Checker) mayRepeat(m *message, first, second time.Duration) bool {
	return between(c.faults.flips, first, second) ||
		c.faults.during(faultWeak, m.sent.at, second) && between(c.faults.kills, first, second)
}

// receivedSeq wants a seq to stand for one message of the current epoch.
func (c *Checker) receivedSeq(m *message, e *Event) {
	if e.Seq == 0 {
		return
	}
	ep := c.recipient(e.Client).current()
	if ep == nil || ep.name != e.Epoch {
		c.violated(RuleSeq, m, e.Client, "came with seq %d before the hello was answered", e.Seq)
		return
	}
	ep.last = max(ep.last, e.Seq)
	switch before := ep.got[e.Seq]; {
	case before == nil:
		ep.got[e.Seq] = &reception{m, e.At, views{ep.view, ep.view}}
	case before.m != m:
		c.violated(RuleSeq, m, e.Client, "came with seq %d, which was given to %s of %s", e.Seq, before.m.id, before.m.from)
	default:
		before.span.last = ep.view
	}
}

func (c *Checker) gapped(e *Event) {
	r := c.recipient(e.Client)
	ep := r.current()
	if ep == nil || ep.name != e.Epoch || e.UpTo < e.Seq || e.UpTo-e.Seq >= maxGap {
		c.violated(RuleGap, nil, e.Client, "a gap at %s from %d to %d is none of epoch %q", e.At, e.Seq, e.UpTo, e.Epoch)
		return
	}
	if !c.legitimate(r, e) {
		c.violated(RuleGap, nil, e.Client, "a gap at %s from %d to %d has the cause %q, for which there is no reason", e.At, e.Seq, e.UpTo, e.Cause)
	}
	ep.last = max(ep.last, e.UpTo)
	for seq := e.Seq; seq <= e.UpTo; seq++ {
		g, named := ep.gaps[seq]
		if !named {
			g = gap{e.Cause, e.At, views{first: ep.view}}
		}
		g.span.last = ep.view
		ep.gaps[seq] = g
	}
}

// legitimate reports whether the faults of the run can bring a gap of this
// cause.
func (c *Checker) legitimate(r *recipient, e *Event) bool {
	switch e.Cause {
	case causeExpired:
		return r.mayExpire
	case causeOverflow:
		return c.drops()
	case causeConflated:
		return c.overflow == OverflowConflate && r.mayConflate
	case causeDamaged:
		return between(c.faults.flips, 0, e.At)
	case causeLost:
		return c.faults.during(faultWeak, 0, e.At) && between(c.faults.kills, 0, e.At)
	case causeSettled:
		return r.knew(e.Seq, e.UpTo)
	}
	return false
}
