package torture

import "slices"

// settled is the seqs that a recipient needs no more: all up to upTo, and the
// ranges above it, which are sorted and do not touch.
type settled struct {
	upTo  uint64
	above [][2]uint64
}

func (s *settled) has(seq uint64) bool {
	if seq <= s.upTo {
		return true
	}
	for _, r := range s.above {
		if seq >= r[0] && seq <= r[1] {
			return true
		}
	}
	return false
}

// add settles from to to, both included.
func (s *settled) add(from, to uint64) {
	if to <= s.upTo {
		return
	}
	from = max(from, s.upTo+1)
	kept := s.above[:0:len(s.above)]
	kept = slices.Clone(kept)
	for _, r := range s.above {
		if r[1]+1 < from || r[0] > to+1 {
			kept = append(kept, r)
			continue
		}
		from, to = min(from, r[0]), max(to, r[1])
	}
	at, _ := slices.BinarySearchFunc(kept, from, func(r [2]uint64, from uint64) int {
		if r[0] < from {
			return -1
		}
		return 1
	})
	s.above = slices.Insert(kept, at, [2]uint64{from, to})
	if s.above[0][0] == s.upTo+1 {
		s.upTo = s.above[0][1]
		s.above = slices.Delete(s.above, 0, 1)
	}
}
