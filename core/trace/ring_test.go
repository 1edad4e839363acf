package trace

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stratix-gateway/stratix/core/coretest"
)

// entries are what a Ring holds, in steps of most bytes.
func entries(r *Ring, most int) (all [][]byte) {
	for at, done := uint64(0), false; !done; {
		at, done = r.Each(at, most, func(e []byte) { all = append(all, bytes.Clone(e)) })
	}
	return all
}

func TestARingHoldsTheNewest(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	r := NewRing(MinRing + 3)
	var all [][]byte
	traces := 0
	for i := range 5000 {
		e := AppendLate(nil, uint64(i), int64(i), string(make([]byte, random.IntN(120))))
		if i%3 == 0 {
			m := coretest.Message("a", `1`)
			m.Time = int64(i + 1)
			e = AppendDecision(nil, &Decision{Number: uint64(i)}, m)
			traces++
		}
		r.Add(e)
		all = append(all, e)
		if i%97 != 0 {
			continue
		}
		got := entries(r, 1+random.IntN(3000))
		want := all[len(all)-len(got):]
		size, kept, oldest := 0, 0, int64(0)
		for j := range got {
			if !bytes.Equal(got[j], want[j]) {
				t.Fatalf("after %d entries, at %d: got %q, want %q", i, j, got[j], want[j])
			}
			size += len(got[j])
			if _, decision, _ := Head(got[j]); decision {
				if kept++; kept == 1 {
					oldest = millisOf(got[j])
				}
			}
		}
		if i > 1000 && size < MinRing*8/10 {
			t.Fatalf("after %d entries it holds %d bytes of %d", i, size, MinRing)
		}
		k := r.Kept()
		if k.Traces != kept || k.Evicted != uint64(traces-kept) || k.Oldest != oldest || k.Bytes > MinRing+3 {
			t.Fatalf("after %d entries it tells of %+v, and has %d of %d traces since %d", i, k, kept, traces, oldest)
		}
	}
}

func TestARingGoesOnWhereTheOldestHasMadeRoom(t *testing.T) {
	r := NewRing(MinRing)
	for i := range 100 {
		r.Add(AppendLate(nil, uint64(i), 0, ""))
	}
	next, _ := r.Each(0, 1, func([]byte) {})
	for i := range 10_000 {
		r.Add(AppendLate(nil, uint64(i), 0, ""))
	}
	n := 0
	if _, done := r.Each(next, MinRing, func([]byte) { n++ }); !done || n < 500 {
		t.Errorf("%d entries, done %v", n, done)
	}
}

func TestASmallRingKeepsNothing(t *testing.T) {
	f := func(size, entry, want int) {
		t.Helper()
		r := NewRing(size)
		r.Add(AppendLate(nil, 1, 1, string(make([]byte, min(entry, 128)))))
		r.Add(make([]byte, entry))
		if got := len(entries(r, 1<<20)); got != want {
			t.Errorf("%d bytes, entries of %d: it holds %d, want %d", size, entry, got, want)
		}
	}
	f(0, 100, 0)
	f(MinRing-1, 100, 0)
	f(MinRing, 100, 2)
	f(MinRing, MinRing/4-4, 2)
	f(MinRing, MinRing/4, 1)
}
