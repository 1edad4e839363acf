package shard

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// The connections are closed evenly over the time that was given.
func TestADrainIsPaced(t *testing.T) {
	x := byHand(t, oneShard(), &hooks{})
	s := x.shards[0]
	var all []*end
	for i := range 20 {
		all = append(all, x.connect(fmt.Sprint("c", i)))
	}
	done := 0
	s.inbox.post(&parcel{kind: parcelDrain, drain: &drainOrder{pace: 10 * tickLength, within: time.Minute, done: func() { done++ }}})
	x.turn(2)
	closed := func() (n int) {
		for _, e := range all {
			if e.c.state != open {
				n++
			}
		}
		return n
	}
	if n := closed(); n != 2 {
		t.Fatalf("%d are closed at once", n)
	}
	for i := 1; i < 10; i++ {
		x.pass(tickLength)
		if n := closed(); n < 2*i || n > 2*i+2 {
			t.Fatalf("%d are closed after %d ticks", n, i)
		}
	}
	x.pass(tickLength)
	for i, e := range all {
		got := e.got()
		if len(got) != 2 || !strings.HasPrefix(got[0], `{"type":6,`) || got[1] != "close 1001" {
			t.Fatalf("client %d got %q", i, got)
		}
		if done != 0 {
			t.Fatal("it is done too early")
		}
		e.sendClose(1001)
		x.turn(1)
	}
	if done != 1 || x.left != 20 {
		t.Fatalf("done was called %d times, %d places were given back", done, x.left)
	}
	x.pass(time.Second)
	if done != 1 {
		t.Fatalf("done was called %d times", done)
	}
}

// It does not wait for the time to pass when nobody is left.
func TestADrainEndsWithTheLastClient(t *testing.T) {
	x := byHand(t, oneShard(), &hooks{})
	done := 0
	a, b := x.connect("a"), x.connect("b")
	x.shards[0].inbox.post(&parcel{kind: parcelDrain, drain: &drainOrder{pace: time.Hour, within: time.Hour, done: func() { done++ }}})
	x.turn(1)
	a.close()
	x.turn(1)
	if done != 0 {
		t.Fatal("it is done too early")
	}
	b.close()
	x.turn(1)
	if done != 1 {
		t.Fatalf("done was called %d times", done)
	}
	x.pass(time.Second) // the order still names them
}

// Who does not answer, or does not even read, is cut off when the time is over,
// before the wait for its close frame would be.
func TestADrainCutsOffWhoIsLeft(t *testing.T) {
	h := &hooks{}
	why := farewells(h)
	x := byHand(t, queued(DropOldest), h)
	s := x.shards[0]
	mute, deaf, polite := x.connect("mute"), x.connect("deaf"), x.connect("polite")
	p, _ := x.connectPump("pumped")
	for i := range 10 {
		polite.sendAll(x, blob("deaf", i, 5<<10, ""))
	}
	polite.got()
	done := 0
	s.inbox.post(&parcel{kind: parcelDrain, drain: &drainOrder{pace: tickLength, within: 4*tickLength + 1, done: func() { done++ }}})
	x.turn(2)
	polite.sendClose(1001)
	x.pass(3 * tickLength)
	if done != 0 || x.left != 1 {
		t.Fatalf("done was called %d times and %d places were given back, before the end", done, x.left)
	}
	x.pass(tickLength)
	if done != 1 || x.left != 4 {
		t.Fatalf("done was called %d times, %d places were given back", done, x.left)
	}
	for _, e := range []*end{mute, deaf} {
		if got := e.got(); got[len(got)-1] != "end" {
			t.Fatalf("the connection is open after %q", got)
		}
	}
	if until := p.conn.(*deadlined).until; until.After(time.Now()) {
		t.Fatalf("the pump may write until %v", until)
	}
	if len(*why) != 4 || s.count.Drained != 4 || s.count.Closed != 4 {
		t.Fatalf("on_disconnect was called with %q; counted %+v", *why, s.count)
	}
}

// A pace that is longer than the whole time ends with it.
func TestADrainsPaceIsBoundedByItsEnd(t *testing.T) {
	x := byHand(t, oneShard(), &hooks{})
	for i := range 10 {
		x.connect(fmt.Sprint("c", i))
	}
	done := 0
	x.shards[0].inbox.post(&parcel{kind: parcelDrain, drain: &drainOrder{pace: time.Hour, within: time.Second, done: func() { done++ }}})
	x.turn(1)
	x.pass(time.Second)
	if n := x.shards[0].count; done != 1 || n.Drained != 10 {
		t.Fatalf("done was called %d times, %d were drained", done, n.Drained)
	}
}
