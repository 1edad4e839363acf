package shard

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/stratix-gateway/stratix/core"
)

// Events, list entries and parcels that name a session that has ended do not
// touch the one that has its slot now.
func TestWhatNamesAnEndedSessionIsIgnored(t *testing.T) {
	x := byHand(t, oneShard(), &hooks{}, toSender)
	s := x.shards[0]
	a := x.connect("a")
	slot, serial := a.c.slot, a.c.serial
	s.makeReady(a.c)
	s.outbound(a.c)
	a.close()
	s.breakOff(a.c)
	s.breakOff(a.c)
	s.doomed = append(s.doomed, a.c, a.c) // twice more: it ends once
	s.reap()
	if x.left != 1 {
		t.Fatalf("its place was given back %d times", x.left)
	}
	b := x.connect("b")
	if b.c.slot != slot || b.c.serial == serial {
		t.Fatalf("slot %d, serial %d: the slot was not used again", b.c.slot, b.c.serial)
	}
	b.send(`{"type":0,"data":1}`)
	s.event(ready{slot: slot, serial: serial, readable: true, writable: true, hungUp: true})
	for _, kind := range []parcelKind{parcelInput, parcelGone, parcelRoom} {
		s.accept(&parcel{kind: kind, slot: slot, serial: serial, buf: masked(`{"type":0,"data":2}`)})
	}
	s.resumed([]*core.Message{heldBy(s, slot, serial)})
	x.turn(2)
	b.want(`{"type":0,"seq":1,"from":"b","data":1}`)
	if b.c.state != open || x.left != 1 {
		t.Fatal("it was ended in the other's place")
	}
}

// heldBy is a message that a stage held for a session.
func heldBy(s *Shard, slot, serial uint32) *core.Message {
	m := &core.Message{From: &core.Session{ID: "gone"}, Data: []byte("1")}
	s.program.Pipeline.Pending++
	m.Own(s, core.Held{Program: s.program, Slot: slot, Serial: serial})
	return m
}

// A recipient whose socket breaks while a group is walked is taken out behind
// the walk, also when it is the sender itself.
func TestASessionThatBreaksInsideAWalk(t *testing.T) {
	h := &hooks{}
	why := farewells(h)
	x := byHand(t, queued(DropOldest), h, toGroup("room"))
	s := x.shards[0]
	var all []*end
	for i := range 4 {
		c := x.connect(fmt.Sprint("c", i))
		c.send(`{"type":8,"groups":["room"]}`)
		x.turn(1)
		c.got()
		all = append(all, c)
	}
	// Two sockets are broken, and so much waits that the next message is written
	// at once.
	for _, i := range []int{0, 2} {
		_ = unix.Shutdown(int(all[i].c.fd), unix.SHUT_WR)
		o := s.outbound(all[i].c)
		o.buf = append(o.buf, make([]byte, writeBytes)...)
	}
	s.receive(all[0].c, []byte(`{"type":0,"messageId":"1","data":1}`))
	if s.dir.byID["c0"] != nil || s.dir.byID["c2"] != nil || len(s.dir.groups["room"].members) != 2 {
		t.Fatal("they are still listed")
	}
	x.turn(1)
	wantList(t, *why, "c2 lost", "c0 lost")
	for _, i := range []int{1, 3} {
		all[i].want(echoed(1, "c0", "1", "1"))
	}
	if x.left != 2 {
		t.Fatalf("%d places were given back", x.left)
	}
}

func TestAStampIsNeverSeenTwice(t *testing.T) {
	x := byHand(t, oneShard(), &hooks{})
	s := x.shards[0]
	a, b, c := x.connect("a"), x.connect("b"), x.connect("c")
	s.stamp = 1<<32 - 1 // the next one is the first again
	b.c.stamp, c.c.stamp = 1, 2
	for range 4 {
		a.send(`{"type":0,"messageId":"m","to":["a","b","c","b"],"data":1}`)
		x.turn(2)
		if got := a.got(); len(got) != 2 || got[1] != `{"type":1,"messageId":"m","stored":"memory","status":"delivered","delivered":3}` {
			t.Fatalf("got %q", got)
		}
	}
}

// Targets that no client can have, and too many.
func TestTargetsOfAStage(t *testing.T) {
	var targets []core.Target
	x := byHand(t, options(), &hooks{}, stageFunc(func(m *core.Message) (core.Verdict, error) {
		m.Effects.Targets = append(m.Effects.Targets, targets...)
		m.Effects.Joins = append(m.Effects.Joins, "joined")
		return core.Next, nil
	}))
	a := x.connect(x.idOn(0, "a"))
	f := func(want string, to ...core.Target) {
		t.Helper()
		targets = to
		a.send(`{"type":0,"messageId":"m","data":1}`)
		x.turn(4)
		wantStatus(t, statuses(a.got()), "m", want)
	}
	long := strings.Repeat("x", 1<<16)
	f("offline", core.Target{Kind: core.ToClient, Name: long})
	f("offline", core.Target{Kind: core.ToGroup, Name: long}, core.Target{Kind: core.ToPrefix, Name: long})
	f("delivered", core.Target{Kind: core.ToClient, Name: long}, core.Target{Kind: core.ToSender})
	f("delivered", core.Target{Kind: core.ToGroup, Name: "joined"})
	many := make([]core.Target, core.MaxTargets+1)
	for i := range many {
		many[i] = core.Target{Kind: core.ToSender}
	}
	f("delivered", many[1:]...)
	f("limit", many...)
}

// A message whose target is refused leaves nothing behind.
func TestARefusedMessageDoesNotJoin(t *testing.T) {
	x := byHand(t, oneShard(), &hooks{}, stageFunc(func(m *core.Message) (core.Verdict, error) {
		m.Effects.Joins = append(m.Effects.Joins, "room")
		return core.Next, nil
	}))
	a := x.connect("a")
	a.send(`{"type":0,"messageId":"m","to":["ok",7],"data":1}`)
	x.turn(1)
	wantStatus(t, statuses(a.got()), "m", "bad_message")
	if len(a.c.groups) != 0 {
		t.Fatal("it joined")
	}
}
