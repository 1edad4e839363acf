package torture

// A message that was promised and is missing needs an excuse: a seq that its
// recipient was told will not come, for a cause that can be this message's, and
// given at a time at which this message can have been accepted. One seq excuses
// one message, so excuses are a matching of missing messages and seqs.

// checkKept wants each promise to be kept or excused.
func (c *Checker) checkKept() {
	x := excuses{Checker: c, slots: map[*recipient]*slots{}, search: 1}
	excuse := func(m *message, to string) bool {
		r := c.recipient(to)
		if c.renewed(m, r) {
			return true
		}
		m.excused = x.match(m, x.of(r))
		return m.excused
	}
	var some []*message // those for which any of several recipients may be missing
	for _, m := range c.ordered {
		m.excused = false
		if m.kept == never {
			continue
		}
		missing, where := c.missing(m)
		if missing < len(where) {
			if missing > 0 {
				some = append(some, m)
			}
			continue
		}
		for _, to := range where {
			if !excuse(m, to) {
				c.violated(RuleKept, m, to, "was told to be stored at %s; it never came, and no gap can be it", m.kept)
			}
		}
	}
	for _, m := range some {
		missing, where := c.missing(m)
		for _, to := range where {
			if missing > 0 && excuse(m, to) {
				missing--
			}
		}
		if missing > 0 {
			c.violated(RuleKept, m, "", "was told to be stored at %s for %d recipients; it came to %d, and no gaps can be the others",
				m.kept, m.owed, m.owed-missing)
		}
	}
}

// missing returns how many recipients have not seen what they were promised, and
// all that have not seen it.
func (c *Checker) missing(m *message) (n int, where []string) {
	reached := 0
	for _, to := range m.sent.to.Members {
		if c.recipient(to).plain || m.visibleAt(to) {
			reached++
			continue
		}
		where = append(where, to)
	}
	return max(m.owed-reached, 0), where
}

// renewed reports whether r began an epoch that could leave the message out
// without a word: its seqs before are forgotten, and its time was over, or a
// segment had been damaged.
func (c *Checker) renewed(m *message, r *recipient) bool {
	for i, ep := range r.epochs {
		if i > 0 && (m.expiredBy(ep.began) || between(c.faults.flips, m.sent.at, ep.began)) {
			return true
		}
	}
	return false
}
