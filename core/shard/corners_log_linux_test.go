//go:build linux

package shard

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core/record"
)

func TestANewEpochRemembersThatSomeSeqsAreNotInTheLog(t *testing.T) {
	st := newStore(t, "epoll")
	r := atHands(t, st)
	r.attach("a", false)
	r.attach("b", true)
	r.turn()
	r.in("b", `{"type":3}`)
	r.settleLog()
	r.s.breakOff(r.s.dir.byID["b"])
	r.settleLog()
	for range 5 {
		r.s.sweepOn()
		r.settleLog()
	}
	// in one filling: a message in memory only, and b comes as a plain client
	r.in("a", msg("m0", "b", "mem"))
	r.in("a", msg("m1", "b", "mem"))
	r.attach("b", false)
	r.s.open()
	r.settleLog()
	b := r.attach("b", true)
	r.turn()
	r.in("b", `{"type":3}`)
	r.settleLog()
	epoch, seq := r.s.boxes["b"].epoch, r.s.boxes["b"].seq
	all(b)
	r.crash()
	r = atHands(t, st)
	a := r.attach("a", false)
	r.turn()
	r.in("a", msg("m2", "b", "durable"))
	r.settleLog()
	all(a)
	b = r.attach("b", true)
	r.turn()
	r.in("b", fmt.Sprintf(`{"type":3,"epoch":"%016x","seq":%d}`, epoch, seq))
	r.settleLog()
	text := joined(all(b))
	if !strings.Contains(text, `"m2"`) {
		t.Errorf("m2 was acknowledged as disk; b is told %s; %d messages wait", text, r.s.bounds.used)
	}
}

func TestAMessageToVeryManyDoesNotRefuseThoseOfOthers(t *testing.T) {
	st := newStore(t, "epoll")
	r := atHands(t, st)
	a := r.attach("a", false)
	r.attach("z", false)
	r.turn()
	prefix := strings.Repeat("p", 120)
	const n = 130_000 // sessions of stratix.v1 that are offline
	for i := range n {
		b := r.s.newBox(fmt.Sprintf("%s%08d", prefix, i))
		b.reliable = true
		r.s.dir.absent.ReplaceOrInsert(b)
	}
	r.in("z", msg("other", "zz", "x"))
	r.in("a", fmt.Sprintf(`{"type":0,"messageId":"m1","to":{"prefix":%q},"data":"x"}`, prefix))
	r.in("z", msg("other2", "zz", "x"))
	r.settleLog()
	all(a)
	if r.s.count.CommitsFailed > 0 {
		t.Errorf("%d commits failed; %d messages wait", r.s.count.CommitsFailed, r.s.bounds.used)
	}
	r.s.submit()
	for range 5 {
		r.settleLog()
	}
	r.in("a", msg("again", "zz", "x"))
	r.settleLog()
	all(a)
}

func TestOneMessageTakesNoMoreThanItsSendersShare(t *testing.T) {
	st := newStore(t, "epoll")
	st.opt.Ring.SenderMessages.Store(100)
	r := atHands(t, st)
	r.attach("a", false)
	r.turn()
	for i := range 5000 {
		b := r.s.newBox(fmt.Sprintf("p%08d", i))
		b.reliable = true
		r.s.dir.absent.ReplaceOrInsert(b)
	}
	r.in("a", `{"type":0,"messageId":"m1","to":{"prefix":"p"},"data":"x"}`)
	r.settleLog()
	if n := r.s.bounds.used; n > 100 {
		t.Errorf("%d messages of one sender wait, of 100 that may", n)
	}
}

func TestALetterThatWasMovedWhileItIsReadIsReadThere(t *testing.T) {
	st := newStore(t, "epoll")
	st.segment = 64 << 10
	st.opt.Ring.Bytes.Store(1) // all letters are on the disk alone
	r := atHands(t, st)
	a := r.attach("a", false)
	r.turn()
	r.in("a", msg("m1", "b", "x"))
	r.settleLog()
	// the pager is slow: it has others to serve
	slow := newPager(st.log)
	slow.close()
	right := r.s.opt.pager
	r.s.opt.pager = slow // asks, and nobody answers
	b := r.attach("b", true)
	r.turn()
	r.in("b", `{"type":3}`)
	r.turn()
	job := slow.todo[0]
	r.s.opt.pager = right
	first := st.log.Stats().Head
	for i := 0; st.log.Stats().Head < first+6; i++ {
		r.in("a", msg(fmt.Sprint("f", i), "a", strings.Repeat("y", 5000)))
		r.settleLog()
		r.s.sweepOn()
		r.settleLog()
		st.log.Release(r.set.Needed())
		all(a)
	}
	for end := time.Now().Add(5 * time.Second); st.log.Segments()[0].Number <= first && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		r.s.sweepOn()
		r.settleLog()
		st.log.Release(r.set.Needed())
	}
	for i := range job.of {
		m := &job.of[i]
		m.record, m.err = st.log.ReadRecord(m.at, nil)
	}
	r.s.inbox.post(&parcel{kind: parcelPaged, paging: job})
	text := ""
	until(t, "b is told of m1", func() bool {
		r.settleLog()
		text += joined(all(b))
		return strings.Contains(text, `"m1"`) || strings.Contains(text, "damaged")
	})
	if strings.Contains(text, "damaged") {
		t.Errorf("m1 is intact in the log, and b is told %s", text)
	}
}

func TestWithoutDescriptorsMessagesWaitOnTheDisk(t *testing.T) {
	st := newStore(t, "epoll")
	st.segment = 64 << 10
	st.opt.Ring.Bytes.Store(1) // all letters are on the disk alone
	r := atHands(t, st)
	a := r.attach("a", false)
	r.turn()
	const n = 12
	for i := range n { // no file is open to be read
		r.in("a", msg(fmt.Sprint("m", i), "b", strings.Repeat("y", 5000)))
		r.settleLog()
		all(a)
	}
	st.files.NoOpens(true)
	b := r.attach("b", true)
	r.turn()
	r.in("b", `{"type":3}`)
	text := ""
	until(t, "nothing can be read", func() bool {
		r.settleLog()
		text += joined(all(b))
		return len(r.s.unread) > 0 || strings.Contains(text, "damaged")
	})
	if r.s.feedHungry(); strings.Contains(text, "damaged") || r.s.bounds.used != n {
		t.Fatalf("%d messages are intact in the log, %d wait, and b is told %.300s", n, r.s.bounds.used, text)
	}
	st.files.NoOpens(false)
	until(t, "b has all", func() bool {
		r.s.readAgain()
		r.settleLog()
		text += joined(all(b))
		return strings.Contains(text, fmt.Sprintf(`"m%d"`, n-1)) || strings.Contains(text, "damaged")
	})
	if got := strings.Count(text, `{"type":0,`); got != n || strings.Contains(text, "damaged") {
		t.Errorf("b got %d of %d messages: %.300s", got, n, text)
	}
}

func TestAForgottenMailboxStaysForgottenThoughTheDiskWasFull(t *testing.T) {
	st := newStore(t, "epoll")
	r := atHands(t, st)
	a := r.attach("a", false)
	b := r.attach("b", false)
	r.attach("h", true)
	r.turn()
	r.in("h", `{"type":3}`)
	r.in("a", msg("m1", "b", "old"))
	r.settleLog()
	all(b)
	// b is served and leaves; the disk is full for long
	st.files.Full(true)
	r.in("a", msg("x", "x", "refused"))
	r.settleLog()
	r.s.breakOff(r.s.dir.byID["b"])
	r.turn()
	r.s.boxes["b"].seen -= plainIdle + 1
	r.s.sweepOn()
	r.s.sweepOn()
	for i := range 40 { // what nobody waits for gets too much: sessions come and go
		buf := strings.Repeat("g", 60_000)
		r.s.logRecord(func(b []byte) []byte {
			return record.AppendGone(b, 1, record.Expired, record.Range{From: 1, To: 1})
		})
		r.s.logRecord(func(b []byte) []byte {
			return record.AppendSession(b, &record.State{Name: "h2", Epoch: uint64(i) + 5, Groups: []string{buf}})
		})
	}
	r.settleLog()
	r.in("a", msg("y", "x", "refused"))
	r.settleLog()
	st.files.Full(false)
	r.settleLog()
	r.in("a", msg("m2", "b", "new"))
	r.settleLog()
	all(a)
	r.crash()
	r = atHands(t, st)
	b = r.attach("b", false)
	r.turn()
	r.settleLog()
	if text := joined(all(b)); !strings.Contains(text, `"m2"`) {
		t.Errorf("m2 was acknowledged as disk; b gets %s; %d messages wait", text, r.s.bounds.used)
	}
}

func TestANewEpochIsLinkedToTheOldOneThoughTheDiskWasFull(t *testing.T) {
	st := newStore(t, "epoll")
	r := atHands(t, st)
	a := r.attach("a", false)
	r.attach("b", true)
	r.turn()
	r.in("b", `{"type":3}`)
	r.in("a", msg("m1", "b", "old"))
	r.settleLog()
	// the disk is full for long, and b gets another epoch
	st.files.Full(true)
	r.in("a", msg("x", "x", "refused"))
	r.settleLog()
	r.s.renew(r.s.boxes["b"])
	for i := range 40 { // what nobody waits for gets too much: sessions come and go
		r.s.logRecord(func(b []byte) []byte {
			return record.AppendSession(b, &record.State{Name: "h2", Epoch: uint64(i) + 5, Groups: []string{strings.Repeat("g", 60_000)}})
		})
	}
	r.settleLog()
	r.in("a", msg("y", "x", "refused"))
	r.settleLog()
	st.files.Full(false)
	r.settleLog()
	r.in("a", msg("m2", "b", "new"))
	r.settleLog()
	all(a)
	r.crash()
	r = atHands(t, st)
	b := r.attach("b", true)
	r.turn()
	r.in("b", `{"type":3}`)
	r.settleLog()
	if text := joined(all(b)); !strings.Contains(text, `"m1"`) || !strings.Contains(text, `"m2"`) {
		t.Errorf("m1 and m2 were acknowledged as disk; b gets %s; %d messages wait", text, r.s.bounds.used)
	}
}
