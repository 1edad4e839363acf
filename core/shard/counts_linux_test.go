package shard

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/frame"
)

// Each connection that ended is counted under one cause.
func TestTheCausesAddUp(t *testing.T) {
	opt := queued(Disconnect)
	opt.PingEvery, opt.IdleTimeout, opt.StallTimeout = 2*time.Second, 5*time.Second, time.Second
	x := byHand(t, opt, &hooks{connect: func(c *core.Conn) error {
		switch c.Session.ID {
		case "refused":
			c.Refused = "not you"
		case "broken":
			return fmt.Errorf("boom")
		}
		return nil
	}})
	s := x.shards[0]
	var want Counts
	f := func(counted *uint64, close func()) {
		t.Helper()
		close()
		x.turn(1)
		*counted++
		want.Closed++
		got := s.count
		if got.Closed != want.Closed ||
			[...]uint64{got.Left, got.Lost, got.Replaced, got.Idle, got.Slow, got.Refused, got.Protocol, got.Stalled, got.Drained} !=
				[...]uint64{want.Left, want.Lost, want.Replaced, want.Idle, want.Slow, want.Refused, want.Protocol, want.Stalled, want.Drained} {
			t.Fatalf("counted %+v\nwant %+v", got, want)
		}
	}
	f(&want.Left, func() { x.connect("a").sendClose(1000) })
	f(&want.Lost, func() { x.connect("a").close() })
	f(&want.Replaced, func() { x.connect("a"); x.connect("a") })
	f(&want.Refused, func() { x.connect("refused") })
	f(&want.Refused, func() { x.connect("broken") })
	if s.count.HookErrors != 1 {
		t.Fatalf("%d errors of hooks, want 1", s.count.HookErrors)
	}
	f(&want.Protocol, func() { x.connect("p").write(frame.AppendMasked(nil, frame.OpBinary, mask, nil)) })
	f(&want.Protocol, func() {
		p := x.connect("p")
		p.write([]byte("\xff\xff\xff"))
		x.turn(1)
	})
	f(&want.Stalled, func() {
		x.connect("s").write(masked("{}")[:3])
		x.turn(1)
		x.pass(time.Second + tickLength)
	})
	f(&want.Slow, func() {
		a, slow := x.connect("a2"), x.connect("slow")
		for i := 0; slow.c.state == open; i++ {
			a.sendAll(x, blob("slow", i, 5<<10, ""))
		}
		a.sendClose(1000)
		want.Left++
		want.Closed++
	})
	f(&want.Idle, func() { // the one that replaced another
		x.pass(5 * time.Second)
	})
	f(&want.Drained, func() {
		d := x.connect("d")
		s.inbox.post(&parcel{kind: parcelDrain, drain: &drainOrder{done: func() {}}})
		x.turn(1)
		d.write([]byte("\xff\xff\xff")) // too late to be another cause
	})
	if s.count.Opened != s.count.Closed {
		t.Fatalf("%d were opened, %d closed", s.count.Opened, s.count.Closed)
	}
}

// Offline and Overflow count recipients, also of a message that others got.
func TestUndeliveredAreCountedByRecipient(t *testing.T) {
	x := byHand(t, queued(Reject), &hooks{})
	s := x.shards[0]
	a, b := x.connect("a"), x.connect("b")
	f := func(to string, offline, overflow uint64) {
		t.Helper()
		before := s.count
		a.sendAll(x, `{"type":0,"messageId":"m","to":`+to+`,"data":"`+strings.Repeat("x", 5<<10)+`"}`)
		x.turn(2)
		a.got()
		if off, over := s.count.Offline-before.Offline, s.count.Overflow-before.Overflow; off != offline || over != overflow {
			t.Fatalf("%d offline, %d overflow, want %d and %d", off, over, offline, overflow)
		}
	}
	f(`"b"`, 0, 0)
	f(`"nobody"`, 1, 0)
	f(`["b","nobody","no one"]`, 2, 0)
	f(`["nobody","no one"]`, 2, 0)
	for b.c.out == nil || b.c.out.waiting() < 60<<10 {
		f(`"b"`, 0, 0)
	}
	f(`"b"`, 0, 1)
	f(`["a","b","nobody"]`, 1, 1)
}

// A queue is weighed once a second, however often it is asked for.
func TestQueuedBytesAreUpToASecondOld(t *testing.T) {
	x := byHand(t, queued(DropOldest), &hooks{})
	s := x.shards[0]
	a, b := x.connect("a"), x.connect("b")
	f := func(want int) {
		t.Helper()
		if got := s.stats().QueuedBytes; got != want {
			t.Fatalf("%d bytes wait, want %d", got, want)
		}
	}
	f(0)
	for i := range 8 {
		a.sendAll(x, blob("b", i, 5<<10, ""))
	}
	a.got()
	x.pass(time.Second - tickLength)
	f(0)
	x.pass(2 * tickLength)
	waits := b.c.out.waiting()
	f(waits)
	b.everything(x)
	f(waits)
	x.pass(time.Second)
	f(0)
}
