package torture

import (
	"cmp"
	"slices"
	"time"
)

// succeeded reports whether another message under the same key, accepted later,
// has taken the place of m, whose seq would be the slot: it came, or its own
// seq was named for another cause. So the last one under a key is not excused.
func (x *excuses) succeeded(m *message, s *slots, slot *slot) bool {
	if m.sent.key == "" {
		return false
	}
	all := x.under(s.to, m.sent.key)
	at, _ := slices.BinarySearchFunc(all, m.sent.at, func(o *message, at time.Duration) int { return cmp.Compare(o.sent.at, at) })
	for _, next := range all[min(at+1, len(all)):] { // most often it is the next one
		if next.sent.at > slot.at {
			break
		}
		if x.succeeds(next, m, s, slot) {
			return true
		}
	}
	for _, earlier := range slices.Backward(all[:at]) { // it may have been accepted late
		if x.succeeds(earlier, m, s, slot) {
			return true
		}
	}
	return false
}

// succeeds reports whether next can be what has replaced m at the slot.
func (x *excuses) succeeds(next, m *message, s *slots, at *slot) bool {
	if !next.mayHaveArrived(at.at) {
		return false
	}
	got := next.at(s.to.name)
	accepted := next.answered // at the latest, unless it was forgotten
	if got != nil {
		accepted = min(accepted, got.first)
	}
	if accepted < m.sent.at && x.dated(next) && !between(x.faults.flips, accepted, at.at) {
		return false
	}
	if got != nil && got.seq > 0 {
		return got.epoch != at.epoch || got.seq > at.seq
	}
	if x.mayBeLost(next, never) || x.renewed(next, s.to) {
		return true
	}
	return x.candidates(next, s, func(other *slot) bool {
		return other != at && other.cause != causeConflated && (other.epoch != at.epoch || other.seq > at.seq)
	})
}

// under lists the messages to r with the key, by their first attempts.
func (x *excuses) under(r *recipient, name string) []*message {
	if x.keyed == nil {
		x.keyed = map[*recipient]map[string][]*message{}
		for _, m := range x.ordered {
			if m.sent.key == "" {
				continue
			}
			for _, to := range m.sent.to.Members {
				r := x.recipient(to)
				if x.keyed[r] == nil {
					x.keyed[r] = map[string][]*message{}
				}
				x.keyed[r][m.sent.key] = append(x.keyed[r][m.sent.key], m)
			}
		}
	}
	return x.keyed[r][name]
}
