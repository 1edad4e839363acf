package shard

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestALatencyIsCountedWithinASixteenth(t *testing.T) {
	f := func(d time.Duration) {
		t.Helper()
		var l Latencies
		l.note(d)
		if got := l.At(1); got < d || float64(got) > float64(d)*17/16 {
			t.Errorf("%d ns is counted as %d ns", d, got)
		}
	}
	for d := range time.Duration(5000) {
		f(d)
	}
	for d := 5 * time.Microsecond; d < 17*time.Minute; d = d*21/20 + 1 {
		f(d)
		f(1<<min(39, uint(d%40)) - 1)
	}
	var l Latencies
	l.note(time.Hour * 24 * 365)
	l.note(-time.Second) // a clock that was set back
	if l.Samples() != 2 || l.At(0) != 0 {
		t.Errorf("a year and a negative time are counted as %d, the shortest %s", l.Samples(), l.At(0))
	}
}

func TestQuantilesAreThoseOfTheTimesSinceTheLastLook(t *testing.T) {
	var before, now Latencies
	before.note(time.Minute)
	now.Add(&before)
	for i := range 1000 {
		now.note(time.Duration(i+1) * time.Millisecond)
	}
	now.Sub(&before)
	f := func(part float64, want time.Duration) {
		t.Helper()
		if got := now.At(part); got < want || got > want*17/16 {
			t.Errorf("%g: got %s, want %s", part, got, want)
		}
	}
	f(0.5, 500*time.Millisecond)
	f(0.99, 990*time.Millisecond)
	f(1, 1000*time.Millisecond)
	var none Latencies
	if none.At(0.5) != 0 || none.Samples() != 0 {
		t.Error("nothing has a median")
	}
}

func TestTheBusiestSendersAreFoundAmongMany(t *testing.T) {
	b := busy{at: map[string]int{}}
	r := rand.New(rand.NewPCG(1, 2))
	// Ten send 100, 90, 80 ... messages a second, and 100,000 others 1,000 together.
	for now := int64(0); now < 30_000; now += 250 {
		b.fade(now)
		var turn []string
		for i := range 10 {
			for range 25 - i*5/2 {
				turn = append(turn, fmt.Sprint("busy", i))
			}
		}
		for range 250 {
			turn = append(turn, fmt.Sprint("other", r.IntN(100_000)))
		}
		r.Shuffle(len(turn), func(i, j int) { turn[i], turn[j] = turn[j], turn[i] })
		for _, name := range turn {
			b.note(name, 1, 100)
			if name == "busy3" {
				b.failed(name)
			}
		}
	}
	b.fade(30_000)
	top := b.most(10)
	for i, s := range top[:5] {
		want := float64(4 * (25 - i*5/2))
		if s.Client != fmt.Sprint("busy", i) || math.Abs(s.Messages-want) > want/5 || s.Messages > want*1.05 {
			t.Errorf("place %d has %+v, want %g messages", i, s, want)
		}
		if want := s.Messages * float64(len("x")); i == 3 && math.Abs(s.Errors-want) > want/5 || i != 3 && s.Errors != 0 {
			t.Errorf("place %d has %g errors", i, s.Errors)
		}
	}
	if len(b.all) > maxBusy || len(b.at) != len(b.all) {
		t.Errorf("%d senders and %d names are kept", len(b.all), len(b.at))
	}
	for now := int64(30_000); now < 90_000; now += 250 { // only the crowd is left
		b.fade(now)
		for range 250 {
			b.note(fmt.Sprint("other", r.IntN(100_000)), 1, 100)
		}
	}
	if top := b.most(10); len(top) != 10 || top[0].Messages > 1 { // and not the 8 that it has from others
		t.Errorf("of a crowd the busiest are %+v", top)
	}
}

func TestTheLongestBacklogsAreKept(t *testing.T) {
	b := backlogs{most: 3}
	for _, w := range []Waiting{{"a", 1}, {"b", 5}, {"c", 3}, {"d", 4}, {"b", 5}, {"e", 2}, {"c", 9}} {
		b.add(w.Client, w.Messages)
	}
	if want := []Waiting{{"c", 9}, {"b", 5}, {"d", 4}}; !slices.Equal(b.top, want) {
		t.Errorf("got %v, want %v", b.top, want)
	}
}
