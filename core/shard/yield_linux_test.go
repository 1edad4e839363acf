//go:build linux

package shard

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

// boundAt makes a shard on which two messages may wait for each client, at most.
func boundAt(t *testing.T, policy core.Overflow) *atHand {
	st := newStore(t, "epoll")
	st.policy = policy
	st.opt.Ring.ClientMessages.Store(2)
	return atHands(t, st)
}

// again starts a new life on what the log of r has.
func (r *atHand) again() *atHand {
	r.t.Helper()
	r.crash()
	return atHands(r.t, r.st)
}

// gets is the data of what id gets when it connects, in order.
func (r *atHand) gets(id string) (data []string) {
	r.t.Helper()
	c := r.attach(id, false)
	r.turn()
	r.settleLog()
	r.turn()
	for _, text := range all(c) {
		if _, rest, ok := strings.Cut(text, `"data":"`); ok {
			value, _, _ := strings.Cut(rest, `"`)
			data = append(data, value)
		}
	}
	return data
}

// lapsed reports whether something will not be delivered any more.
func (r *atHand) lapsed() bool {
	for _, n := range r.s.count.Lapsed {
		if n > 0 {
			return true
		}
	}
	return false
}

func keyed(id, to, key, data string) string {
	return fmt.Sprintf(`{"type":0,"messageId":%q,"to":%q,"headers":{"k":%q},"data":%q}`, id, to, key, data)
}

func TestNothingMakesWayForAMessageThatIsRefused(t *testing.T) {
	for _, policy := range []core.Overflow{core.OverflowDropOldest, core.OverflowConflate} {
		r := boundAt(t, policy)
		a := r.attach("a", false)
		r.turn()
		r.in("a", keyed("m1", "b", "k1", "one"))
		r.in("a", keyed("m2", "b", "k2", "two"))
		r.settleLog()
		r.st.files.Full(true)
		r.in("a", keyed("m3", "b", "k3", "three"))
		r.in("a", keyed("m4", "b", "k1", "four"))
		r.settleLog()
		if text := joined(all(a)); strings.Count(text, "storage_full") != 2 {
			t.Errorf("%v: the disk is full, and a is told\n%s", policy, text)
		}
		if got := r.gets("b"); !slices.Equal(got, []string{"one", "two"}) {
			t.Errorf("%v: b gets %q", policy, got)
		}
		r.st.files.Full(false)
		r.settleLog()
	}
}

func TestWhoMakesWayIsGoneInTheCommitOfTheOther(t *testing.T) {
	f := func(policy core.Overflow, want ...string) {
		t.Helper()
		r := boundAt(t, policy)
		a := r.attach("a", false)
		r.turn()
		r.in("a", keyed("m1", "b", "k1", "one"))
		r.in("a", keyed("m2", "b", "k2", "two"))
		r.settleLog()
		r.in("a", keyed("m3", "b", "k2", "three"))
		for !r.lapsed() {
			r.turn() // no further than to that commit
		}
		r.s.filling.lazy = r.s.filling.lazy[:0]
		if text := joined(all(a)); strings.Count(text, `"disk"`) != 3 {
			t.Fatalf("%v: a is told\n%s", policy, text)
		}
		r = r.again()
		if got := r.gets("b"); !slices.Equal(got, want) {
			t.Errorf("%v: after a crash b gets %q, want %q", policy, got, want)
		}
	}
	f(core.OverflowDropOldest, "two", "three")
	f(core.OverflowConflate, "one", "three") // it has a place of its own
}

func TestWhatIsReplacedInOneCommitStaysSoThoughTheLogWasNotTold(t *testing.T) {
	r := boundAt(t, core.OverflowConflate)
	r.attach("a", false)
	r.turn()
	r.in("a", keyed("m1", "b", "k", "one"))
	r.in("a", keyed("m2", "b", "k", "two"))
	for !r.lapsed() {
		r.turn()
	}
	r.s.filling.lazy = r.s.filling.lazy[:0]
	r = r.again()
	if got := r.gets("b"); !slices.Equal(got, []string{"two"}) {
		t.Errorf("after a crash b gets %q", got)
	}
}

func TestWhatIsOnTheDiskIsNotReplacedByWhatIsNot(t *testing.T) {
	r := boundAt(t, core.OverflowConflate)
	r.attach("a", false)
	r.turn()
	r.in("a", keyed("m1", "b", "k", "one"))
	r.settleLog()
	r.in("a", keyed("m2", "b", "k", "mem two"))
	r.settleLog()
	if got := r.gets("b"); !slices.Equal(got, []string{"one", "mem two"}) {
		t.Errorf("b gets %q", got)
	}
}

func TestAMessageInMemoryWaitsUntilTheLogKnowsWhatItDisplaces(t *testing.T) {
	r := boundAt(t, core.OverflowDropOldest)
	a := r.attach("a", false)
	r.turn()
	r.in("a", msg("m1", "b", "one"))
	r.in("a", msg("m2", "b", "two"))
	r.settleLog()
	all(a)
	r.in("a", msg("m3", "b", "mem three"))
	if n := r.s.boxes["b"].loose; n != 1 {
		t.Errorf("%d messages wait for a commit, want the one in memory", n)
	}
	for !r.lapsed() {
		r.turn()
	}
	r.s.filling.lazy = r.s.filling.lazy[:0]
	r = r.again()
	if got := r.gets("b"); !slices.Equal(got, []string{"two"}) {
		t.Errorf("after a crash b gets %q: the oldest had gone, the newest was in memory", got)
	}
}

func TestWhoYieldsIsNotSentMeanwhile(t *testing.T) {
	r := boundAt(t, core.OverflowDropOldest)
	r.attach("a", false)
	r.turn()
	r.in("a", msg("m1", "b", "one"))
	r.in("a", msg("m2", "b", "two"))
	r.settleLog()
	r.in("a", msg("m3", "b", "three"))
	r.in("a", msg("m4", "b", "four"))
	if got := r.gets("b"); !slices.Equal(got, []string{"three", "four"}) {
		t.Errorf("b, who came before the commit was done, gets %q", got)
	}
	if b := r.s.boxes["b"]; b.yielding != 0 || b.yieldSize != 0 {
		t.Errorf("%d still yield, of %d bytes", b.yielding, b.yieldSize)
	}
}

func TestWhoYieldsMayBeSettledOrExpireBefore(t *testing.T) {
	r := boundAt(t, core.OverflowDropOldest)
	r.attach("a", false)
	r.attach("b", true)
	r.turn()
	r.in("b", `{"type":3}`)
	r.settleLog()
	epoch := r.s.boxes["b"].epoch
	r.s.breakOff(r.s.dir.byID["b"])
	r.settleLog()
	r.in("a", msg("m1", "b", "one"))
	r.in("a", `{"type":0,"messageId":"m2","to":"b","data":"two","ttl":1}`)
	r.settleLog()
	r.attach("b", true)
	r.turn()
	r.in("a", msg("m3", "b", "three"))
	r.in("a", msg("m4", "b", "four"))
	if n := r.s.boxes["b"].yielding; n != 2 {
		t.Fatalf("%d yield, want 2", n)
	}
	r.in("b", fmt.Sprintf(`{"type":3,"epoch":"%016x","seq":1}`, epoch)) // it had the first
	r.s.unixMillis += 2000
	r.s.sweepOn()
	r.s.sweepOn()
	r.s.sweepOn()
	if b := r.s.boxes["b"]; b.yielding != 0 || b.yieldSize != 0 {
		t.Errorf("%d yield, of %d bytes, though both are gone", b.yielding, b.yieldSize)
	}
	r.settleLog()
	if n := r.s.boxes["b"].count; n != 2 {
		t.Errorf("%d wait, want the newer two", n)
	}
}

func TestALargeMessageTakesTheMemoryOfThoseThatMakeWay(t *testing.T) {
	st := newStore(t, "epoll")
	st.policy = core.OverflowDropOldest
	st.opt.Ring.Bytes.Store(256 << 10)
	r := atHands(t, st)
	r.attach("a", false)
	r.turn()
	for i := range 40 {
		r.in("a", msg(fmt.Sprint("m", i), "b", "mem"+strings.Repeat("x", 9000)))
		r.turn()
	}
	if n := r.s.count.RingFull; n > 0 {
		t.Errorf("%d were refused, where the oldest may be dropped", n)
	}
	if r.s.arena.InUse() > 320<<10 {
		t.Errorf("%d bytes are in use of 256 KiB", r.s.arena.InUse())
	}
	r.settleLog()
	got := r.gets("b")
	if len(got) < 10 || len(got) > 30 {
		t.Errorf("%d wait of those that fit", len(got))
	}
}

func TestWhoYieldsDoesNotCountAgainstItsSender(t *testing.T) {
	st := newStore(t, "epoll")
	st.policy = core.OverflowDropOldest
	st.opt.Ring.ClientMessages.Store(2)
	st.opt.Ring.SenderMessages.Store(3)
	for _, data := range []string{"mem", "disk"} {
		r := atHands(t, st)
		a := r.attach("a", false)
		r.turn()
		for i, to := range []string{`"b"`, `"b"`, `["b","c"]`} {
			r.in("a", fmt.Sprintf(`{"type":0,"messageId":"%s%d","to":%s,"data":%q}`, data, i, to, data))
			r.settleLog()
		}
		if text := joined(all(a)); strings.Contains(text, "overflow") || !strings.Contains(text, `"queued":2`) {
			t.Errorf("%s: one makes way, so that three wait for two clients, and a is told\n%s", data, text)
		}
		if n := r.s.senders.waiting("a"); n != 3 {
			t.Errorf("%s: %d count for a", data, n)
		}
		r.crash()
		st.dir = t.TempDir()
	}
}

func TestWhoHasNoRoomForMoreIsNamed(t *testing.T) {
	for _, policy := range []core.Overflow{core.OverflowReject, core.OverflowDropOldest} {
		r := boundAt(t, policy)
		r.attach("a", false)
		r.turn()
		f := func(clients int, names ...string) {
			t.Helper()
			r.settleLog()
			r.s.sweepOn()
			r.s.sweepOn()
			if got := r.s.stats().Full; got.Clients != clients || !slices.Equal(slices.Sorted(slices.Values(got.Names)), names) {
				t.Errorf("%v: full are %+v, want %d: %q", policy, got, clients, names)
			}
		}
		r.in("a", keyed("m1", "b", "", "one"))
		f(0)
		r.in("a", keyed("m2", "b", "", "two"))
		r.in("a", keyed("m3", "c", "", "one"))
		f(1, "b")
		r.in("a", keyed("m4", "b", "", "three"))
		r.in("a", keyed("m5", "c", "", "two"))
		f(2, "b", "c")
		r.gets("b")
		f(1, "c")
		for i := range 20 {
			r.in("a", keyed(fmt.Sprint("x", i), fmt.Sprint("d", i), "", "one"))
			r.in("a", keyed(fmt.Sprint("y", i), fmt.Sprint("d", i), "", "two"))
		}
		r.settleLog()
		r.s.sweepOn()
		r.s.sweepOn()
		if got := r.s.stats().Full; got.Clients != 21 || len(got.Names) != fullNames {
			t.Errorf("%v: full are %+v", policy, got)
		}
	}
}
