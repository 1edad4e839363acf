package torture

import (
	"slices"
	"time"
)

// owing is a receipt that the gateway owes: as long as the sender's connection
// lives, and so by the process that has said that the message waits.
type owing struct {
	m     *message
	to    *recipient
	acked time.Duration // when it was acknowledged on the recipient's present connection
}

// settling is how long an acknowledgement may be on its way into the gateway. From
// then on the receipt stands in front of all that the sender gets.
const settling = 2 * time.Second

// owe notes that the last attempt of m, which wants a receipt, was told to wait.
func (c *Checker) owe(m *message, e *Event) {
	if !m.sent.receipt || len(m.sent.to.Members) != 1 {
		return
	}
	r := c.recipient(m.sent.to.Members[0])
	if r.plain {
		return
	}
	o := &owing{m: m, to: r, acked: never}
	if r.hasAcked(m) {
		o.acked = e.At
	}
	c.owed[m.from] = append(c.owed[m.from], o)
	r.owed = append(r.owed, o)
}

// hasAcked reports whether r has acknowledged the message on its present
// connection.
func (r *recipient) hasAcked(m *message) bool {
	s := m.at(r.name)
	return s != nil && s.seq > 0 && s.epoch == len(r.epochs)-1 && r.acked.has(s.seq)
}

// acked notes what the client has acknowledged on this connection.
func (c *Checker) acked(e *Event) {
	r := c.recipient(e.Client)
	if ep := r.current(); ep == nil || ep.name != e.Epoch {
		return
	}
	r.acked.add(1, e.Seq)
	for _, also := range e.Also {
		r.acked.add(also[0], also[1])
	}
	r.owed = slices.DeleteFunc(r.owed, func(o *owing) bool { return o.m.last().outcome || c.left[o.m.from] > o.m.last().answered })
	for _, o := range r.owed {
		if o.acked == never && r.hasAcked(o.m) {
			o.acked = e.At
		}
	}
}

// unsay takes back what r has acknowledged: its connection ended at t, and it may
// not have come.
func (r *recipient) unsay(t time.Duration) {
	r.acked = settled{}
	for _, o := range r.owed {
		if o.acked != never && o.acked+settling > t {
			o.acked = never
		}
	}
}

// heard looks at what is owed to a sender, which has got at t the answer to an
// attempt.
func (c *Checker) heard(sender string, attempt, t time.Duration) {
	c.owed[sender] = slices.DeleteFunc(c.owed[sender], func(o *owing) bool {
		if o.m.last().outcome || o.m.last().answered == never {
			return true
		}
		late := o.acked != never && o.acked+settling <= attempt
		if late {
			o.m.unheard = t
		}
		return late
	})
}

// checkReceipts wants the second answer that was asked for, if the recipient has
// acknowledged what the first one said to wait, or was told that it will not
// come.
func (c *Checker) checkReceipts() {
	for _, m := range c.ordered {
		if m.unheard > 0 {
			c.violated(RuleReceipt, m, m.sent.to.Members[0], "was queued and acknowledged; its sender stayed, and was not told until %s", m.unheard)
			continue
		}
		last := m.last()
		if !m.sent.receipt || !last.queued || last.outcome || last.answered <= c.left[m.from] || len(m.sent.to.Members) != 1 {
			continue
		}
		switch r := c.recipient(m.sent.to.Members[0]); {
		case r.plain:
		case m.excused:
			c.violated(RuleReceipt, m, r.name, "was queued at %s, and its seq was named in a gap; its sender stayed, and was not told", last.answered)
		case r.hasAcked(m):
			c.violated(RuleReceipt, m, r.name, "was queued at %s and acknowledged; its sender stayed, and was not told", last.answered)
		}
	}
}
