package torture

import (
	"slices"
	"time"
)

// sent notes an attempt.
func (c *Checker) sent(e *Event) {
	k := key{e.Client, e.ID}
	m := c.messages[k]
	if m == nil {
		m = &message{key: k, kept: never, answered: never, sent: sending{
			at: e.At, to: e.To, key: e.Key, sum: e.Sum, n: e.N, ttl: e.TTL, priority: e.Priority, receipt: e.Receipt,
		}}
		c.messages[k] = m
		c.ordered = append(c.ordered, m)
		for _, to := range e.To.Members {
			r := c.recipient(to)
			r.mayExpire = r.mayExpire || e.TTL > 0
			r.mayConflate = r.mayConflate || e.Key != ""
		}
	}
	m.attempts = append(m.attempts, attempt{at: e.At, answered: never, closed: never})
	m.open = true
	c.open[e.Client] = append(c.open[e.Client], m)
}

// answer takes the message out of those that wait for one. first is false if the
// attempt has its answer already.
func (c *Checker) answer(e *Event) (m *message, first bool) {
	m = c.messages[key{e.Client, e.ID}]
	if m == nil {
		c.violated(RuleAnswer, nil, e.Client, "%s was answered with %s%s, but never sent", e.ID, e.Status, e.Code)
		return nil, false
	}
	last := m.last()
	if last.answered != never {
		return m, false
	}
	last.answered = e.At
	waiting := c.open[e.Client]
	if i := slices.Index(waiting, m); i >= 0 {
		c.open[e.Client] = slices.Delete(waiting, i, i+1)
	}
	c.heard(e.Client, last.at, e.At)
	return m, true
}

// outcome counts a second answer, which only a receipt can bring.
func (c *Checker) outcome(m *message, e *Event, legitimate bool) {
	m.outcomes++
	m.last().outcome, m.unheard = true, 0
	if !m.sent.receipt || !legitimate || m.outcomes > len(m.attempts) {
		c.violated(RuleAnswer, m, "", "was answered again, with %s%s", e.Status, e.Code)
	}
}

func (c *Checker) told(e *Event) {
	m, first := c.answer(e)
	if m == nil {
		return
	}
	if first {
		if m.last().queued = e.Status == queued; m.last().queued {
			c.owe(m, e)
		}
	} else {
		c.outcome(m, e, e.Status == delivered)
	}
	m.open = false
	m.answered = min(m.answered, e.At)
	if e.Counts != nil && e.Counts.Refused > 0 {
		m.partial = true
		m.refusals++
	}
	if e.Stored != onDisk && !(e.Stored == "os" && len(c.faults.spans[FaultLose]) == 0) {
		return // what is in memory may be lost, and delivered may mean written
	}
	m.kept = min(m.kept, e.At)
	promised := 1
	if e.Counts != nil {
		promised = e.Counts.Delivered + e.Counts.Queued
	}
	if promised > len(m.sent.to.Members) {
		c.violated(RuleAnswer, m, "", "was counted for %d recipients, of %d there are", promised, len(m.sent.to.Members))
		promised = len(m.sent.to.Members)
	}
	m.owed = max(m.owed, promised)
	c.checkDelivered(m, e)
}

// checkDelivered holds an ack that speaks of deliveries against what the
// recipients have written down up to then. Where the log was damaged it may not
// say any more that a message was given up, but only that all up to its seq is
// settled.
func (c *Checker) checkDelivered(m *message, e *Event) {
	claimed := 0
	switch {
	case e.Counts != nil:
		claimed = e.Counts.Delivered
	case e.Status == delivered:
		claimed = 1
	}
	for _, to := range m.sent.to.Members {
		if c.recipient(to).plain || m.at(to) != nil {
			claimed--
		}
	}
	if claimed > 0 && !between(c.faults.flips, m.sent.at, e.At) {
		c.violated(RuleDelivery, m, "", "was told to be delivered at %s, %d times more than it was received", e.At, claimed)
	}
}

func (c *Checker) refused(e *Event) {
	m, first := c.answer(e)
	if m == nil {
		return
	}
	lapsed := e.Code == causeExpired
	lost := e.Code == causeLost
	if first {
		m.refusals++
		m.open = transient(e.Code)
		m.last().refused = transient(e.Code)
		c.checkRefused(m, e)
	} else {
		c.outcome(m, e, lapsed || lost)
	}
	switch {
	case lapsed && !m.expiredBy(e.At):
		c.violated(RuleAnswer, m, "", "was told to be expired at %s, before its time", e.At)
	case lost && !c.drops() && !c.mayBeLost(m, e.At):
		c.violated(RuleAnswer, m, "", "was told to be lost at %s, with nothing that could lose it", e.At)
	}
}

// checkRefused wants a refusal to have a reason, and nobody to have got what was
// refused.
func (c *Checker) checkRefused(m *message, e *Event) {
	if e.Code == causeOverflow && c.overflow == "" && !c.faults.during(faultWeak, m.sent.at, e.At) {
		c.violated(RuleRefused, m, "", "was refused for want of room at %s, and nothing is bounded", e.At)
	}
	for _, s := range m.seen {
		if !m.mayHaveArrived(s.first) {
			c.violated(RuleRefused, m, s.client, "had arrived at %s, and then it was refused with %s", s.first, e.Code)
		}
	}
}

// mayBeLost reports whether a kill or a flip by the time t may have taken the
// message away.
func (c *Checker) mayBeLost(m *message, t time.Duration) bool {
	return between(c.faults.flips, m.sent.at, t) ||
		c.faults.during(faultWeak, m.sent.at, t) && between(c.faults.kills, m.sent.at, t)
}

// checkAnswered wants a final answer to every message.
func (c *Checker) checkAnswered() {
	for _, m := range c.ordered {
		if m.open {
			c.violated(RuleAnswer, m, "", "was sent %d times and never got a final answer", len(m.attempts))
		}
	}
}
