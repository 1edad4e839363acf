//go:build linux

package shard

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

func TestABrokenConnectionDoesNotTakeTheMailboxBack(t *testing.T) {
	r := atHands(t, newStore(t, "epoll"))
	r.attach("b", true)
	r.attach("a", false)
	r.turn()
	r.in("b", `{"type":3}`)
	r.in("b", `{"type":8,"groups":["room"]}`)
	r.settleLog()
	old := r.s.dir.byID["b"]
	// In one turn: the old connection is found broken, the new one comes, the group is written to.
	r.s.inbox.post(&parcel{kind: parcelGone, slot: old.slot, serial: old.serial})
	r.attach("b", true)
	r.s.inbox.post(&parcel{kind: parcelCall, call: func() {
		r.in("a", `{"type":0,"messageId":"m1","to":{"group":"room"},"data":"mem x"}`)
	}})
	r.turn()
	c := r.s.dir.byID["b"]
	if c.box == nil || c.box.conn != c {
		t.Errorf("the mailbox of b has the connection %p, and b's is %p", c.box.conn, c)
	}
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("b leaves: %v", p)
		}
	}()
	r.s.breakOff(c)
	r.turn()
}

func TestAMessageThatWasWrittenIsDeliveredThoughItsRecipientLeavesInTheSameTurn(t *testing.T) {
	r := atHands(t, newStore(t, "epoll"))
	r.attach("a", false)
	b := r.attach("b", false)
	r.turn()
	go func() { // b reads
		buf := make([]byte, 1<<16)
		for {
			if _, err := b.conn.Read(buf); err != nil {
				return
			}
		}
	}()
	big := "mem" + strings.Repeat("x", 65000) // larger than writeBytes once it is framed: written at once
	r.s.inbox.post(&parcel{kind: parcelCall, call: func() {
		r.in("a", fmt.Sprintf(`{"type":0,"messageId":"m1","to":"b","receipt":true,"data":%q}`, big))
		r.in("a", fmt.Sprintf(`{"type":0,"messageId":"m2","to":"b","receipt":true,"data":%q}`, big))
	}})
	// b comes again, which ends the first connection
	r.attach("b", false)
	r.turn()
	for range 5 {
		r.turn()
	}
	if n := r.s.bounds.used; n == 0 && len(r.s.lates) > 0 {
		t.Errorf("nothing waits, and receipts are owed for %d entries that are free: %v; %d flights wait", len(r.s.lates), r.s.lates, r.s.flights.late)
	}
}

func TestAMessageThatExpiresBeforeItIsPassedOnIsToldAsExpired(t *testing.T) {
	st := newStore(t, "epoll")
	r := atHands(t, st, stageFunc(func(m *core.Message) (core.Verdict, error) {
		m.KeepIn(core.StorageMemory)
		m.Time -= 1500 // a stage held it, or the disk was slow
		return core.Next, nil
	}))
	a := r.attach("a", false)
	r.attach("b", false)
	r.turn()
	r.in("a", `{"type":0,"messageId":"m1","to":"b","data":"x","ttl":1,"receipt":true}`)
	for range 3 {
		r.turn()
	}
	if r.s.bounds.used != 0 || len(r.s.lates) != 0 || r.s.flights.late != 0 {
		t.Errorf("%d wait; receipts of %d freed entries and %d flights stay; a was told\n%s", r.s.bounds.used, len(r.s.lates), r.s.flights.late, joined(all(a)))
	}
}

func TestARepeatsReceiptIsGivenToo(t *testing.T) {
	r := atHands(t, newStore(t, "epoll"))
	a := r.attach("a", false)
	r.turn()
	const m = `{"type":0,"messageId":"m1","to":"b","data":"x","receipt":true}`
	for range 5 {
		r.in("a", m)
		r.settleLog()
	}
	b := r.attach("b", false)
	r.turn()
	r.settleLog()
	r.turn()
	if n := r.s.flights.late; n != 0 {
		t.Errorf("everything is delivered, and %d flights wait for receipts; a was told\n%s\nb got\n%s", n, joined(all(a)), joined(all(b)))
	}
}

func TestAMailboxThatIsGivenAMessageIsNotForgotten(t *testing.T) {
	st := newStore(t, "epoll")
	st.opt.Sessions = 2
	r := atHands(t, st)
	a := r.attach("a", false)
	r.turn()
	r.in("a", msg("m0", "busy", "x"))
	r.settleLog()
	r.in("a", `{"type":0,"messageId":"m1","to":["x1","x2"],"data":"x"}`)
	r.settleLog()
	all(a)
	waiting := 0
	for _, b := range r.s.boxList {
		waiting += int(b.count)
	}
	if waiting != int(r.s.bounds.used) {
		t.Errorf("%d messages wait in mailboxes, and %d are counted: x1 is %v, x2 is %v", waiting, r.s.bounds.used, r.s.boxes["x1"] != nil, r.s.boxes["x2"] != nil)
	}
}

func TestWhatExpiresAfterTheSessionIsNamed(t *testing.T) {
	st := newStore(t, "epoll")
	r := atHands(t, st)
	r.attach("a", false)
	r.attach("b", true)
	r.turn()
	r.in("b", `{"type":3}`)
	r.turn()
	r.in("a", msg("m1", "b", "x"))
	r.settleLog()
	r.in("b", `{"type":1,"seq":1}`)
	epoch := r.s.boxes["b"].epoch
	r.s.breakOff(r.s.dir.byID["b"])
	r.settleLog()
	r.in("a", `{"type":0,"messageId":"m2","to":"b","data":"x","ttl":60}`)
	r.settleLog()
	r.in("a", msg("m3", "b", "stays")) // so that the mailbox is not forgotten
	r.settleLog()
	// more than the lifetime of a session later
	r.s.boxes["b"].seen -= 2 * st.opt.SessionLifetime
	r.s.sweepOn()
	r.s.unixMillis += 61_000
	r.s.sweepOn()
	r.s.sweepOn()
	b := r.attach("b", true)
	r.turn()
	r.in("b", fmt.Sprintf(`{"type":3,"epoch":"%016x","seq":1}`, epoch))
	r.turn()
	text := joined(all(b))
	if strings.Contains(text, `"recovered":true`) && !strings.Contains(text, "expired") {
		t.Errorf("b had everything up to 1, m2 has expired, and it is told %s", text)
	}
}

func TestAGroupThatWasJoinedIsKnownAfterACrash(t *testing.T) {
	st := newStore(t, "epoll")
	r := atHands(t, st)
	r.attach("b", true)
	r.turn()
	r.in("b", `{"type":3}`)
	r.settleLog()
	r.in("b", `{"type":8,"groups":["room"]}`) // acknowledged with "joined"
	for range 10 {
		r.s.sweepOn()
		r.settleLog()
	}
	r.crash()
	r = atHands(t, st)
	a := r.attach("a", false)
	r.turn()
	r.in("a", `{"type":0,"messageId":"m1","to":{"group":"room"},"data":"x"}`)
	r.settleLog()
	if text := joined(all(a)); !strings.Contains(text, "queued") {
		t.Errorf("b was in the group when the process died; a is told %s", text)
	}
}

func TestACrashDoesNotEndTheSessionsOfThoseWhoAreConnected(t *testing.T) {
	st := newStore(t, "epoll")
	r := atHands(t, st)
	r.s.unixMillis = time.Now().UnixMilli()
	r.attach("desk-b", true)
	r.turn()
	r.in("desk-b", `{"type":3}`)
	r.s.boxes["desk-b"].seen -= 2 * st.opt.SessionLifetime // it has connected a while ago
	r.s.logState(r.s.boxes["desk-b"])
	r.settleLog()
	for range 10 {
		r.s.sweepOn() // it is still connected
		r.settleLog()
	}
	r.crash()
	r = atHands(t, st)
	a := r.attach("a", false)
	r.turn()
	r.s.sweepOn()
	r.s.sweepOn()
	r.in("a", `{"type":0,"messageId":"m1","to":{"prefix":"desk-"},"data":"x"}`)
	r.settleLog()
	if text := joined(all(a)); !strings.Contains(text, "queued") {
		t.Errorf("desk-b was connected when the process died; a is told %s", text)
	}
}

func TestARepeatIsNotToldMoreThanTheFirst(t *testing.T) {
	st := newStore(t, "epoll")
	st.sync = core.SyncOS
	r := atHands(t, st)
	a := r.attach("a", false)
	r.turn()
	r.in("a", msg("m1", "b", "x"))
	r.settleLog()
	r.in("a", msg("m1", "b", "x"))
	r.settleLog()
	if text := joined(all(a)); strings.Contains(text, `"disk"`) {
		t.Errorf("nothing was synced, and a is told\n%s", text)
	}
}

func TestANewEpochInTheCommitOfAMessage(t *testing.T) {
	st := newStore(t, "epoll")
	st.segment = 16 << 10
	r := atHands(t, st)
	a := r.attach("a", false)
	r.attach("b", true)
	r.turn()
	r.in("b", `{"type":3}`)
	r.settleLog()
	r.s.breakOff(r.s.dir.byID["b"])
	r.settleLog()
	fill := func(segments uint32) {
		head := r.s.head
		// One message at the least: after a release the log begins a segment by itself,
		// and the shard hears of that with its next commit.
		for i := 0; i == 0 || st.log.Stats().Head < head+segments; i++ {
			r.in("a", msg(fmt.Sprint("f", head, "-", i), "a", strings.Repeat("y", 3000)))
			r.settleLog()
			r.s.sweepOn()
			r.settleLog()
			all(a)
		}
	}
	fill(2)
	// In one filling: a message for b, and b comes as a plain client.
	r.in("a", msg("m1", "b", "one"))
	r.attach("b", false)
	r.s.open() // before the turn's submit: both are in one commit
	r.settleLog()
	r.s.breakOff(r.s.dir.byID["b"])
	r.settleLog()
	r.in("a", msg("m2", "b", "two"))
	r.settleLog()
	for r.set.Needed() < r.s.boxes["b"].home && r.s.boxes["b"].home < 8 {
		fill(1)
		st.log.Release(r.set.Needed())
	}
	fill(1)
	r.crash()
	r = atHands(t, st)
	b := r.attach("b", false)
	r.turn()
	r.settleLog()
	if text := joined(all(b)); !strings.Contains(text, `"m2"`) {
		t.Errorf("m2 was acknowledged as disk, and b gets: %q; %d messages are counted as waiting", text, r.s.bounds.used)
	}
}

func TestAConflatedMessageThatIsMovedWhileTheRingIsFull(t *testing.T) {
	st := newStore(t, "epoll")
	st.policy = core.OverflowConflate
	st.segment = 1 << 20
	st.opt.Ring.Bytes.Store(512 << 10)
	r := atHands(t, st)
	r.attach("a", false)
	for _, id := range []string{"b1", "b2"} {
		r.attach(id, true)
	}
	r.turn()
	for _, id := range []string{"b1", "b2"} {
		r.in(id, `{"type":3}`)
		r.in(id, `{"type":8,"groups":["room"]}`)
		r.s.breakOff(r.s.dir.byID[id])
	}
	r.settleLog()
	r.in("a", `{"type":0,"messageId":"m1","to":{"group":"room"},"headers":{"k":"K"},"data":"x"}`)
	r.settleLog()
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("the shard dies: %v", p)
		}
	}()
	// others fill the ring, and segments go by
	for i := range 400 {
		r.in("a", fmt.Sprintf(`{"type":0,"messageId":"f%d","to":"sink%d","data":%q}`, i, i%7, strings.Repeat("y", 9000)))
		r.settleLog()
	}
	for range 20 {
		r.s.sweepOn()
		r.settleLog()
	}
	r.in("a", `{"type":0,"messageId":"m2","to":{"group":"room"},"headers":{"k":"K"},"data":"x"}`)
	r.settleLog()
	// or they just come and get them
	for _, id := range []string{"b1", "b2"} {
		r.attach(id, true)
		r.turn()
		r.in(id, `{"type":3}`)
		r.settleLog()
		r.in(id, `{"type":1,"seq":1}`)
		r.settleLog()
	}
}
