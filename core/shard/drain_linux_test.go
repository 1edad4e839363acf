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
	s.inbox.post(&parcel{kind: parcelDrain, drain: &drainOrder{within: 10 * tickLength, done: func() { done++ }}})
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
	x.shards[0].inbox.post(&parcel{kind: parcelDrain, drain: &drainOrder{within: time.Hour, done: func() { done++ }}})
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
