package torture

import (
	"cmp"
	"slices"
	"sort"
	"time"
)

// successors are the messages to a recipient under one key: each of them may
// have taken the place of others.
type successors struct {
	all []*message // by their first attempts
	// accepted is when at the latest a message of all[:i+1] was accepted, as far as
	// that is known.
	accepted []time.Duration
	came     [][]arrival // by epochs, by seqs
	own      map[*message]*naming
}

// arrival is a seq that came. sent is when the earliest of those from it on in
// the epoch was first sent.
type arrival struct {
	seq  uint64
	sent time.Duration
}

// naming is what the gaps can be that name a message for another cause than that
// it was replaced.
type naming struct {
	any  bool     // without a gap
	last []uint64 // by epochs, the highest seq; 0 for none
}

// succeeded reports whether another message under the same key, accepted later,
// has taken the place of m, whose seq would be the slot: it came, or its own
// seq was named for another cause. So the last one under a key is not excused.
func (x *excuses) succeeded(m *message, s *slots, slot *slot) bool {
	if m.sent.key == "" {
		return false
	}
	u := s.under[m.sent.key]
	came := u.came[slot.epoch]
	if i := sort.Search(len(came), func(i int) bool { return came[i].seq > slot.seq }); i < len(came) && came[i].sent <= slot.at {
		return true
	}
	at, _ := slices.BinarySearchFunc(u.all, m.sent.at, func(o *message, at time.Duration) int { return cmp.Compare(o.sent.at, at) })
	for _, next := range u.all[at+1:] {
		if next.sent.at > slot.at {
			break
		}
		if x.succeeds(next, s, slot) {
			return true
		}
	}
	for i := at - 1; i >= 0 && u.accepted[i] >= m.sent.at; i-- { // sent before, accepted later
		if next := u.all[i]; x.acceptedBy(next, s.to) >= m.sent.at && x.succeeds(next, s, slot) {
			return true
		}
	}
	return false
}

// succeeds reports whether next can be what has made a seq go that is the slot,
// unless next came in the slot's epoch.
func (x *excuses) succeeds(next *message, s *slots, slot *slot) bool {
	if !next.mayHaveArrived(slot.at) {
		return false
	}
	if got := next.at(s.to.name); got != nil && got.seq > 0 {
		return got.epoch != slot.epoch
	}
	p := x.namingOf(next, s)
	for epoch, seq := range p.last {
		if seq > 0 && (epoch != slot.epoch || seq > slot.seq) {
			return true
		}
	}
	return p.any
}

// acceptedBy is when r was given the message at the latest; never if it may have
// been forgotten and accepted again.
func (x *excuses) acceptedBy(m *message, r *recipient) time.Duration {
	at := m.answered
	if got := m.at(r.name); got != nil {
		at = min(at, got.first)
	}
	if !x.dated(m) || between(x.faults.flips, m.sent.at, never) {
		return never
	}
	return at
}

// listSuccessors sorts what was sent to the recipient of s by keys.
func (x *excuses) listSuccessors(s *slots) {
	s.under = map[string]*successors{}
	for _, m := range x.ordered {
		if m.sent.key == "" || !m.sent.to.reaches(s.to.name) {
			continue
		}
		u := s.under[m.sent.key]
		if u == nil {
			u = &successors{came: make([][]arrival, len(s.to.epochs)), own: map[*message]*naming{}}
			s.under[m.sent.key] = u
		}
		u.all = append(u.all, m)
		accepted := x.acceptedBy(m, s.to)
		if n := len(u.accepted); n > 0 {
			accepted = max(accepted, u.accepted[n-1])
		}
		u.accepted = append(u.accepted, accepted)
	}
	for epoch, ep := range s.to.epochs {
		for seq, got := range ep.got {
			if u := s.under[got.m.sent.key]; u != nil {
				u.came[epoch] = append(u.came[epoch], arrival{seq, got.m.sent.at})
			}
		}
	}
	for _, u := range s.under {
		for _, came := range u.came {
			slices.SortFunc(came, func(a, b arrival) int { return cmp.Compare(a.seq, b.seq) })
			for i := len(came) - 2; i >= 0; i-- {
				came[i].sent = min(came[i].sent, came[i+1].sent)
			}
		}
	}
}

// namingOf is the naming of a message that did not come to the recipient of s.
func (x *excuses) namingOf(m *message, s *slots) *naming {
	own := s.under[m.sent.key].own
	p := own[m]
	if p == nil {
		p = &naming{any: x.mayBeLost(m, never) || x.renewed(m, s.to), last: make([]uint64, len(s.to.epochs))}
		x.candidates(m, s, func(slot *slot) bool {
			if slot.cause != causeConflated && x.fits(m, s, slot) {
				p.last[slot.epoch] = max(p.last[slot.epoch], slot.seq)
			}
			return false
		})
		own[m] = p
	}
	return p
}
