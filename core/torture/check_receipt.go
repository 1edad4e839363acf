package torture

// checkReceipts wants the second answer that was asked for, if the recipient has
// what the first one said to wait and has acknowledged it, or was told that it
// will not come. It is owed as long as the sender's connection lives, and so by
// the process that has given the first.
func (c *Checker) checkReceipts() {
	for _, m := range c.ordered {
		last := m.last()
		if !m.sent.receipt || !last.queued || last.outcome || last.answered <= c.left[m.from] || len(m.sent.to.Members) != 1 {
			continue
		}
		r := c.recipient(m.sent.to.Members[0])
		switch s := m.at(r.name); {
		case r.plain:
		case m.excused:
			c.violated(RuleReceipt, m, r.name, "was queued at %s, and its seq was named in a gap; its sender stayed, and was not told", last.answered)
		case s != nil && s.seq > 0 && s.epoch == len(r.epochs)-1 && r.acked.has(s.seq):
			c.violated(RuleReceipt, m, r.name, "was queued at %s, and acknowledged as seq %d; its sender stayed, and was not told", last.answered, s.seq)
		}
	}
}
