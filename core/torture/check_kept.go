package torture

import "slices"

// A message that was promised and is missing needs an excuse: a seq that its
// recipient was told will not come, for a cause that can be this message's, and
// given at a time at which this message can have been accepted. One seq excuses
// one message, so excuses are a matching of missing messages and seqs.

// checkKept wants each promise to be kept or excused.
func (c *Checker) checkKept() {
	x := excuses{Checker: c, slots: map[*recipient]*slots{}, search: 1}
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
		for _, r := range where {
			if !c.renewed(m, r) && !x.match(&claim{m: m, at: []*recipient{r}}) {
				c.violated(RuleKept, m, r.name, "was told to be stored at %s; it never came, and no gap can be it", m.kept)
			}
		}
	}
	for _, m := range some {
		missing, where := c.missing(m)
		where = slices.DeleteFunc(where, func(r *recipient) bool {
			free := c.renewed(m, r)
			if free {
				missing--
			}
			return free
		})
		var of []*claim
		for missing > 0 {
			k := &claim{m: m, at: where, others: &of}
			if !x.match(k) {
				break
			}
			of = append(of, k)
			missing--
		}
		if missing > 0 {
			c.violated(RuleKept, m, "", "was told to be stored at %s for %d recipients; it came to %d, and no gaps can be the others",
				m.kept, m.owed, m.owed-missing)
		}
	}
}

// missing returns how many recipients have not seen what they were promised, and
// all that have not seen it.
func (c *Checker) missing(m *message) (n int, where []*recipient) {
	reached := 0
	for _, to := range m.sent.to.Members {
		r := c.recipient(to)
		if r.plain || m.visibleAt(to) {
			reached++
			continue
		}
		where = append(where, r)
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
