package shard

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/journal/faults"
)

// marking keeps what data or a header asks for: messages whose payload begins
// with "mem" in memory, "none" nowhere, all others on the disk.
func marking(policy core.Overflow) stageFunc {
	return func(m *core.Message) (core.Verdict, error) {
		switch data := strings.Trim(string(m.Data), `"`); {
		case strings.HasPrefix(data, "none"):
		case strings.HasPrefix(data, "mem"):
			m.KeepIn(core.StorageMemory)
		default:
			m.KeepIn(core.StorageDisk)
		}
		m.Overflow = policy
		if policy == core.OverflowConflate {
			m.ConflateKey = m.Headers
		}
		return core.Next, nil
	}
}

// store is what a gateway that is started again finds.
type store struct {
	t         *testing.T
	dir       string
	files     *faults.FS
	disk      *faults.Small // in place of files, if there is one
	transport string
	opt       Options
	policy    core.Overflow
	sync      core.Sync
	segment   int64 // bytes; with it nothing is retained that is not needed
	gate      *gate
	log       *journal.Journal
}

func newStore(t *testing.T, transport string) *store {
	t.Helper()
	return &store{t: t, dir: t.TempDir(), files: faults.New(journal.OS()), transport: transport, opt: options()}
}

// start starts the shards on what is in the store.
func (st *store) start() *gate {
	st.t.Helper()
	settings := core.DefaultDiskSettings()
	settings.Sync, settings.Segment = st.sync, 1<<20
	if st.segment > 0 {
		settings.Segment, settings.RetainBytes, settings.RetainAge = st.segment, 0, 0
	}
	var err error
	if st.log, err = journal.Open(journal.Options{Dir: st.dir, FS: st.files, Settings: settings, Log: st.opt.Log}); err != nil {
		st.t.Fatal(err)
	}
	opt := st.opt
	opt.Journal = st.log
	set, err := New(opt, generation(1, opt.Shards, &hooks{}, marking(st.policy)))
	if err != nil {
		st.t.Fatal(err)
	}
	rec := set.Recover(time.Now().Unix())
	report, err := st.log.Replay(func(at journal.Position, millis int64, b []byte) error {
		rec.Record(at, millis, b)
		return nil
	}, nil)
	if err != nil {
		st.t.Fatal(err)
	}
	var damaged []journal.Position
	for _, d := range report.Damaged {
		damaged = append(damaged, d.From)
	}
	rec.End(damaged)
	st.log.Start()
	set.Run()
	st.gate = serving(st.t, set, st.transport)
	log := st.log
	st.t.Cleanup(func() { _ = log.Close(context.Background()) })
	return st.gate
}

// restart ends the shards in order and starts them again.
func (st *store) restart() *gate {
	st.t.Helper()
	st.gate.close()
	if err := st.log.Close(context.Background()); err != nil {
		st.t.Fatal(err)
	}
	return st.start()
}

// hello is what a reliable client gets to know.
type hello struct {
	Type      int             `json:"type"`
	Epoch     string          `json:"epoch"`
	Seq       uint64          `json:"seq"`
	Last      uint64          `json:"last"`
	Recovered bool            `json:"recovered"`
	Gaps      json.RawMessage `json:"gaps"`
}

// resume connects a reliable client that says it has everything up to seq of
// the epoch; "" says nothing.
func (g *gate) resume(id, epoch string, seq int) (*client, hello) {
	g.t.Helper()
	c := g.connectWith(Client{ID: id, Reliable: true})
	if epoch == "" {
		c.send(`{"type":3}`)
	} else {
		c.send(fmt.Sprintf(`{"type":3,"epoch":%q,"seq":%d}`, epoch, seq))
	}
	var h hello
	text := c.text()
	if err := json.Unmarshal([]byte(text), &h); err != nil || h.Type != 3 {
		g.t.Fatalf("got %s in answer to a hello", text)
	}
	return c, h
}

func msg(id, to, data string) string {
	return fmt.Sprintf(`{"type":0,"messageId":%q,"to":%q,"data":%q}`, id, to, data)
}

func got(seq int, from, id, data string) string {
	return fmt.Sprintf(`{"type":0,"seq":%d,"from":%q,"messageId":%q,"data":%q}`, seq, from, id, data)
}

func ack(id, stored, status string) string {
	return fmt.Sprintf(`{"type":1,"messageId":%q,"stored":%q,"status":%q}`, id, stored, status)
}

func TestADurableMessageReachesAPlainClientAndIsAcknowledged(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		g := newStore(t, transport).start()
		a, b := g.connect("a"), g.connect("b")
		g.await(2)
		a.send(msg("m1", "b", "hi"))
		b.want(got(1, "a", "m1", "hi"))
		a.want(ack("m1", "disk", "delivered"))
		a.send(msg("m2", "a", "to myself"))
		a.want(got(1, "a", "m2", "to myself"), ack("m2", "disk", "delivered"))
	})
}

func TestAMessageWaitsForAClientThatIsNotThere(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		st := newStore(t, transport)
		g := st.start()
		a := g.connect("a")
		a.send(msg("m1", "b", "one"))
		a.want(ack("m1", "disk", "queued"))
		a.send(msg("m2", "b", "mem two"))
		a.want(ack("m2", "memory", "queued"))
		b := g.connect("b")
		b.want(got(1, "a", "m1", "one"), got(2, "a", "m2", "mem two"))
		a.send(msg("m3", "b", "three"))
		b.want(got(3, "a", "m3", "three"))
		a.want(ack("m3", "disk", "delivered"))
	})
}

func TestAReliableClientGetsAgainWhatItHasNotAcknowledged(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		st := newStore(t, transport)
		g := st.start()
		b, h := g.resume("b", "", 0)
		if h.Recovered || h.Seq != 0 || h.Last != 0 {
			t.Fatalf("a new client is told %+v", h)
		}
		a := g.connect("a")
		for i := 1; i <= 5; i++ {
			a.send(msg(fmt.Sprint("m", i), "b", "x"))
			b.want(got(i, "a", fmt.Sprint("m", i), "x"))
			a.want(ack(fmt.Sprint("m", i), "disk", "queued"))
		}
		b.send(`{"type":1,"seq":2,"also":[[4,4]]}`)
		b.send(`{"type":4}`)
		b.want(`{"type":5}`)
		b.conn.Close()
		b, again := g.resume("b", h.Epoch, 2)
		if !again.Recovered || again.Epoch != h.Epoch || again.Seq != 2 || again.Last != 5 {
			t.Fatalf("the resumed client is told %+v", again)
		}
		b.want(got(3, "a", "m3", "x"), got(5, "a", "m5", "x"))
		// The process is started again: the log knows what was settled.
		g = st.restart()
		b, again = g.resume("b", h.Epoch, 3)
		if !again.Recovered || again.Epoch != h.Epoch || again.Seq != 4 || again.Last != 5 || again.Gaps != nil {
			t.Fatalf("after a restart the client is told %+v", again)
		}
		b.want(got(5, "a", "m5", "x"))
	})
}

func TestAReceiptComesWithTheAcknowledgement(t *testing.T) {
	g := newStore(t, transports[0]).start()
	b, _ := g.resume("b", "", 0)
	a := g.connect("a")
	a.send(`{"type":0,"messageId":"m1","to":"b","data":"x","receipt":true}`)
	b.want(got(1, "a", "m1", "x"))
	a.want(ack("m1", "disk", "queued"))
	b.send(`{"type":1,"seq":1}`)
	a.want(ack("m1", "disk", "delivered"))
}

func TestARepeatIsAnsweredAndNotDeliveredAgain(t *testing.T) {
	st := newStore(t, transports[0])
	g := st.start()
	b, h := g.resume("b", "", 0)
	a := g.connect("a")
	a.send(msg("m1", "b", "x"))
	a.send(msg("m1", "b", "x")) // while the first waits for its commit
	a.want(ack("m1", "disk", "queued"), ack("m1", "disk", "queued"))
	b.want(got(1, "a", "m1", "x"))
	b.send(`{"type":1,"seq":1}`)
	b.send(`{"type":4}`)
	b.want(`{"type":5}`)
	a.send(msg("m1", "b", "x"))
	a.want(ack("m1", "disk", "delivered"))
	// The window survives a restart, and only the missing recipients get it.
	g = st.restart()
	a = g.connect("a")
	b, again := g.resume("b", h.Epoch, 1)
	if !again.Recovered || again.Last != 1 {
		t.Fatalf("after a restart the client is told %+v", again)
	}
	a.send(`{"type":0,"messageId":"m1","to":["b","c"],"data":"x"}`)
	a.want(`{"type":1,"messageId":"m1","stored":"disk","status":"queued","delivered":1,"queued":1}`)
	c := g.connect("c")
	c.want(got(1, "a", "m1", "x"))
	a.send(msg("m2", "b", "y"))
	b.want(got(2, "a", "m2", "y"))
}

func TestPrefixesAndGroupsReachThoseWithASession(t *testing.T) {
	st := newStore(t, transports[0])
	g := st.start()
	b, h := g.resume("desk-1", "", 0)
	b.send(`{"type":8,"groups":["room"]}`)
	b.want(`{"type":1,"joined":["room"]}`)
	p := g.connect("desk-2") // plain: its session ends with its connection
	p.send(`{"type":8,"groups":["room"]}`)
	p.want(`{"type":1,"joined":["room"]}`)
	b.conn.Close()
	p.conn.Close()
	g.await(0)
	g = st.restart()
	a := g.connect("a")
	a.send(`{"type":0,"messageId":"m1","to":{"group":"room"},"data":"x"}`)
	a.want(`{"type":1,"messageId":"m1","stored":"disk","status":"queued","queued":1}`)
	a.send(`{"type":0,"messageId":"m2","to":{"prefix":"desk-"},"data":"y"}`)
	a.want(`{"type":1,"messageId":"m2","stored":"disk","status":"queued","queued":1}`)
	b, again := g.resume("desk-1", h.Epoch, 0)
	if !again.Recovered {
		t.Fatalf("after a restart the client is told %+v", again)
	}
	b.want(got(1, "a", "m1", "x"), got(2, "a", "m2", "y"))
	b.send(`{"type":9,"groups":["room"]}`)
	b.want(`{"type":1,"left":["room"]}`)
	a.send(`{"type":0,"messageId":"m3","to":{"group":"room"},"data":"x"}`)
	a.want(`{"type":2,"messageId":"m3","code":"offline","error":"no recipient is connected"}`)
}

func TestWhatWaitedTooLongIsNamed(t *testing.T) {
	st := newStore(t, transports[0])
	g := st.start()
	b, h := g.resume("b", "", 0)
	b.conn.Close()
	a := g.connect("a")
	a.send(`{"type":0,"messageId":"m1","to":"b","data":"x","ttl":1,"receipt":true}`)
	a.want(ack("m1", "disk", "queued"))
	a.send(msg("m2", "b", "stays"))
	a.want(ack("m2", "disk", "queued"))
	a.want(`{"type":2,"messageId":"m1","code":"expired","error":"the message waited for a recipient for longer than its ttl"}`)
	a.send(msg("m1", "b", "x"))
	a.want(`{"type":2,"messageId":"m1","code":"expired","error":"the message waited for a recipient for longer than its ttl"}`)
	g = st.restart()
	a = g.connect("a")
	a.send(msg("m1", "b", "x"))
	a.want(`{"type":2,"messageId":"m1","code":"expired","error":"the message waited for a recipient for longer than its ttl"}`)
	b, again := g.resume("b", h.Epoch, 0)
	if !again.Recovered || string(again.Gaps) != `[[1,1,"expired"]]` {
		t.Fatalf("the client is told %+v %s", again, again.Gaps)
	}
	b.want(got(2, "a", "m2", "stays"))
}

func TestAPlainConnectionBreaksWhatAReliableClientKnows(t *testing.T) {
	st := newStore(t, transports[0])
	g := st.start()
	b, h := g.resume("b", "", 0)
	a := g.connect("a")
	a.send(msg("m1", "b", "x"))
	a.want(ack("m1", "disk", "queued"))
	b.conn.Close()
	plain := g.connect("b")
	plain.want(got(1, "a", "m1", "x"))
	plain.conn.Close()
	_, again := g.resume("b", h.Epoch, 0)
	if again.Recovered || again.Epoch == h.Epoch {
		t.Fatalf("the client is told %+v", again)
	}
}

func TestMemoryOnlySeqsAreNeverGivenTwice(t *testing.T) {
	st := newStore(t, transports[0])
	g := st.start()
	b, h := g.resume("b", "", 0)
	a := g.connect("a")
	a.send(msg("m1", "b", "x"))
	b.want(got(1, "a", "m1", "x"))
	a.send(msg("m2", "b", "mem"))
	b.want(got(2, "a", "m2", "mem"))
	a.want(ack("m1", "disk", "queued"), ack("m2", "memory", "queued"))
	g = st.restart()
	a = g.connect("a")
	a.send(msg("m3", "b", "y"))
	a.want(ack("m3", "disk", "queued"))
	b, again := g.resume("b", h.Epoch, 2)
	if again.Recovered || again.Epoch == h.Epoch {
		t.Fatalf("the client is told %+v", again)
	}
	if text := withoutTime(b.text()); text != got(1, "a", "m1", "x") {
		t.Fatalf("got %s", text)
	}
	if text := withoutTime(b.text()); !strings.Contains(text, `"messageId":"m3"`) {
		t.Fatalf("got %s", text)
	}
}

func TestPrioritiesOvertakeAndDoNotStarve(t *testing.T) {
	st := newStore(t, transports[0])
	st.opt.Window = 1
	g := st.start()
	a := g.connect("a")
	for i := range 40 {
		for _, prio := range []int{0, 5, 9} {
			id := fmt.Sprintf("%d-%d", prio, i)
			a.send(fmt.Sprintf(`{"type":0,"messageId":%q,"to":"b","data":"x","priority":%d}`, id, prio))
			a.want(ack(id, "disk", "queued"))
		}
	}
	b, _ := g.resume("b", "", 0)
	var order []string
	next := map[string]int{}
	for range 120 {
		var m struct {
			Seq       uint64 `json:"seq"`
			MessageID string `json:"messageId"`
		}
		if err := json.Unmarshal([]byte(b.text()), &m); err != nil {
			t.Fatal(err)
		}
		prio, number, _ := strings.Cut(m.MessageID, "-")
		if number != fmt.Sprint(next[prio]) {
			t.Fatalf("%s came after %d of its priority", m.MessageID, next[prio])
		}
		next[prio]++
		order = append(order, prio)
		b.send(fmt.Sprintf(`{"type":1,"seq":0,"also":[[%d,%d]]}`, m.Seq, m.Seq))
	}
	first := strings.Join(order[:40], "")
	if n := strings.Count(first, "9"); n < 36 {
		t.Errorf("only %d of the first 40 are the most urgent: %s", n, first)
	}
	for _, prio := range []string{"0", "5"} {
		if !strings.Contains(first, prio) {
			t.Errorf("priority %s starves: %s", prio, first)
		}
	}
}

func TestOverflowPolicies(t *testing.T) {
	f := func(policy core.Overflow, answer, gaps string, want ...string) {
		t.Run(policy.String(), func(t *testing.T) {
			st := newStore(t, transports[0])
			st.policy = policy
			st.opt.Ring.ClientMessages.Store(2)
			g := st.start()
			b, h := g.resume("b", "", 0)
			b.conn.Close()
			a := g.connect("a")
			g.await(1)
			for i := 1; i <= 3; i++ {
				key := []string{"", "k1", "k2", "k1"}[i]
				a.send(fmt.Sprintf(`{"type":0,"messageId":"m%d","to":"b","data":"x","headers":{"key":%q}}`, i, key))
				if i < 3 {
					a.want(ack(fmt.Sprint("m", i), "disk", "queued"))
				}
			}
			a.want(answer)
			b, again := g.resume("b", h.Epoch, 0)
			if string(again.Gaps) != gaps {
				t.Fatalf("the client is told of %s, want %s", again.Gaps, gaps)
			}
			for _, id := range want {
				if text := b.text(); !strings.Contains(text, fmt.Sprintf(`"messageId":%q`, id)) {
					t.Fatalf("got %s, want %s", text, id)
				}
			}
			// What was dropped stays so after a restart.
			g = st.restart()
			if _, again = g.resume("b", h.Epoch, 0); string(again.Gaps) != gaps {
				t.Fatalf("after a restart the client is told of %s, want %s", again.Gaps, gaps)
			}
		})
	}
	full := `{"type":2,"messageId":"m3","code":"overflow","error":"the recipient's queue is full"}`
	f(core.OverflowReject, full, "", "m1", "m2")
	f(core.OverflowDropOldest, ack("m3", "disk", "queued"), `[[1,1,"overflow"]]`, "m2", "m3")
	f(core.OverflowDisconnect, full, "", "m1", "m2")
}

func TestAMessageReplacesTheOneUnderItsKey(t *testing.T) {
	st := newStore(t, transports[0])
	st.policy = core.OverflowConflate
	g := st.start()
	b, h := g.resume("b", "", 0)
	b.conn.Close()
	a := g.connect("a")
	g.await(1)
	for i, key := range []string{"k1", "k2", "k1", "k1"} {
		a.send(fmt.Sprintf(`{"type":0,"messageId":"m%d","to":"b","data":"x","headers":{"key":%q}}`, i+1, key))
		a.want(ack(fmt.Sprint("m", i+1), "disk", "queued"))
	}
	b, again := g.resume("b", h.Epoch, 0)
	if string(again.Gaps) != `[[1,1,"conflated"],[3,3,"conflated"]]` {
		t.Fatalf("the client is told of %s", again.Gaps)
	}
	for _, id := range []string{"m2", "m4"} {
		if text := b.text(); !strings.Contains(text, fmt.Sprintf(`"messageId":%q`, id)) {
			t.Fatalf("got %s, want %s", text, id)
		}
	}
	b.send(`{"type":1,"seq":4}`)
	b.send(`{"type":4}`)
	b.want(`{"type":5}`)
	g = st.restart()
	a = g.connect("a")
	a.send(`{"type":0,"messageId":"m1","to":"b","data":"x"}`) // it was given up, and is not taken for delivered
	a.want(`{"type":2,"messageId":"m1","code":"lost","error":"the message was given up before its recipient had it"}`)
}

func TestAFullDiskRefusesAndRecovers(t *testing.T) {
	st := newStore(t, transports[0])
	g := st.start()
	b, _ := g.resume("b", "", 0)
	a := g.connect("a")
	a.send(msg("m1", "b", "x"))
	b.want(got(1, "a", "m1", "x"))
	a.want(ack("m1", "disk", "queued"))
	st.files.Full(true)
	a.send(msg("m2", "b", "y"))
	a.want(`{"type":2,"messageId":"m2","code":"storage_full","error":"the gateway's disk is full; nothing of the message was kept"}`)
	st.files.Full(false)
	a.send(msg("m2", "b", "y"))
	b.want(got(2, "a", "m2", "y")) // the seq of what was refused is used again
	a.want(ack("m2", "disk", "queued"))
}

func TestAnAcknowledgementThatStaysOutClosesTheConnection(t *testing.T) {
	st := newStore(t, transports[0])
	st.opt.AckTimeout = time.Second
	g := st.start()
	b, h := g.resume("b", "", 0)
	a := g.connect("a")
	a.send(msg("m1", "b", "x"))
	b.want(got(1, "a", "m1", "x"))
	b.wantClose(CloseUnacked, "acknowledgement")
	b, _ = g.resume("b", h.Epoch, 0)
	b.want(got(1, "a", "m1", "x"))
	if n := g.counts().Retries; n != 1 {
		t.Errorf("%d messages are counted as sent again, want 1", n)
	}
}

func TestAFullRingLeavesLettersOnTheDisk(t *testing.T) {
	st := newStore(t, transports[0])
	st.opt.Ring.Bytes.Store(512 << 10)
	st.opt.Ring.ClientBytes.Store(1 << 30)
	g := st.start()
	a := g.connect("a")
	long := strings.Repeat("x", 8<<10)
	const n = 400 // 3.2 MB
	for i := range n {
		a.send(msg(fmt.Sprint("m", i), "b", long))
		a.want(ack(fmt.Sprint("m", i), "disk", "queued"))
	}
	check := func(g *gate) {
		t.Helper()
		b := g.connect("b")
		for i := range n {
			b.want(got(i+1, "a", fmt.Sprint("m", i), long))
		}
		if g.counts().PagedIn == 0 {
			t.Error("nothing was read back from the disk")
		}
	}
	g = st.restart()
	check(g)
	for _, s := range g.Stats() {
		if s.RingBytes > 1<<20 {
			t.Errorf("the ring holds %d bytes", s.RingBytes)
		}
	}
}
