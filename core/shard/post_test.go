package shard

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

// shelf is an upstream's queue: the test takes posts from it and gives them back.
type shelf struct {
	mu    sync.Mutex
	had   *sync.Cond
	posts []*core.Post
	room  int
}

func newShelf(room int) *shelf {
	s := &shelf{room: room}
	s.had = sync.NewCond(&s.mu)
	return s
}

func (s *shelf) Offer(p *core.Post) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.posts) >= s.room {
		return false
	}
	s.posts = append(s.posts, p)
	s.had.Broadcast()
	return true
}

// take waits for a post and takes it.
func (s *shelf) take() *core.Post {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.posts) == 0 {
		s.had.Wait()
	}
	p := s.posts[0]
	s.posts = s.posts[1:]
	return p
}

// posting is a gate whose messages with data such as "up" go to the upstream
// "orders"; those with "both" to it twice and to the client b, and those with "kept"
// are kept in memory.
func posting(t *testing.T, transport string, to core.PostQueue, deadLetter core.Target) *gate {
	t.Helper()
	opt := tracing(1)
	gen := generation(1, opt.Shards, &hooks{}, stageFunc(func(m *core.Message) (core.Verdict, error) {
		data := string(m.Data)
		if strings.Contains(data, "kept") {
			m.KeepIn(core.StorageMemory)
		}
		if strings.Contains(data, "both") {
			m.Effects.Targets = append(m.Effects.Targets,
				core.Target{Kind: core.ToClient, Name: "b"}, core.Target{Kind: core.ToUpstream, Name: "orders"})
		}
		if strings.Contains(data, "up") {
			m.Effects.Targets = append(m.Effects.Targets, core.Target{Kind: core.ToUpstream, Name: "orders"})
		}
		return core.Next, nil
	}))
	for _, p := range gen.Programs {
		p.Upstreams = []core.Upstream{{Name: "orders", Queue: to, Connects: true, Disconnects: true, DeadLetter: deadLetter}}
	}
	set, err := New(opt, gen)
	if err != nil {
		t.Fatal(err)
	}
	set.Run()
	return serving(t, set, transport)
}

// want takes the next post and compares its body, without the time.
func (s *shelf) want(t *testing.T, want string) *core.Post {
	t.Helper()
	p := s.take()
	if got := withoutTime(string(p.Body)); got != want {
		t.Fatalf("posted %s\n  want %s", got, want)
	}
	return p
}

func giveBack(p *core.Post, outcome core.PostOutcome, replies ...string) {
	p.Outcome, p.Reason, p.Tries = outcome, "it answered 404 Not Found", 3
	for _, r := range replies {
		p.Replies = append(p.Replies, []byte(r))
	}
	p.Owner.TakeBack(p)
}

// come is a client that is connected, and the event of that is taken.
func (g *gate) come(s *shelf, id string) *client {
	g.t.Helper()
	c := g.connect(id)
	p := s.take()
	if !strings.HasPrefix(string(p.Body), fmt.Sprintf(`{"event":"connect","from":%q,`, id)) {
		g.t.Fatalf("posted %s", p.Body)
	}
	giveBack(p, core.PostDelivered)
	return c
}

func up(id, rest string) string {
	return fmt.Sprintf(`{"type":0,"messageId":%q%s}`, id, rest)
}

func TestAMessageIsQueuedForAnUpstreamAndThenDelivered(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		s := newShelf(10)
		g := posting(t, transport, s, core.Target{})
		a := g.come(s, "a")
		a.send(up("1", `,"headers":{"k":"v"},"data":"up","receipt":true`))
		a.want(acked("1", "queued"))
		p := s.take()
		if got, want := string(p.Body), `{"from":"a","messageId":"1","data":"up","ts":`; !strings.HasPrefix(got, want) || !strings.HasSuffix(got, `,"headers":{"k":"v"}}`) {
			t.Errorf("posted %s", got)
		}
		if p.From != "a" || string(p.ID) != `"1"` || p.Expires != 0 {
			t.Errorf("posted as %q %s %d", p.From, p.ID, p.Expires)
		}
		giveBack(p, core.PostDelivered)
		a.want(acked("1", "delivered"))
		if got, want := g.ways("1", "a"), "a accepted stage0:next upstream:orders told=true memoryqueued d=0 q=1 o=0 r=0 late=true"; got != want {
			t.Errorf("explained as %s\n        want %s", got, want)
		}

		for outcome, want := range map[core.PostOutcome]string{
			core.PostLost:    `{"type":2,"messageId":"2","code":"lost","error":"the upstream did not take the message"}`,
			core.PostExpired: `{"type":2,"messageId":"2","code":"expired","error":"the message waited for a recipient for longer than its ttl"}`,
		} {
			a.send(up("2", `,"data":"up","receipt":true,"ttl":9`))
			a.want(acked("2", "queued"))
			if p = s.take(); p.Expires == 0 {
				t.Error("a post does not expire with its message")
			}
			giveBack(p, outcome)
			a.want(want)
		}

		// Nobody has asked.
		a.send(up("3", `,"data":"up"`))
		a.want(acked("3", "queued"))
		giveBack(s.take(), core.PostLost)
		a.send(`{"type":4}`)
		a.want(`{"type":5}`)
	})
}

func TestAnUpstreamIsOneOfSeveralRecipients(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		s := newShelf(1)
		g := posting(t, transport, s, core.Target{})
		a := g.come(s, "a")
		b := g.come(s, "b")
		a.send(up("1", `,"data":"both up","receipt":true`))
		a.want(`{"type":1,"messageId":"1","stored":"memory","status":"queued","delivered":1,"queued":1}`)
		b.want(`{"type":0,"seq":1,"from":"a","messageId":"1","data":"both up"}`)
		// There is no room for another one.
		a.send(up("2", `,"data":"both up"`))
		a.want(`{"type":1,"messageId":"2","stored":"memory","status":"delivered","delivered":1,"refused":1}`)
		a.send(up("3", `,"data":"up"`))
		a.want(`{"type":2,"messageId":"3","code":"upstream_full","error":"too many messages wait for the upstream; nothing was kept for it"}`)
		giveBack(s.take(), core.PostDelivered)
		a.want(acked("1", "delivered"))
		// What is kept for a client is posted like any other.
		a.send(up("4", `,"data":"kept both up"`))
		a.want(`{"type":1,"messageId":"4","stored":"memory","status":"queued","delivered":1,"queued":1}`)
		giveBack(s.want(t, `{"from":"a","messageId":"4","data":"kept both up"}`), core.PostDelivered)
	})
}

func TestAReplyGoesToTheSender(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		s := newShelf(10)
		g := posting(t, transport, s, core.Target{})
		a := g.come(s, "a")
		a.send(up("1", `,"data":"up"`))
		a.want(acked("1", "queued"))
		giveBack(s.take(), core.PostDelivered, `{"ok":true}`, `null`)
		a.want(`{"type":0,"seq":1,"messageId":"1","data":{"ok":true}}`, `{"type":0,"seq":2,"messageId":"1","data":null}`)

		a.send(up("2", `,"data":"up"`))
		a.want(acked("2", "queued"))
		p := s.take()
		a.conn.Close()
		giveBack(s.take(), core.PostDelivered) // it has gone
		giveBack(p, core.PostDelivered, `1`)
		g.Settle()
		if n := g.counts(); n.Answers != 2 || n.AnswersMissed != 1 {
			t.Errorf("%d replies, %d missed", n.Answers, n.AnswersMissed)
		}
	})
}

func TestUpstreamsHearOfClientsThatComeAndGo(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		s := newShelf(10)
		g := posting(t, transport, s, core.Target{})
		a := g.come(s, "a")
		g.connect("a")
		a.wantClose(CloseReplaced, "")
		s.want(t, `{"event":"disconnect","from":"a","reason":"replaced"}`)
		s.want(t, `{"event":"connect","from":"a"}`)
	})
}

func TestADeadLetterGoesWhereItIsSaid(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		s := newShelf(10)
		g := posting(t, transport, s, core.Target{Kind: core.ToGroup, Name: "ops"})
		a := g.come(s, "a")
		var ops []*client
		for i := range 4 {
			c := g.come(s, fmt.Sprint("ops-", i))
			c.send(`{"type":8,"groups":["ops"]}`)
			c.want(`{"type":1,"joined":["ops"]}`)
			ops = append(ops, c)
		}
		a.send(up("1", `,"data":"up","receipt":true`))
		a.want(acked("1", "queued"))
		p := s.take()
		body := string(p.Body)
		giveBack(p, core.PostLost)
		a.want(`{"type":2,"messageId":"1","code":"lost","error":"the upstream did not take the message"}`)
		for _, c := range ops {
			want := `{"type":0,"seq":1,"data":{"upstream":"orders","reason":"it answered 404 Not Found","tries":3,"message":` + body + `},"ts":`
			if got := c.text(); !strings.HasPrefix(got, want) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
	})
}

func TestADeadLetterIsKeptAsItsMessageShouldHaveBeen(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		s := newShelf(10)
		g := posting(t, transport, s, core.Target{Kind: core.ToClient, Name: "ops"})
		a := g.come(s, "a")
		for _, data := range []string{"up", "kept up"} {
			a.send(up("1", fmt.Sprintf(`,"data":%q`, data)))
			a.want(acked("1", "queued"))
			giveBack(s.take(), core.PostExpired)
		}
		until(t, "the dead letter of what was not kept reaches nobody", func() bool { return g.counts().LettersLost > 0 })
		ops := g.come(s, "ops")
		if got := ops.text(); !strings.HasPrefix(got, `{"type":0,"seq":1,"data":{"upstream":"orders",`) || !strings.Contains(got, `"data":"kept up"`) {
			t.Error(got)
		}
		if n := g.counts(); n.LettersLost != 1 {
			t.Errorf("%d dead letters reached nobody, want that which was not kept", n.LettersLost)
		}
	})
}
