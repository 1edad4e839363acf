package torture

import (
	"cmp"
	"slices"
	"time"
)

// stream is the messages whose order is kept.
type stream struct {
	from     string
	priority int
}

// checkOrder wants the numbers of a stream to rise among what its recipient saw.
func (c *Checker) checkOrder() {
	for _, r := range c.byName() {
		highest := map[stream]*message{}
		for _, m := range r.saw {
			if c.weak(m) {
				continue // what is not kept does not wait for what is
			}
			s := stream{m.from, m.sent.priority}
			before := highest[s]
			switch {
			case before == nil || before.sent.n < m.sent.n:
				highest[s] = m
			case c.inOneGo(m):
				c.violated(RuleOrder, m, r.name, "came at %s, behind %s, which was sent after it", m.at(r.name).visible, before.id)
			}
		}
	}
}

// late is how long after such a fault a refusal may still be on its way.
const late = time.Second

// inOneGo reports whether the message was accepted in the order in which it was
// first sent. What was refused was not, and neither was what may have been: an
// attempt without an answer while the gateway had a reason to refuse. Other
// attempts change nothing, since after a cut all that is open is sent again in
// order.
func (c *Checker) inOneGo(m *message) bool {
	if m.refusals > 0 {
		return false
	}
	for _, a := range m.attempts[:len(m.attempts)-1] {
		if c.overflow != "" {
			return false
		}
		to := min(a.answered, a.closed)
		for _, fault := range refusing {
			if c.faults.during(fault, a.at-late, to) {
				return false
			}
		}
	}
	return true
}

// byName lists the recipients in a fixed order.
func (c *Checker) byName() []*recipient {
	all := make([]*recipient, 0, len(c.recipients))
	for _, r := range c.recipients {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *recipient) int { return cmp.Compare(a.name, b.name) })
	return all
}
