package shard

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/record"
)

// until waits for what happens by itself.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestSpansHoldWhatWasRemembered(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		b := &mailbox{seq: 40, reliable: random.IntN(2) == 0}
		model := map[uint64]record.Cause{}
		for range random.IntN(60) {
			cause := []record.Cause{0, 0, record.Expired, record.Overflow}[random.IntN(4)]
			from := 1 + random.Uint64N(40)
			r := record.Range{From: from, To: from}
			if random.IntN(4) == 0 {
				r.To = from + random.Uint64N(5)
			}
			if random.IntN(2) == 0 && r.From == r.To {
				b.remember(r.From, cause)
			} else {
				b.rememberRange(r, cause)
			}
			for seq := r.From; seq <= min(r.To, 40); seq++ {
				if _, known := model[seq]; !known {
					model[seq] = cause
				}
			}
			b.advance()
		}
		for i := 1; i < len(b.spans); i++ {
			if a, c := b.spans[i-1], b.spans[i]; a.To >= c.From || a.To+1 == c.From && a.Cause == c.Cause {
				t.Fatalf("the spans %v are not in order, or not joined", b.spans)
			}
		}
		if len(b.spans) > 0 && b.spans[0].From <= b.upto {
			t.Fatalf("the spans %v begin before %d", b.spans, b.upto)
		}
		for seq := uint64(1); seq <= 40; seq++ {
			cause, done := b.outcome(seq)
			want, known := model[seq]
			if done != known || seq > b.upto && cause != want {
				t.Fatalf("seq %d is %v %v in %v after %d, want %v %v", seq, cause, done, b.spans, b.upto, want, known)
			}
			if b.reliable && want != 0 && seq <= b.upto {
				t.Fatalf("a gap at %d is forgotten: all up to %d is settled", seq, b.upto)
			}
		}
	}
}

func TestSpansThatNobodyAcknowledgesAreBounded(t *testing.T) {
	b := &mailbox{reliable: true}
	named := uint64(0)
	for seq := uint64(1); seq <= 100_000; seq++ {
		b.seq = seq
		if b.count < 50 && seq%100 == 50 {
			b.count++ // this one waits
			continue
		}
		cause := record.Cause(seq % 3)
		if b.remember(seq, cause); cause != 0 {
			named++
		}
		b.advance()
		if len(b.spans) > maxSpans+int(b.count) {
			t.Fatalf("%d spans, of which %d messages that wait are between", len(b.spans), b.count)
		}
	}
	for seq := uint64(1); seq <= b.seq; seq++ {
		cause, done := b.outcome(seq)
		if waits := seq < 5000 && seq%100 == 50; done == waits {
			t.Fatalf("seq %d is done: %t, and waits: %t", seq, done, waits)
		}
		if done && cause == 0 && seq%3 != 0 {
			t.Fatalf("seq %d is a gap that is not named any more", seq)
		}
	}
	if b.upto != 0 || named == 0 {
		t.Errorf("all up to %d is settled, though seq 1 is a gap", b.upto)
	}
}

func TestFewOldMessagesDoNotHoldTheLog(t *testing.T) {
	st := newStore(t, transports[0])
	st.segment = 64 << 10
	g := st.start()
	a, b := g.connect("a"), g.connect("b")
	old, h := g.resume("old", "", 0)
	old.conn.Close()
	g.await(2)
	for i := range 5 {
		a.send(msg(fmt.Sprint("old", i), "old", "x"))
		a.want(ack(fmt.Sprint("old", i), "disk", "queued"))
	}
	first := st.log.Stats().Head
	long := strings.Repeat("y", 4<<10)
	for i := 0; st.log.Stats().Head < first+20; i++ {
		a.send(msg(fmt.Sprint("m", i), "b", long))
		b.text()
		a.text()
	}
	until(t, "the old segments are deleted", func() bool {
		st.log.Release(g.Needed())
		return st.log.Segments()[0].Number > first+8
	})
	g = st.restart()
	old, again := g.resume("old", h.Epoch, 0)
	if !again.Recovered || again.Last != 5 || again.Gaps != nil {
		t.Fatalf("after a restart the client is told %+v", again)
	}
	for i := range 5 {
		old.want(got(i+1, "a", fmt.Sprint("old", i), "x"))
	}
}

func TestAfterACrashUnderAWeakerSyncNobodyReliesOnSeqs(t *testing.T) {
	f := func(sync core.Sync, crash, recovered bool) {
		t.Helper()
		st := newStore(t, transports[0])
		st.sync = sync
		g := st.start()
		stored := "os"
		if sync == core.SyncCommit {
			stored = "disk"
		}
		st.note(false)
		b, h := g.resume("b", "", 0)
		a := g.connect("a")
		a.send(msg("m1", "b", "x"))
		a.want(ack("m1", stored, "queued"))
		b.want(got(1, "a", "m1", "x"))
		if !crash {
			g.close()
			st.note(true)
		}
		g = st.restart()
		if _, again := g.resume("b", h.Epoch, 0); again.Recovered != recovered {
			t.Errorf("under sync %d, crash %v: the client is told %+v", sync, crash, again)
		}
	}
	f(core.SyncCommit, true, true)
	f(core.SyncOS, true, false)
	f(core.SyncInterval, true, false)
	f(core.SyncOS, false, true)
}

// note writes what the gateway writes when it begins, and when it ends.
func (st *store) note(ended bool) {
	st.t.Helper()
	done := make(chan error, 1)
	b := &journal.Batch{
		Buf:  journal.AppendRecord(nil, record.AppendRun(nil, st.sync, ended)),
		Done: func(b *journal.Batch) { done <- b.Err },
	}
	st.log.Submit(b)
	if err := <-done; err != nil {
		st.t.Fatal(err)
	}
}

func TestDamageIsNamedToThoseWhomItConcerns(t *testing.T) {
	st := newStore(t, transports[0])
	st.segment = 64 << 10
	g := st.start()
	b, h := g.resume("b", "", 0)
	b.conn.Close()
	a := g.connect("a")
	g.await(1)
	for i := range 3 {
		a.send(msg(fmt.Sprint("m", i), "b", strings.Repeat("x", 1000)))
		a.want(ack(fmt.Sprint("m", i), "disk", "queued"))
	}
	damaged := st.log.Stats().Head
	for i := 3; st.log.Stats().Head == damaged; i++ {
		a.send(msg(fmt.Sprint("m", i), "b", strings.Repeat("x", 1000)))
		a.text()
	}
	g.close()
	if err := st.log.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(st.dir, fmt.Sprintf("%08d.seg", damaged))
	bytes, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(bytes), `"m1"`)
	bytes[at+1] ^= 1
	if err := os.WriteFile(path, bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	g = st.start()
	b, again := g.resume("b", h.Epoch, 0)
	if !again.Recovered || string(again.Gaps) != `[[2,2,"damaged"]]` {
		t.Fatalf("the client is told %+v %s", again, again.Gaps)
	}
	if text := b.text(); !strings.Contains(text, `"messageId":"m0"`) {
		t.Fatalf("got %s", text)
	}
	if text := b.text(); !strings.Contains(text, `"messageId":"m2"`) {
		t.Fatalf("got %s", text)
	}
}

func TestAFailedSyncIsWrittenAnewElsewhere(t *testing.T) {
	st := newStore(t, transports[0])
	g := st.start()
	a := g.connect("a")
	a.send(msg("m1", "b", "x"))
	a.want(ack("m1", "disk", "queued"))
	st.files.FailSyncs(1)
	a.send(msg("m2", "b", "y"))
	a.want(ack("m2", "disk", "queued"))
	st.files.FailSyncs(-1)
	a.send(msg("m3", "b", "z"))
	a.want(`{"type":2,"messageId":"m3","code":"storage_failed","error":"the message could not be written to the disk; nothing of it was kept"}`)
	st.files.FailSyncs(0)
	a.send(msg("m3", "b", "z"))
	a.want(ack("m3", "disk", "queued"))
	g = st.restart()
	g.connect("b").want(got(1, "a", "m1", "x"), got(2, "a", "m2", "y"), got(3, "a", "m3", "z"))
	if again := st.files.AfterFailedSync(); len(again) > 0 {
		t.Errorf("files were used after a sync of them had failed: %v", again)
	}
}

func TestUnsyncedWritesVanishInACrashAndNothingThatWasTold(t *testing.T) {
	st := newStore(t, transports[0])
	if err := st.files.Lose(true); err != nil {
		t.Fatal(err)
	}
	g := st.start()
	a := g.connect("a")
	const n = 50
	for i := range n {
		a.send(msg(fmt.Sprint("m", i), "b", "x"))
	}
	for i := range n {
		a.want(ack(fmt.Sprint("m", i), "disk", "queued"))
	}
	st.files.Crash()
	g.close()
	_ = st.log.Close(context.Background())
	st.files.Restart()
	g = st.start()
	b := g.connect("b")
	for i := range n {
		b.want(got(i+1, "a", fmt.Sprint("m", i), "x"))
	}
}

func TestTheBoundsOfTheRing(t *testing.T) {
	f := func(name string, set func(*core.Ring), refused string) {
		t.Run(name, func(t *testing.T) {
			st := newStore(t, transports[0])
			set(st.opt.Ring)
			g := st.start()
			a := g.connect("a")
			answered := 0
			for i := range 30 {
				a.send(msg(fmt.Sprint("m", i), fmt.Sprint("b", i), "mem"))
				if text := a.text(); strings.Contains(text, refused) {
					break
				}
				answered++
			}
			if answered < 10 || answered == 30 {
				t.Fatalf("%d of 30 messages were kept", answered)
			}
			// What is delivered makes room.
			for i := range answered {
				g.connect(fmt.Sprint("b", i)).text()
			}
			until(t, "there is room again", func() bool {
				a.send(msg("again", "b29", "mem"))
				return strings.Contains(a.text(), "queued")
			})
		})
	}
	f("messages", func(r *core.Ring) { r.Messages.Store(20) }, "the recipient's queue is full")
	f("messages of a sender", func(r *core.Ring) { r.SenderMessages.Store(10) }, "too many messages of this sender")
}

func TestASessionEnds(t *testing.T) {
	st := newStore(t, transports[0])
	st.opt.SessionLifetime = 0
	g := st.start()
	b, h := g.resume("b", "", 0)
	b.send(`{"type":8,"groups":["room"]}`)
	b.want(`{"type":1,"joined":["room"]}`)
	a := g.connect("a")
	a.send(`{"type":0,"messageId":"m0","to":{"group":"room"},"data":"x"}`)
	a.want(`{"type":1,"messageId":"m0","stored":"disk","status":"queued","queued":1}`)
	b.conn.Close()
	until(t, "its groups do not know it any more", func() bool {
		a.send(`{"type":0,"to":{"group":"room"},"messageId":"m1","data":"none"}`)
		if !strings.Contains(a.text(), "offline") {
			return false
		}
		a.send(`{"type":0,"to":{"group":"room"},"messageId":"m2","data":"kept"}`)
		return strings.Contains(a.text(), "offline")
	})
	a.send(msg("m3", "b", "still"))
	a.want(ack("m3", "disk", "queued"))
	b, again := g.resume("b", h.Epoch, 0)
	if again.Recovered {
		t.Fatalf("after its session the client is told %+v", again)
	}
	if text := b.text(); !strings.Contains(text, `"messageId":"m0"`) {
		t.Fatalf("got %s, want m0", text)
	}
	text := b.text()
	if strings.Contains(text, `"messageId":"m2"`) { // it came before the end
		text = b.text()
	}
	if !strings.Contains(text, `"messageId":"m3"`) {
		t.Fatalf("got %s, want m3", text)
	}
	b.send(`{"type":3}`)
	b.want(`{"type":2,"code":"bad_message","error":"hello comes once on a connection"}`)
}

func TestAcksFromEverywhere(t *testing.T) {
	st := newStore(t, transports[0])
	st.opt.Window = 4
	g := st.start()
	b, h := g.resume("b", "", 0)
	a := g.connect("a")
	for i := 1; i <= 8; i++ {
		a.send(msg(fmt.Sprint("m", i), "b", "x"))
		a.want(ack(fmt.Sprint("m", i), "disk", "queued"))
	}
	for i := 1; i <= 4; i++ {
		b.want(got(i, "a", fmt.Sprint("m", i), "x"))
	}
	b.send(`{"type":1,"seq":9}`)
	b.want(`{"type":2,"code":"bad_message","error":"seq acknowledges what was not given"}`)
	b.send(`{"type":1,"seq":0,"also":[[3,3],[2,3],[6,8],[100,18446744073709551615]]}`) // 6 to 8 were not sent: they still come
	b.want(got(5, "a", "m5", "x"), got(6, "a", "m6", "x"))
	b.send(`{"type":1,"seq":0,"also":[[5,4]]}`)
	b.want(`{"type":2,"code":"bad_message","error":"also must be an array of at most 4096 pairs of integers, each with its lower end first"}`)
	b.send(`{"type":1,"seq":1,"also":[[4,4]]}`)
	b.want(got(7, "a", "m7", "x"), got(8, "a", "m8", "x"))
	b.send(`{"type":1,"seq":3}`)
	b.conn.Close()
	b, again := g.resume("b", h.Epoch, 4)
	if !again.Recovered || again.Seq != 4 || again.Last != 8 {
		t.Fatalf("the client is told %+v", again)
	}
	for i := 5; i <= 8; i++ {
		b.want(got(i, "a", fmt.Sprint("m", i), "x"))
	}
}
