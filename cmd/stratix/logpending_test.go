package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	corejournal "github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/record"
)

// accountOf reads the lines, see recordOf, as a log whose segments have the lines
// between "segment", and whose offsets are the numbers of the lines.
func accountOf(t testing.TB, lines string) *accounts {
	t.Helper()
	known := newAccounts()
	at := corejournal.Position{Segment: 1}
	var rec record.Record
	for line := range strings.SplitSeq(lines, "; ") {
		at.Offset++
		if line == "segment" {
			at.Segment++
			continue
		}
		b, err := recordOf(strings.Fields(line))
		if err != nil || !rec.Read(b) {
			t.Fatalf("%q is no record: %v", line, err)
		}
		known.record(at, &rec)
	}
	return known
}

// waitingIn lists what waits, as CLIENT#SEQ@OFFSET.
func waitingIn(known *accounts) string {
	var list []string
	for name, c := range known.names {
		for _, w := range c.waiting {
			list = append(list, fmt.Sprintf("%s#%d@%d", name, w.seq, w.at.Offset))
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func TestAMessageWaitsUntilTheLogSaysOtherwise(t *testing.T) {
	f := func(lines, want string) {
		t.Helper()
		if got := waitingIn(accountOf(t, lines)); got != want {
			t.Errorf("%s: %q waits, want %q", lines, got, want)
		}
	}
	const three = "message s m 1 a:7:1 b:8:1; message s m 1 a:7:2; message s m 1 a:7:3; "
	f(strings.TrimSuffix(three, "; "), "a#1@1 a#2@2 a#3@3 b#1@1")

	f(three+"ack 7 1", "a#2@2 a#3@3 b#1@1")
	f(three+"ack 7 0 2-3", "a#1@1 b#1@1")
	f(three+"ack 7 3", "b#1@1")
	f(three+"ack 7 9", "b#1@1")
	f(three+"ack 7 18446744073709551615 1-18446744073709551615", "b#1@1")
	f(three+"ack 7 2; ack 7 1", "a#3@3 b#1@1") // what is settled stays so
	f(three+"ack 99 3", "a#1@1 a#2@2 a#3@3 b#1@1")
	f(three+"gone 7 2-2", "a#1@1 a#3@3 b#1@1")
	f(three+"gone 99 1-9", "a#1@1 a#2@2 a#3@3 b#1@1")
}

func TestASessionSaysWhatIsSettledAndUnderWhichEpoch(t *testing.T) {
	f := func(lines, want string) {
		t.Helper()
		if got := waitingIn(accountOf(t, lines)); got != want {
			t.Errorf("%s: %q waits, want %q", lines, got, want)
		}
	}
	f("session a 7 0 0; message s m 1 a:7:1; message s m 1 a:7:2; session a 7 2 1", "a#2@3")
	f("message s m 1 a:7:1; session a 9 1 0; message s m 1 a:9:2", "a#1@1 a#2@3") // one client, two epochs
	f("message s m 1 a:7:1; session a 9 1 0; ack 7 1", "")
	f("message s m 1 a:7:1; session a 9 1 0; ack 9 1", "")
	f("message s m 1 a:7:1; message s m 1 a:9:1", "a#1@2") // forgotten, and begun anew
	f("message s m 1 a:7:1; end 7", "")
	f("message s m 1 a:7:1; session a 9 1 0; end 7", "a#1@1") // the end of an epoch that it has no more
	f("message s m 1 a:7:1; end 7; message s m 1 a:9:1", "a#1@3")
}

func TestACopyForwardWaitsInPlaceOfTheFirst(t *testing.T) {
	f := func(lines, want string) {
		t.Helper()
		if got := waitingIn(accountOf(t, lines)); got != want {
			t.Errorf("%s: %q waits, want %q", lines, got, want)
		}
	}
	f("message s m 1 a:7:1; message s m 1 a:7:2; message s m 1 a:7:1", "a#1@3 a#2@2")
	f("message s m 1 a:7:5; message s m 1 a:7:2", "a#2@2 a#5@1") // the first of it is in a segment that is gone
	f("message s m 1 a:7:1; ack 7 1; message s m 1 a:7:1", "")   // settled while it was copied
	f("message s m 1 a:7:1; message s m 1 a:7:2; gone 7 2-2; message s m 1 a:7:2", "a#1@1")
	f("message s m 1 a:7:9; ack 7 0 3-5; ack 7 0 4-7; message s m 1 a:7:3; message s m 1 a:7:7; message s m 1 a:7:8", "a#8@6 a#9@1")
}

func TestWhatWaitsIsCountedBySegment(t *testing.T) {
	known := accountOf(t, "message s m 1 a:7:1 b:8:1 c:9:1; message s m 1 a:7:2; segment; message s m 1 b:8:2; ack 9 1; segment; message s m 1 a:7:2")
	got := known.pending()
	want := map[uint32]pending{1: {1, 2}, 2: {1, 1}, 3: {1, 1}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAcknowledgementsInAnyOrderLeaveNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 50 {
		c := &account{}
		settled := map[uint64]bool{}
		for seq := uint64(1); seq <= 60; seq++ {
			c.give(seq, corejournal.Position{Segment: 1, Offset: uint32(seq)})
		}
		for step := range 40 {
			r := record.Range{From: 1 + random.Uint64N(60)}
			r.To = r.From + random.Uint64N(6)
			if step%8 == 7 {
				r = record.Range{From: 0, To: random.Uint64N(uint64(step))}
				c.settleUpto(r.To)
			} else {
				c.settle(r)
			}
			for seq := r.From; seq <= r.To; seq++ {
				settled[seq] = true
			}
			for seq := uint64(1); seq <= 60; seq++ {
				_, waits := c.find(seq)
				if done := seq <= c.upto || c.isDone(seq); waits == settled[seq] || done != settled[seq] {
					t.Fatalf("round %d step %d: %d is settled: %v, waits: %v, known to be done: %v", round, step, seq, settled[seq], waits, done)
				}
			}
		}
	}
}
