package ratelimit

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// draw takes a token at each of the moments, in milliseconds, and says what came
// of it: "+" for one that passes, "+40" for one that waits, "-40" for none.
func draw(b *bucket, p *pace, patience int64, moments ...int64) string {
	var all []string
	for _, now := range moments {
		wait, ok := b.take(now, p, patience)
		word := "+"
		if !ok {
			word = "-"
		}
		if wait > 0 {
			word += fmt.Sprint(wait)
		}
		all = append(all, word)
	}
	return strings.Join(all, " ")
}

const start = 1_767_225_600_000

func at(moments ...int64) []int64 {
	for i := range moments {
		moments[i] += start
	}
	return moments
}

func TestTokensComeAtTheirRate(t *testing.T) {
	f := func(rate float64, burst int, want string, moments ...int64) {
		t.Helper()
		p := newPace(rate, burst, 0)
		if got := draw(&bucket{at: start}, &p, 0, at(moments...)...); got != want {
			t.Errorf("%v/s, burst %d at %v:\n got %s\nwant %s", rate, burst, moments, got, want)
		}
	}
	f(1, 1, "+ -1000 -1 + -1000", 0, 0, 999, 1000, 1000)
	f(10, 3, "+ + + -100 -1 + -100", 0, 0, 0, 0, 99, 100, 100)
	f(1000, 1, "+ -1 + -1", 5, 5, 6, 6)
	f(2000, 1, "+ -1 + -1", 5, 5, 6, 6) // never above the burst
	f(2000, 2, "+ + -1 + +", 5, 5, 5, 6, 6)
	f(100_000, 1, "+ -1 +", 0, 0, 1)
	f(0.5, 1, "+ -2000 -1 +", 0, 0, 1999, 2000)
	f(0.001, 1, "+ -1000000 -1 +", 0, 0, 999_999, 1_000_000)
	f(3, 1, "+ -1 + -1 -333 + -1 +", 0, 333, 334, 667, 335, 668, 1001, 1002)
	f(4, 2, "+ + -250 + -1 + -250", 0, 0, 0, 250, 499, 500, 500)
	f(10, 2, "+ + -100 + + -100", 0, 0, 0, 100_000_000, 100_000_000, 100_000_000) // a day later
	f(100_000, 1_000_000, "+ +", 0, 1<<52)
}

func TestAClockThatGoesBackPaysNothing(t *testing.T) {
	f := func(want string, moments ...int64) {
		t.Helper()
		p := newPace(10, 2, 0)
		if got := draw(&bucket{at: start}, &p, 0, at(moments...)...); got != want {
			t.Errorf("at %v:\n got %s\nwant %s", moments, got, want)
		}
	}
	f("+ + -100 -100 -100", 0, 0, 0, 0, 0) // it stands still
	// Another shard's is behind: the token comes as it would have come.
	f("+ + -105 -100 -105 -1 +", 0, 0, -5, 0, -5, 99, 100)
	f("+ + -60100 +", 0, 0, -60_000, 100)
	// It was set back: the token comes a tenth of a second after that.
	f("+ + -100 -1 +", 0, 0, -60_001, -59_902, -59_901)
	f("+ + -100 +", 0, 0, -3_600_000, -3_599_900)
}

func TestAMessageWaitsForItsTokenInItsPlace(t *testing.T) {
	f := func(patience int64, want string, moments ...int64) {
		t.Helper()
		p := newPace(10, 2, patience)
		if got := draw(&bucket{at: start}, &p, patience, at(moments...)...); got != want {
			t.Errorf("at %v:\n got %s\nwant %s", moments, got, want)
		}
	}
	f(250, "+ + +100 +200 -300 -300", 0, 0, 0, 0, 0, 0)
	f(250, "+ + +100 +200 -300 +250 -251", 0, 0, 0, 0, 0, 50, 149)
	f(250, "+ + +100 +200 + + +100", 0, 0, 0, 0, 400, 400, 400)
	f(1000, "+ + +100 +205 +300", 0, 0, 0, -5, 0) // each in the order of the takes
	f(99, "+ + -100 +99", 0, 0, 0, 1)
}

func TestAChangedPaceHoldsForTheBucketsThereAre(t *testing.T) {
	f := func(before, after pace, owed int64, want string) {
		t.Helper()
		b := bucket{at: start}
		for range owed {
			b.take(start, &before, 1<<40)
		}
		if got := draw(&b, &after, 0, at(0, 1000, 1000)...); got != want {
			t.Errorf("%+v to %+v: got %s, want %s", before, after, got, want)
		}
	}
	f(newPace(1, 5, 0), newPace(1, 10, 0), 5, "+ + +")
	f(newPace(1, 5, 0), newPace(0.1, 5, 0), 5, "-10000 -9000 -9000")
	f(newPace(1, 5, 0), newPace(1, 1, 0), 5, "-1000 + -1000") // it owes what fits the new burst
	f(newPace(1, 5, 30_000), newPace(1, 5, 0), 20, "-1000 + -1000")
	f(newPace(1, 1_000_000, 0), newPace(100_000, 1, 0), 100_000, "-1 + -1")
}

// The promise of a bucket, whatever is asked of it and when.
func TestNeverMoreThanTheBurstAndTheRate(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	for range 60 {
		rate := []float64{0.5, 3, 7.77, 100, 2500}[random.IntN(5)]
		burst := 1 + random.IntN(50)
		patience := int64(random.IntN(2) * random.IntN(3000))
		p := newPace(rate, burst, patience)
		b := bucket{at: start}
		var passed []int64 // moments
		now := int64(start)
		for range 400 {
			if random.IntN(3) == 0 {
				now += random.Int64N(int64(3000/rate) + 2)
			}
			moment := now - random.Int64N(20) // as another shard sees it
			wait, ok := b.take(moment, &p, patience)
			if ok && wait > patience+20 || wait < 0 || !ok && wait == 0 {
				t.Fatalf("seed %d: the wait is %d, ok %v", seed, wait, ok)
			}
			if ok {
				passed = append(passed, moment+wait)
			}
		}
		for i := range passed {
			// All that went from the i-th on, while a window of time lasts.
			for _, window := range []int64{0, 100, 1000, 10_000} {
				n := 0
				for _, m := range passed[i:] {
					if m >= passed[i] && m <= passed[i]+window {
						n++
					}
				}
				// 20 ms: the clocks differ by so much.
				if most := float64(burst) + rate*float64(window+20)/1000 + 1; float64(n) > most {
					t.Fatalf("seed %d: %v/s with burst %d let %d through in %d ms", seed, rate, burst, n, window)
				}
			}
		}
	}
}

// Whoever asks at the moment that he was told is served: the wait is exact.
func TestTheWaitIsExact(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 2))
	for range 300 {
		p := newPace(0.001+random.Float64()*500, 1+random.IntN(20), 0)
		b := bucket{at: start}
		now := int64(start)
		for range 50 {
			wait, ok := b.take(now, &p, 0)
			if ok {
				continue
			}
			if early := b; wait > 1 {
				if _, ok := early.take(now+wait-1, &p, 0); ok {
					t.Fatalf("seed %d: after %d ms of %d there was a token", seed, wait-1, wait)
				}
			}
			now += wait
			if _, ok = b.take(now, &p, 0); !ok {
				t.Fatalf("seed %d: after %d ms there was no token", seed, wait)
			}
		}
	}
}
