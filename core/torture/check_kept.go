package torture

import (
	"cmp"
	"slices"
	"time"
)

// A message that was promised and is missing needs an excuse: a seq that its
// recipient was told will not come, for a cause that can be this message's, and
// given at a time at which this message can have been accepted. One seq excuses
// one message, so excuses are a matching of missing messages and seqs.

// slot is a seq that was named in a gap and never came.
type slot struct {
	gap
	firstEpoch bool
	// The seq was given between these two: after everything below it was sent,
	// before everything above it was accepted.
	after, before time.Duration
	taken         *message
}

// checkKept wants each promise to be kept or excused.
func (l *ledger) checkKept() {
	slots := map[*recipient][]slot{}
	excuse := func(m *message, to string) bool {
		r := l.recipient(to)
		if l.renewed(m, r) {
			return true
		}
		if _, made := slots[r]; !made {
			slots[r] = l.slots(r)
		}
		return l.match(m, slots[r], make([]bool, len(slots[r])))
	}
	var some []*message // those for which any of several recipients may be missing
	for _, m := range l.ordered {
		if m.kept == never {
			continue
		}
		missing, where := l.missing(m)
		if missing < len(where) {
			if missing > 0 {
				some = append(some, m)
			}
			continue
		}
		for _, to := range where {
			if !excuse(m, to) {
				l.violated(RuleKept, m, to, "was told to be stored at %s; it never came, and no gap can be it", m.kept)
			}
		}
	}
	for _, m := range some {
		missing, where := l.missing(m)
		for _, to := range where {
			if missing > 0 && excuse(m, to) {
				missing--
			}
		}
		if missing > 0 {
			l.violated(RuleKept, m, "", "was told to be stored at %s for %d recipients; it came to %d, and no gaps can be the others",
				m.kept, m.owed, m.owed-missing)
		}
	}
}

// missing returns how many recipients have not seen what they were promised, and
// all that have not seen it.
func (l *ledger) missing(m *message) (n int, where []string) {
	reached := 0
	for _, to := range m.sent.To.Members {
		if l.recipient(to).plain || m.visibleAt(to) {
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
func (l *ledger) renewed(m *message, r *recipient) bool {
	for i, ep := range r.epochs {
		if i > 0 && (m.expiredBy(ep.began) || between(l.faults.flips, m.sent.At, ep.began)) {
			return true
		}
	}
	return false
}

// slots lists the named seqs of r that never came.
func (l *ledger) slots(r *recipient) []slot {
	var all []slot
	for i, ep := range r.epochs {
		seqs := make([]uint64, 0, len(ep.got)+len(ep.gaps))
		for seq := range ep.got {
			seqs = append(seqs, seq)
		}
		for seq := range ep.gaps {
			if ep.got[seq] == nil {
				seqs = append(seqs, seq)
			}
		}
		slices.Sort(seqs)
		begin := len(all)
		after := time.Duration(0)
		for _, seq := range seqs {
			if got := ep.got[seq]; got != nil {
				after = max(after, got.m.sent.At)
				continue
			}
			all = append(all, slot{gap: ep.gaps[seq], firstEpoch: i == 0, after: after})
		}
		before := never
		for k, at := len(seqs)-1, len(all)-1; at >= begin; k-- {
			if got := ep.got[seqs[k]]; got != nil {
				before = min(before, got.at)
				if i == 0 && !l.weak(got.m) {
					before = min(before, got.m.answered)
				}
				continue
			}
			all[at].before = min(before, all[at].at)
			at--
		}
	}
	slices.SortStableFunc(all, func(a, b slot) int { return cmp.Compare(a.at, b.at) })
	return all
}

// fits reports whether the slot can be the message's.
func (l *ledger) fits(m *message, s *slot) bool {
	switch s.cause {
	case causeExpired:
		if !m.expiredBy(s.at) {
			return false
		}
	case causeDamaged:
		if !between(l.faults.flips, m.sent.At, s.at) {
			return false
		}
	case causeOverflow:
		if !l.rules.DropOldest {
			return false
		}
	default:
		return false
	}
	// In a later epoch a message has a seq that it got after its acknowledgement,
	// and so has one that was forgotten and came again.
	later := !s.firstEpoch || l.weak(m)
	return s.before >= m.sent.At && (later || s.after <= m.answered)
}

// match gives the message a slot, and whoever has it another one if need be.
// tried holds the slots that were tried already.
func (l *ledger) match(m *message, slots []slot, tried []bool) bool {
	for i := range slots {
		s := &slots[i]
		if tried[i] || !l.fits(m, s) {
			continue
		}
		tried[i] = true
		if s.taken == nil || l.match(s.taken, slots, tried) {
			s.taken = m
			return true
		}
	}
	return false
}
