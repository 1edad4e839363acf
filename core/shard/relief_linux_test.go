//go:build linux

package shard

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/journal/faults"
)

// fill sends messages of 3,000 bytes to the clients, in turn, until the disk is
// full, and returns how many were taken.
func (r *atHand) fill(to ...string) (taken int) {
	r.t.Helper()
	for n := 0; ; n++ {
		if n == 10_000 {
			r.t.Fatal("the disk does not get full")
		}
		r.in("a", msg(fmt.Sprint("f", n), to[n%len(to)], strings.Repeat("y", 3000)))
		r.settleLog()
		if r.s.count.CommitsFailed > 0 {
			return n
		}
	}
}

// recovers lets time pass, and a send to itself, until everything is taken again.
func (r *atHand) recovers() {
	r.t.Helper()
	taken := 0
	for n := 0; taken < 20; n++ {
		if n == 5000 {
			r.t.Fatalf("it is refused for ever: %+v, needed %d, relief %+v", r.st.log.Stats(), r.s.needed.Load(), r.s.relief)
		}
		failed := r.s.count.CommitsFailed
		r.in("a", msg(fmt.Sprint("n", n), "a", strings.Repeat("y", 3000)))
		r.settleLog()
		if taken++; r.s.count.CommitsFailed > failed {
			taken = 0
			time.Sleep(time.Millisecond)
		}
		r.s.sweepOn()
		r.settleLog()
		r.st.log.Release(r.set.Needed())
	}
	if st := r.st.log.Stats(); st.Deleted == 0 {
		r.t.Fatalf("nothing was given up: %+v", st)
	}
}

// onSmallDisk makes a shard whose log has a disk smaller than a segment, or than
// some of so many bytes.
func onSmallDisk(t *testing.T, segment int64) *atHand {
	st := newStore(t, "epoll")
	st.segment = segment
	st.disk = faults.NewSmall(journal.OS(), 400<<10)
	r := atHands(t, st)
	r.attach("a", false)
	r.turn()
	return r
}

func TestADiskThatIsFullToItsEndHasRoomWhenEverythingIsDelivered(t *testing.T) {
	r := onSmallDisk(t, 0)
	r.attach("r", true)
	r.turn()
	r.in("r", `{"type":3}`)
	r.settleLog()
	taken := r.fill("b", "r")
	if got := r.gets("b"); len(got) != (taken+1)/2 {
		t.Fatalf("b gets %d of %d", len(got), taken)
	}
	r.in("r", fmt.Sprintf(`{"type":1,"seq":%d}`, taken/2))
	r.recovers()
	r.in("a", msg("after", "c", "later"))
	r.settleLog()
	again := r.again()
	if got := again.gets("c"); !slices.Equal(got, []string{"later"}) {
		t.Errorf("after a crash c gets %q", got)
	}
	if got := again.gets("b"); len(got) != 0 {
		t.Errorf("after a crash b gets %d messages again", len(got))
	}
	if n := again.s.boxes["r"].count; n != 0 {
		t.Errorf("after a crash %d wait for r, who had acknowledged", n)
	}
	if b := again.s.boxes["r"]; b.upto != uint64(taken/2) || len(b.spans) != 0 {
		t.Errorf("of r it is known up to %d, and %v", b.upto, b.spans)
	}
}

func TestADiskThatIsFullHasRoomThoughAFewWait(t *testing.T) {
	r := onSmallDisk(t, 0)
	r.in("a", msg("first", "late", "one"))
	r.settleLog()
	r.fill("b")
	r.gets("b")
	r.recovers()
	if got := r.again().gets("late"); !slices.Equal(got, []string{"one"}) {
		t.Errorf("after a crash it gets %q", got)
	}
}

func TestAnEpochThatBeganOnAFullDiskTakesNothingAlong(t *testing.T) {
	r := onSmallDisk(t, 128<<10) // too few segments for a sweep to copy anything before it is full
	r.in("a", msg("first", "late", "0"))
	for n := range 50 { // more than a segment
		r.in("a", msg(fmt.Sprint("b", n), "b", strings.Repeat("y", 3000)))
		r.settleLog()
	}
	want := []string{"0"}
	for n := range reliefFew + 10 { // too many for a relief
		want = append(want, fmt.Sprint(n+1))
		r.in("a", msg(fmt.Sprint("m", n), "late", want[n+1]))
	}
	r.settleLog()
	r.fill("b")
	r.gets("b")
	b := r.s.boxes["late"]
	first := func() uint32 { return r.s.block(r.s.entries.At(b.low.first).block).segment }
	r.s.renew(b)
	from := first()
	until(t, "the first is copied into the reserve", func() bool {
		r.s.sweepOn()
		r.turn()
		return first() != from
	})
	if got := r.again().gets("late"); !slices.Equal(got, want) {
		t.Errorf("after a crash it gets %d of %d: %q", len(got), len(want), got)
	}
}

func TestWhatNobodyWaitsForIsBoundedWhileTheDiskIsFull(t *testing.T) {
	r := onSmallDisk(t, 0)
	c := r.attach("r", true)
	go func() { _, _ = io.Copy(io.Discard, c.conn) }()
	r.turn()
	r.in("r", `{"type":3}`)
	r.settleLog()
	r.fill("b")
	until(t, "the shard knows that the disk is full", func() bool {
		r.s.sweepOn()
		r.turn()
		return r.s.relief.full
	})
	group := strings.Repeat("g", 120)
	most := 0
	for n := range 5 * commitBytes / len(group) {
		r.in("r", fmt.Sprintf(`{"type":%d,"groups":[%q]}`, 8+n%2, group))
		if n%100 == 0 {
			r.turn()
		}
		most = max(most, len(r.s.filling.lazy))
	}
	if most > commitBytes+commitBytes/2 {
		t.Errorf("%d bytes wait for room on the disk, and nobody for them", most)
	}
}

func TestADiskThatIsFullAtTheStartHasRoomWhenEverythingIsDelivered(t *testing.T) {
	r := onSmallDisk(t, 0)
	taken := r.fill("b")
	r = r.again()
	r.attach("a", false)
	r.turn()
	r.in("a", msg("x", "y", "z"))
	r.settleLog()
	if got := r.gets("b"); len(got) != taken {
		t.Fatalf("b gets %d of %d", len(got), taken)
	}
	r.recovers()
	if got := r.again().gets("b"); len(got) != 0 {
		t.Errorf("after a crash b gets %d messages again", len(got))
	}
}

func TestWhileManyWaitTheReserveIsNotTouched(t *testing.T) {
	r := onSmallDisk(t, 0)
	r.fill("b")
	head := r.st.log.Stats().Head
	for range 50 {
		r.s.sweepOn()
		r.settleLog()
		r.st.log.Release(r.set.Needed())
	}
	if now := r.st.log.Stats().Head; now != head {
		t.Errorf("the log writes segment %d, and was at %d", now, head)
	}
}
