package torture

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestSettledRangesMerge(t *testing.T) {
	f := func(want string, adds ...uint64) {
		t.Helper()
		var s settled
		for i := 0; i < len(adds); i += 2 {
			s.add(adds[i], adds[i+1])
		}
		if got := fmt.Sprint(s.upTo, s.above); got != want {
			t.Errorf("%v: got %s, want %s", adds, got, want)
		}
	}
	f("1 []", 1, 1)
	f("0 [[2 2]]", 2, 2)
	f("2 []", 2, 2, 1, 1)
	f("0 [[2 4]]", 2, 2, 4, 4, 3, 3)
	f("5 [[9 9]]", 9, 9, 3, 5, 1, 2)
	f("9 []", 3, 4, 6, 7, 1, 9)
	f("0 [[2 10]]", 3, 4, 6, 7, 2, 10)
	f("3 []", 1, 3, 2, 2)
	f("0 [[5 6] [8 8] [10 10]]", 8, 8, 10, 10, 5, 6)
}

func TestSettledIsASet(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var s settled
		set := map[uint64]bool{}
		for range 30 {
			from := 1 + rng.Uint64N(60)
			to := from + rng.Uint64N(4)
			s.add(from, to)
			for seq := from; seq <= to; seq++ {
				set[seq] = true
			}
		}
		for seq := uint64(1); seq < 70; seq++ {
			if s.has(seq) != set[seq] {
				t.Fatalf("%d: %t, want %t in %+v", seq, s.has(seq), set[seq], s)
			}
		}
	}
}
