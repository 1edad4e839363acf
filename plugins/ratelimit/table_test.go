package ratelimit

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// A table against a map, whatever is put in and however time passes.
func TestATableForgetsWhoOwesNothingAndNobodyElse(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 3))
	for range 30 {
		p := newPace(10, 5, 0)
		var table table
		model := map[uint64]bucket{}
		now := int64(start)
		most := 20 + random.IntN(300)
		for range 3000 {
			now += random.Int64N(4)
			// Few low bits: chains grow and wrap around.
			hash := 1 + random.Uint64N(500)<<random.IntN(3)
			b := table.find(hash)
			want, known := model[hash]
			switch {
			case b != nil && *b != want:
				t.Fatalf("seed %d: of %d there is %+v, want %+v", seed, hash, *b, want)
			case b == nil && known && !want.full(now, &p):
				t.Fatalf("seed %d: %d was forgotten, and owes %d", seed, hash, want.owed)
			case b == nil:
				if removed := table.tidy(now, &p); removed < 0 || table.used == most {
					continue
				}
				b = table.add(hash, now)
			}
			b.take(now, &p, 0)
			model[hash] = *b
		}
		used := 0
		for _, s := range table.slots {
			if s.hash != 0 {
				used++
				if found := table.find(s.hash); found == nil || *found != s.bucket {
					t.Fatalf("seed %d: %d is not found where it stands", seed, s.hash)
				}
			}
		}
		if used != table.used || used > most {
			t.Fatalf("seed %d: %d are in use, counted %d, of %d", seed, used, table.used, most)
		}
	}
}

func TestAFullTableGivesUpNoDebtForAStranger(t *testing.T) {
	const most = 1000
	p := newPace(1, 10, 0)
	s := new(store)
	for i := range uint64(most) {
		for range 1 + i%5 {
			s.take(1+i*7919, start, &p, 0, most)
		}
	}
	f := func(now int64, strangers int, crowded, buckets int64) {
		t.Helper()
		for i := range strangers {
			s.take(1<<40+uint64(i), now, &p, 0, most)
		}
		if got := s.crowded.Load(); got != uint64(crowded) {
			t.Errorf("%d were crowded, want %d", got, crowded)
		}
		if got := s.buckets.Load(); got != buckets {
			t.Errorf("%d buckets are in use, want %d", got, buckets)
		}
	}
	f(start+999, 100, 100, most) // nobody has paid
	for i := range uint64(most) {
		if b := s.parts[0].table.find(1 + i*7919); b == nil || b.owed != int64(1+i%5)*unit {
			t.Fatalf("the debt of %d became %+v", i, b)
		}
	}
	// The crowd has a limit, too: ten at once, and one a second.
	if wait, ok := s.take(1<<50, start+999, &p, 0, most); ok || wait != 1000 {
		t.Errorf("one more of the crowd: %d, %v", wait, ok)
	}
	// A fifth has paid, and strangers find room among them.
	before := s.crowded.Load()
	for i := range uint64(150) {
		s.take(1<<41+i, start+1000, &p, 0, most)
	}
	if n := s.crowded.Load() - before; n > 10 {
		t.Errorf("%d of 150 strangers found no room, where 200 had paid", n)
	}
	for i := range uint64(most) {
		if b := s.parts[0].table.find(1 + i*7919); b == nil && i%5 > 0 {
			t.Fatalf("the debt of %d was forgotten", i)
		}
	}
}

func TestAMillionStrangersTakeBoundedMemory(t *testing.T) {
	const most = 10_000
	p := newPace(0.5, 2, 0)
	for _, s := range []*store{{}, {shared: true}} {
		random := rand.New(rand.NewPCG(7, 7))
		for i := range int64(1_000_000) {
			s.take(max(1, random.Uint64()), start+i/1000, &p, 0, most)
		}
		slots, used := 0, 0
		for i := range s.parts {
			slots += len(s.parts[i].table.slots)
			used += s.parts[i].table.used
		}
		if used > most || int64(used) != s.buckets.Load() {
			t.Errorf("%d buckets are in use, and counted as %d", used, s.buckets.Load())
		}
		if slots > 8*most {
			t.Errorf("there are %d slots for %d buckets", slots, most)
		}
	}
}

// Strangers who come and go, fewer at a time than there is room for: each has a
// bucket of his own, though there are many more of them in all.
func TestThereIsRoomWhereEnoughHavePaid(t *testing.T) {
	const most = 1000
	p := newPace(1, 1, 0) // one owes for a second
	s := new(store)
	random := rand.New(rand.NewPCG(8, 8))
	for i := range int64(50_000) {
		s.take(max(1, random.Uint64()), start+i*1000/800, &p, 0, most) // 800 a second
	}
	if n := s.crowded.Load(); n > 0 {
		t.Errorf("%d of 50000 found no room", n)
	}
}

func BenchmarkANewBucketInAFullTable(b *testing.B) {
	for _, most := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprint(most), func(b *testing.B) {
			p := newPace(100, 1, 0)
			s := new(store)
			random := rand.New(rand.NewPCG(9, 9))
			b.ReportAllocs()
			for i := range b.N {
				s.take(max(1, random.Uint64()), start+int64(i)/100, &p, 0, most)
			}
		})
	}
}
