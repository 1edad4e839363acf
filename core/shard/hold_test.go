package shard

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

// holder holds every message whose data begins with "hold".
type holder struct {
	mu  sync.Mutex
	had *sync.Cond
	all []*core.Message
}

func (h *holder) Handle(m *core.Message) (core.Verdict, error) {
	if !strings.HasPrefix(string(m.Data), `"hold`) {
		return core.Next, nil
	}
	m.Detach()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, m)
	if h.had != nil {
		h.had.Broadcast()
	}
	return core.Hold, nil
}

// wait blocks until n messages are held.
func (h *holder) wait(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.had == nil {
		h.had = sync.NewCond(&h.mu)
	}
	for len(h.all) < n {
		h.had.Wait()
	}
}

// resume lets all that are held go on.
func (h *holder) resume() {
	h.mu.Lock()
	batch := h.all
	h.all = nil
	h.mu.Unlock()
	core.Resume(batch)
}

func echoed(seq int, from, id, data string) string {
	return fmt.Sprintf(`{"type":0,"seq":%d,"from":%q,"messageId":%q,"data":%s}`, seq, from, id, data)
}

func acked(id, status string) string {
	return fmt.Sprintf(`{"type":1,"messageId":%q,"stored":"memory","status":%q}`, id, status)
}

func TestASendersMessagesWaitBehindAHeldOne(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		h := &holder{}
		g := start(t, transport, options(), &hooks{}, h, toSender)
		a, b := g.connect("a"), g.connect("b")
		a.send(`{"type":0,"messageId":"1","data":"hold"}`)
		h.wait(1)
		a.send(`{"type":0,"messageId":"2","data":2}`)
		a.send(`{"type":4}`)
		b.send(`{"type":0,"messageId":"3","data":3}`)
		b.want(echoed(1, "b", "3", "3"), acked("3", "delivered"))
		h.resume()
		a.want(echoed(1, "a", "1", `"hold"`), acked("1", "delivered"),
			echoed(2, "a", "2", "2"), acked("2", "delivered"), `{"type":5}`)
	})
}

func TestManyHeldMessagesComeBackInBatches(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		const senders, each = 20, 10
		h := &holder{}
		g := start(t, transport, options(), &hooks{}, h, toSender)
		var all []*client
		for i := range senders {
			c := g.connect(fmt.Sprint("c", i))
			for j := range each {
				c.send(fmt.Sprintf(`{"type":0,"messageId":"%d","data":"hold%d"}`, j, j))
			}
			all = append(all, c)
		}
		for range each {
			h.wait(senders) // never more: each sender has one held at most
			h.resume()
		}
		for i, c := range all {
			for j := range each {
				c.want(echoed(j+1, fmt.Sprint("c", i), fmt.Sprint(j), fmt.Sprintf(`"hold%d"`, j)), acked(fmt.Sprint(j), "delivered"))
			}
		}
	})
}

func TestAMessageHeldByTwoStages(t *testing.T) {
	first, second := &holder{}, &holder{}
	g := start(t, "epoll", options(), &hooks{}, first, second, toSender)
	a := g.connect("a")
	a.send(`{"type":0,"messageId":"1","data":"hold"}`)
	a.send(`{"type":0,"messageId":"2","data":2}`)
	first.wait(1)
	first.resume()
	second.wait(1)
	second.resume()
	a.want(echoed(1, "a", "1", `"hold"`), acked("1", "delivered"), echoed(2, "a", "2", "2"), acked("2", "delivered"))
	if n := g.counts().Held; n != 2 {
		t.Fatalf("held %d times, want 2", n)
	}
}

func TestAHeldMessageOfASenderThatLeftIsStillDelivered(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		h := &holder{}
		g := start(t, transport, options(), &hooks{}, h, toSender)
		b := g.connect("b")
		for _, leave := range []func(*client){
			func(*client) { // replaced
				newer := g.connect("a")
				newer.send(`{"type":4}`)
				newer.want(`{"type":5}`)
				newer.conn.Close()
			},
			func(a *client) { _ = a.conn.(interface{ SetLinger(int) error }).SetLinger(0); a.conn.Close() },
		} {
			a := g.connect("a")
			g.await(2)
			a.send(`{"type":0,"messageId":"1","to":"b","data":"hold"}`)
			h.wait(1)
			leave(a)
			if transport == "epoll" {
				g.await(1) // a pump learns of it when it may read again
			}
			h.resume()
			if got := b.text(); !strings.Contains(got, `"from":"a","messageId":"1","data":"hold"`) {
				t.Fatalf("got %s", got)
			}
			g.await(1)
		}
	})
}

func TestAStageRejectsWhatItHeld(t *testing.T) {
	h := &holder{}
	g := start(t, "epoll", options(), &hooks{}, h, toSender)
	a := g.connect("a")
	f := func(err error, want string) {
		t.Helper()
		a.send(`{"type":0,"messageId":"1","data":"hold"}`)
		h.wait(1)
		h.all[0].Held().Err = err
		h.resume()
		a.want(want)
	}
	f(&core.Rejection{Code: "not_now", Text: "later"}, `{"type":2,"messageId":"1","code":"not_now","error":"later"}`)
	f(fmt.Errorf("disk: on fire"), `{"type":2,"messageId":"1","code":"stage_error","error":"the gateway failed on this message"}`)
	a.send(`{"type":0,"messageId":"2","data":2}`)
	a.want(echoed(1, "a", "2", "2"), acked("2", "delivered"))
}

func TestAHeldMessageFinishesInItsOwnGeneration(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		var mu sync.Mutex
		var released []uint32
		opt := options()
		opt.Released = func(n uint32) {
			mu.Lock()
			defer mu.Unlock()
			released = append(released, n)
		}
		stamp := func(s string) core.Stage {
			return stageFunc(func(m *core.Message) (core.Verdict, error) {
				m.Data = []byte(s)
				return core.Next, nil
			})
		}
		h := &holder{}
		g := start(t, transport, opt, &hooks{}, h, stamp("1"), toSender)
		a, b := g.connect("a"), g.connect("b")
		a.send(`{"type":0,"messageId":"x","data":"hold"}`)
		h.wait(1)
		g.Swap(generation(2, opt.Shards, &hooks{}, stamp("2"), toSender))
		g.Swap(generation(3, opt.Shards, &hooks{}, stamp("3"), toSender))
		b.send(`{"type":0,"messageId":"y","data":0}`)
		b.want(echoed(1, "b", "y", "3"), acked("y", "delivered"))
		a.send(`{"type":0,"messageId":"z","data":0}`)
		h.resume()
		a.want(echoed(1, "a", "x", "1"), acked("x", "delivered"), echoed(2, "a", "z", "3"), acked("z", "delivered"))
		g.Stats() // both shards have made a turn since
		mu.Lock()
		defer mu.Unlock()
		last := released[len(released)-1]
		slices.Sort(released)
		if !slices.Equal(released, []uint32{1, 1, 2, 2}) || last != 1 {
			t.Fatalf("released %v, the last one %d", released, last)
		}
		for _, s := range g.Stats() {
			if s.Generation != 3 {
				t.Fatalf("generation %d is live", s.Generation)
			}
		}
	})
}

// What came with the handshake is handled before what is read later, also while
// its first message is held.
func TestEarlyBytesComeFirst(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		h := &holder{}
		g := start(t, transport, options(), &hooks{}, h, toSender)
		var early []byte
		for i := range 100 {
			early = append(early, masked(fmt.Sprintf(`{"type":0,"messageId":"%d","data":"hold%d"}`, i, i))...)
		}
		a := g.connectWith(Client{ID: "a", Early: early})
		for i := 100; i < 200; i++ {
			a.send(fmt.Sprintf(`{"type":0,"messageId":"%d","data":%d}`, i, i))
		}
		for i := range 100 {
			h.wait(1)
			h.resume()
			a.want(echoed(i+1, "a", fmt.Sprint(i), fmt.Sprintf(`"hold%d"`, i)), acked(fmt.Sprint(i), "delivered"))
		}
		for i := 100; i < 200; i++ {
			a.want(echoed(i+1, "a", fmt.Sprint(i), fmt.Sprint(i)), acked(fmt.Sprint(i), "delivered"))
		}
	})
}

// The policy that decides on a held message is that of its own generation.
func TestAHeldMessageIsJudgedByItsOwnGeneration(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		h := &holder{}
		forbid := &hooks{maySend: func(*core.Session, core.Target) string { return "not to them" }}
		forbidden := `{"type":2,"messageId":"1","code":"forbidden","error":"not to them"}`
		opt := options()
		g := start(t, transport, opt, forbid, h)
		a := g.connect("a")
		const message = `{"type":0,"messageId":"1","to":"a","data":"hold"}`
		a.send(message)
		h.wait(1)
		g.Swap(generation(2, opt.Shards, &hooks{}, h))
		h.resume()
		a.want(forbidden)
		a.send(message)
		h.wait(1)
		g.Swap(generation(3, opt.Shards, forbid, h))
		h.resume()
		a.want(echoed(1, "a", "1", `"hold"`), acked("1", "delivered"))
		a.send(message)
		h.wait(1)
		h.resume()
		a.want(forbidden)
	})
}
