package shard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core/frame"
)

func TestADrainSaysGoodbyeAndWaitsForTheLast(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		var l leavings
		g := start(t, transport, options(), &hooks{disconnect: l.hook}, toSender)
		var all []*client
		var want []string
		for i := range 10 {
			all = append(all, g.connect(fmt.Sprint("c", i)))
			want = append(want, fmt.Sprintf("c%d drain", i))
		}
		g.await(10)
		drained := make(chan error, 1)
		go func() { drained <- g.Drain(t.Context(), 50*time.Millisecond, patience) }()
		for _, c := range all {
			got, retryAfter := c.text(), 0
			if n, err := fmt.Sscanf(got, `{"type":6,"retryAfter":%d,"reason":"drain"}`, &retryAfter); n != 1 || err != nil {
				t.Fatalf("got %s", got)
			}
			if least, most := 100, 100+int(comeBack.Milliseconds())+len(all); retryAfter < least || retryAfter > most {
				t.Fatalf("asked to come back after %d ms, want %d to %d", retryAfter, least, most)
			}
			c.wantClose(CloseGoingAway, "shutting down")
		}
		if err := <-drained; err != nil {
			t.Fatal(err)
		}
		g.places.waitFor(0)
		l.want(t, want...)
		late := g.connect("late")
		if _, _, err := late.next(); err != nil {
			t.Fatalf("the late one got no close frame: %v", err)
		}
		g.places.waitFor(0)
	})
}

func TestADrainEndsWhenItsTimeIsOver(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		g := start(t, transport, options(), &hooks{})
		g.connect("a") // it answers nothing
		g.await(1)
		ctx, cancel := context.WithCancel(t.Context())
		drained := make(chan error, 1)
		go func() { drained <- g.Drain(ctx, time.Hour, time.Hour) }()
		cancel()
		if err := <-drained; !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
	})
}

// No client answers, and the drain ends by itself.
func TestADrainEndsThoughNobodyAnswers(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		g := start(t, transport, options(), &hooks{})
		g.connect("a")
		g.connect("b")
		g.await(2)
		if err := g.Drain(t.Context(), 0, time.Millisecond); err != nil {
			t.Fatal(err)
		}
		g.places.waitFor(0)
		g.pumps.Wait()
	})
}

// What a client sends that was turned away is not taken for another's.
func TestALateClientIsNobody(t *testing.T) {
	ours, theirs := pair(t)
	var box inbox
	p := &pump{
		conn: theirs, inbox: &box,
		attached: make(chan struct{}), credit: make(chan struct{}, 1), signal: make(chan struct{}, 1),
		ended: make(chan struct{}),
	}
	left := places{n: 1}
	left.c = sync.NewCond(&left.mu)
	if _, err := ours.Write(masked(`{"type":4}`)); err != nil {
		t.Fatal(err)
	}
	late := Client{ID: "late", FD: -1, Place: place{&left}, pump: p}
	late.turnAway(CloseTryLater, shuttingDown)
	<-p.attached
	p.read()
	for q := box.take(); q != nil; q = q.next {
		if q.slot != none {
			t.Fatalf("a parcel names slot %d", q.slot)
		}
	}
	p.write()
	left.waitFor(0)
	_ = ours.SetReadDeadline(time.Now().Add(patience))
	if b, err := io.ReadAll(ours); err != nil && len(b) == 0 || !strings.Contains(string(b), "shutting down") {
		t.Fatalf("got %q, %v", b, err)
	}
}

func TestStopEndsEverything(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		var l leavings
		h := &holder{}
		g := start(t, transport, options(), &hooks{disconnect: l.hook}, h, toSender)
		a, held := g.connect("a"), g.connect("held")
		held.send(`{"type":0,"data":"hold"}`)
		h.wait(1)
		held.send(`{"type":0,"data":"hold"}`)
		g.await(2)
		drained := make(chan error, 1)
		go func() { drained <- g.Drain(context.Background(), time.Hour, time.Hour) }()
		if got := a.text(); !strings.HasPrefix(got, `{"type":6`) {
			t.Fatalf("got %s", got)
		}
		g.close()
		if err := <-drained; err != nil {
			t.Fatal(err)
		}
		g.places.waitFor(0)
		if got := l.sorted(); len(got) != 2 || !strings.HasPrefix(got[0], "a ") || !strings.HasPrefix(got[1], "held ") {
			t.Fatalf("on_disconnect was called with %q", got)
		}
		h.resume() // forgotten
		if st := g.Stats(); len(st) != 0 {
			t.Fatalf("it still tells %+v", st)
		}
		late := g.connect("late")
		if op, _, err := late.next(); op != frame.OpClose || err != nil {
			t.Fatalf("a late client got op %d, %v", op, err)
		}
		if err := g.Drain(t.Context(), 0, 0); err != nil {
			t.Fatal(err)
		}
		g.places.waitFor(0)
		g.pumps.Wait()
	})
}

func TestStartNeedsAProgramForEachShard(t *testing.T) {
	f := func(shards, programs int) {
		t.Helper()
		opt := options()
		opt.Shards = shards
		if set, err := New(opt, generation(1, programs, &hooks{})); err == nil {
			set.Stop()
			t.Errorf("%d shards started with %d programs", shards, programs)
		}
	}
	f(0, 0)
	f(2, 1)
	f(1, 2)
}
