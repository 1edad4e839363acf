package torture

import (
	"slices"
	"sort"
	"time"
)

// slot is a seq that was named in a gap and never came.
type slot struct {
	gap
	epoch int // in recipient.epochs
	seq   uint64
	// The seq was given between these two: after everything below it was sent,
	// before everything above it was accepted. Both rise within an epoch.
	after, before time.Duration
	taken         *claim
	tried         uint32 // the search that came by here
}

// slots are those of one recipient.
type slots struct {
	to     *recipient
	all    []slot // by epochs and seqs
	begins []int  // of each epoch in all
	under  map[string]*successors
}

// excuses match missing messages and slots, in one pass over a history.
type excuses struct {
	*Checker
	slots  map[*recipient]*slots
	search uint32
}

// of lists the slots of r.
func (x *excuses) of(r *recipient) *slots {
	if s := x.slots[r]; s != nil {
		return s
	}
	s := &slots{to: r}
	for i, ep := range r.epochs {
		s.begins = append(s.begins, len(s.all))
		x.list(s, i, ep)
	}
	x.slots[r] = s
	if x.overflow == OverflowConflate {
		x.listSuccessors(s)
	}
	return s
}

// list adds those of one epoch.
func (x *excuses) list(s *slots, epoch int, ep *epoch) {
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
	begin, after := len(s.all), time.Duration(0)
	for _, seq := range seqs {
		if got := ep.got[seq]; got != nil {
			after = max(after, got.m.sent.at)
			continue
		}
		s.all = append(s.all, slot{gap: ep.gaps[seq], epoch: epoch, seq: seq, after: after})
	}
	before, at := never, len(s.all)-1
	for k := len(seqs) - 1; at >= begin; k-- {
		if got := ep.got[seqs[k]]; got != nil {
			before = min(before, got.at)
			if epoch == 0 && x.dated(got.m) {
				before = min(before, got.m.answered)
			}
			continue
		}
		s.all[at].before = before
		at--
	}
}

// dated reports whether the message had its seq when it was first acknowledged,
// at least in the first epoch: one that was forgotten and came again, or was
// refused by some recipients at first, may have got it later.
func (c *Checker) dated(m *message) bool { return !m.partial && !c.weak(m) }

// candidates calls f for the slots that were given at a time at which the message
// can have been accepted, until f returns true, and reports whether it did.
func (x *excuses) candidates(m *message, s *slots, f func(*slot) bool) bool {
	for i, begin := range s.begins {
		end := len(s.all)
		if i+1 < len(s.begins) {
			end = s.begins[i+1]
		}
		part := s.all[begin:end]
		from := sort.Search(len(part), func(k int) bool { return part[k].before >= m.sent.at })
		to := len(part)
		if i == 0 && x.dated(m) {
			to = sort.Search(len(part), func(k int) bool { return part[k].after > m.answered })
		}
		for k := from; k < to; k++ {
			if part[k].at >= m.sent.at && f(&part[k]) {
				return true
			}
		}
	}
	return false
}

// fits reports whether the cause can be the message's.
func (x *excuses) fits(m *message, s *slots, slot *slot) bool {
	switch slot.cause {
	case causeExpired:
		return m.expiredBy(slot.at)
	case causeDamaged:
		return between(x.faults.flips, m.sent.at, slot.at)
	case causeOverflow:
		return x.drops()
	case causeConflated:
		return x.overflow == OverflowConflate && x.succeeded(m, s, slot)
	}
	return false
}

// claim is that of a missing message to one slot.
type claim struct {
	m      *message
	at     []*recipient // of one of them
	others *[]*claim    // of the same message, that have slots of other recipients; nil for none
	has    *slots       // the slot's
}

// match gives the claim a slot, and whoever has it another one if need be.
func (x *excuses) match(k *claim) bool {
	found := x.place(k)
	if found {
		x.search++ // what a search in vain came by stays a dead end until then
	}
	return found
}

func (x *excuses) place(k *claim) bool { return x.placeAt(k, false) || x.placeAt(k, true) }

// placeAt gives the claim a slot that nobody has or, where others may be moved,
// one whose claim finds another.
func (x *excuses) placeAt(k *claim, move bool) bool {
	for _, r := range k.at {
		s := x.of(r)
		if k.others != nil && slices.ContainsFunc(*k.others, func(o *claim) bool { return o != k && o.has == s }) {
			continue
		}
		found := x.candidates(k.m, s, func(slot *slot) bool {
			if slot.taken != nil && (!move || slot.tried == x.search) || !x.fits(k.m, s, slot) {
				return false
			}
			if slot.taken != nil {
				if slot.tried = x.search; !x.place(slot.taken) {
					return false
				}
			}
			slot.taken, k.has = k, s
			return true
		})
		if found {
			k.m.excused = true
			return true
		}
	}
	return false
}
