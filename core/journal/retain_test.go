package journal_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stratix-gateway/stratix/core/journal"
)

// fill makes n segments, and one more that is written.
func (r *rig) fill(n int) {
	r.Helper()
	r.set.Segment = 4 << 10
	r.start()
	for i := range n + 1 {
		r.mustCommit(strings.Repeat(fmt.Sprint(i), 3000))
	}
}

// keeps fails the test if these are not the numbers of the segments, as the
// journal knows them and as they are there.
func (r *rig) keeps(want ...uint32) {
	r.Helper()
	synctest.Wait()
	var known []uint32
	var paths []string
	for _, s := range r.j.Segments() {
		known = append(known, s.Number)
		paths = append(paths, s.Path)
	}
	if fmt.Sprint(known) != fmt.Sprint(want) || fmt.Sprint(r.files()) != fmt.Sprint(paths) {
		r.Fatalf("kept are %v, want %v; in the folder: %v", known, want, r.files())
	}
}

func TestSegmentsGoWhenTheyAreNotNeededAndOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.set.RetainAge = time.Hour
		r.fill(4)
		r.keeps(1, 2, 3, 4, 5)
		time.Sleep(2 * time.Hour)
		r.keeps(1, 2, 3, 4, 5) // all are needed
		r.j.Release(3)
		r.keeps(3, 4, 5, 6) // a new one was begun to note it
		at := r.mustCommit("new")
		r.j.Release(at[0].Segment)
		r.keeps(5, 6, 7) // 5 was sealed just now
		time.Sleep(61 * time.Minute)
		r.keeps(6, 7)
		r.stop()
		r.start()
		r.keeps(6, 7, 8)
		r.undamaged()
		r.holds("new")
		r.j.Release(100)
		r.keeps(7, 8, 9) // 7 was sealed by the start
	})
}

func TestSegmentsGoWhenTheyTakeTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.set.RetainAge, r.set.RetainBytes = 1000*time.Hour, 7000
		r.fill(5)
		r.j.Release(5)
		r.keeps(3, 4, 5, 6, 7)
		r.set.RetainBytes = 1
		r.j.Configure(r.set)
		r.keeps(5, 6, 7)
	})
}

func TestNothingNeededIsDeletedWhenACrashComes(t *testing.T) {
	for n := range 60 {
		r := newRig(t)
		r.set.RetainAge = 0
		r.lose()
		r.fill(4)
		r.fs.CrashAfter(n)
		r.j.Release(3)
		_, _ = r.commit("a")
		_, _ = r.commit("b")
		r.crash()
		r.undamaged()
		var rest []string
		for _, e := range r.seen {
			if e.at.Segment >= 3 {
				rest = append(rest, e.record[:1])
			}
		}
		if len(rest) < 3 || strings.Join(rest[:3], "") != "234" {
			t.Fatalf("a crash before operation %d leaves %v", n, rest)
		}
		r.stop()
	}
}

func TestNothingIsDeletedBeforeAHeaderSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.set.RetainAge = 0
		r.fill(3)
		r.fs.Full(true) // no new segment, no new header
		r.j.Release(3)
		r.keeps(1, 2, 3, 4)
		r.crash()
		r.undamaged()
		r.keeps(1, 2, 3, 4, 5)
		r.fs.Full(true)
		r.j.Release(3)
		r.keeps(1, 2, 3, 4, 5)
		r.fs.Full(false)
		time.Sleep(2 * time.Minute) // it is tried again
		r.keeps(3, 4, 5, 7)
	})
}

func TestReplayBeginsWhereItIsNeeded(t *testing.T) {
	r := newRig(t)
	r.fill(4)
	r.j.Release(3)
	r.mustCommit(strings.Repeat("5", 3000)) // rolls
	r.stop()
	r.open()
	r.undamaged()
	if len(r.seen) != 4 || r.seen[0].at.Segment != 3 {
		t.Errorf("%d records, from %v", len(r.seen), r.seen[0].at)
	}
	if got := r.j.Stats().Needed; got != 3 {
		t.Errorf("needed is %d", got)
	}
	if got := r.j.Segments(); len(got) != 6 || got[0].Sealed.IsZero() || got[0].Bytes < 3000 {
		t.Errorf("%+v", got)
	}
}

func TestADeletedSegmentIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.fill(2)
		at := journal.Position{Segment: 1, Offset: 64 + 32}
		if _, err := r.j.ReadRecord(at, nil); err != nil {
			t.Fatal(err)
		}
		r.set.RetainAge = 0
		r.j.Configure(r.set)
		r.j.Release(2)
		r.keeps(2, 3, 4)
		if _, err := r.j.ReadRecord(at, nil); !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	})
}
