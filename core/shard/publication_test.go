package shard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/wire"
)

// publication makes a Publication of frames.
func publication(t testing.TB, from string, frames ...string) *Publication {
	t.Helper()
	p := &Publication{From: core.Session{ID: from}, Messages: make([]Published, len(frames))}
	for i, text := range frames {
		if fault := wire.NewParser().Parse([]byte(text), &p.Messages[i].Frame); fault != nil {
			t.Fatal(fault)
		}
		p.Messages[i].Size = len(text)
	}
	return p
}

func (a *Answer) String() string {
	text := a.Code
	if a.Status != "" {
		text += a.Stored + " " + a.Status
	}
	for _, r := range a.Replies {
		text += " " + string(r)
	}
	return strings.TrimSpace(text)
}

// answers publishes frames and returns what became of them.
func (g *gate) answers(p *Publication) (all []string) {
	g.t.Helper()
	if err := g.Publish(g.t.Context(), p); err != nil {
		g.t.Fatal(err)
	}
	for i := range p.Messages {
		all = append(all, p.Messages[i].Answer.String())
	}
	return all
}

func TestAPublishedMessageTakesTheWayOfAClients(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		asked := ""
		h := &hooks{maySend: func(s *core.Session, target core.Target) string {
			asked = s.ID + " " + target.Name
			if target.Name == "secret" {
				return "not you"
			}
			return ""
		}}
		g := start(t, transport, options(), h, stageFunc(func(m *core.Message) (core.Verdict, error) {
			switch string(m.Data) {
			case `"drop"`:
				return m.DropFor("no"), nil
			case `"fail"`:
				return core.Drop, errors.New("broken")
			case `"panic"`:
				panic("broken")
			case `"reply"`:
				m.Effects.Replies = append(m.Effects.Replies, []byte(`{"a":1}`), []byte(`2`))
			case `"join"`:
				m.Effects.Joins = append(m.Effects.Joins, "room")
			case `"self"`:
				m.Effects.Targets = append(m.Effects.Targets, core.Target{Kind: core.ToSender})
			}
			return core.Next, nil
		}))
		b := g.connect("b")
		g.await(1)
		f := func(frame, want string) {
			t.Helper()
			if got := g.answers(publication(t, "api", frame))[0]; got != want {
				t.Errorf("%s: got %q, want %q", frame, got, want)
			}
		}
		f(`{"type":0,"messageId":"1","to":"b","data":"x"}`, "memory delivered")
		b.want(echoed(1, "api", "1", `"x"`))
		if asked != "api b" {
			t.Errorf("the policy was asked about %q", asked)
		}
		f(`{"type":0,"to":["b"],"data":"x"}`, "memory delivered")
		f(`{"type":0,"to":"nobody","data":"x"}`, "offline")
		f(`{"type":0,"to":"secret","data":"x"}`, "forbidden")
		f(`{"type":0,"to":7,"data":"x"}`, "bad_message")
		f(`{"type":0,"data":"x"}`, "no_route")
		f(`{"type":0,"data":"drop"}`, "dropped")
		f(`{"type":0,"data":"fail"}`, "stage_error")
		f(`{"type":0,"data":"panic"}`, "stage_error")
		f(`{"type":0,"data":"reply"}`, `memory delivered {"a":1} 2`)
		f(`{"type":0,"data":"join"}`, "no_route") // it has no connection that could
		f(`{"type":0,"data":"self"}`, "offline")
		if c := g.counts(); c.Published != 12 || c.In != 12 {
			t.Errorf("%d published and %d in, want 12", c.Published, c.In)
		}
	})
}

func TestPublishedMessagesKeepTheirOrderAlsoBehindAHeldOne(t *testing.T) {
	h := &holder{}
	g := start(t, transports[1], options(), &hooks{}, h)
	b := g.connect("b")
	g.await(1)
	p := publication(t, "api",
		`{"type":0,"to":"b","messageId":"1","data":"hold"}`, `{"type":0,"to":"b","messageId":"2","data":"x"}`, `{"type":0,"to":"b","messageId":"3","data":"hold again"}`)
	var done sync.WaitGroup
	var got []string
	done.Go(func() { got = g.answers(p) })
	h.wait(1)
	h.resume()
	h.wait(1)
	h.resume()
	done.Wait()
	b.want(echoed(1, "api", "1", `"hold"`), echoed(2, "api", "2", `"x"`), echoed(3, "api", "3", `"hold again"`))
	if fmt.Sprint(got) != "[memory delivered memory delivered memory delivered]" {
		t.Errorf("the answers are %q", got)
	}
}

func TestWhoWaitsNoLongerForAHeldMessageLeavesNothingBehind(t *testing.T) {
	h := &holder{}
	g := start(t, transports[1], options(), &hooks{}, h)
	b := g.connect("b")
	g.await(1)
	p := publication(t, "api", `{"type":0,"to":"b","messageId":"1","data":"hold"}`, `{"type":0,"to":"b","messageId":"2","data":"x"}`)
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	var err error
	done.Go(func() { err = g.Publish(ctx, p) })
	h.wait(1)
	cancel()
	done.Wait()
	if err != nil || p.Messages[0].Answer.String()+p.Messages[1].Answer.String() != "" {
		t.Errorf("got %v and answers %+v", err, p.Messages)
	}
	h.resume()
	b.want(echoed(1, "api", "1", `"hold"`)) // it goes on, and the one behind never began
	if got := g.answers(publication(t, "api", `{"type":0,"to":"b","messageId":"3","data":"x"}`)); got[0] != "memory delivered" {
		t.Errorf("the next one got %q", got)
	}
	b.want(echoed(2, "api", "3", `"x"`))
	for _, s := range g.all {
		if used := len(s.publications.slots) - len(s.publications.unused); used != 0 {
			t.Errorf("shard %d still holds %d", s.index, used)
		}
	}
}

func TestTheEndOfTheShardsIsNoAnswerToWhatWasBegun(t *testing.T) {
	h := &holder{}
	g := start(t, transports[1], options(), &hooks{}, h)
	p := publication(t, "api", `{"type":0,"to":"b","data":"x"}`, `{"type":0,"to":"b","data":"hold"}`, `{"type":0,"to":"b","data":"x"}`)
	var done sync.WaitGroup
	var err error
	done.Go(func() { err = g.Publish(t.Context(), p) })
	h.wait(1)
	g.Settle() // the first message goes to the shard of b
	g.Settle() // and its answer comes back
	g.close()
	done.Wait()
	if got := p.Messages[0].Answer.String() + p.Messages[1].Answer.String() + p.Messages[2].Answer.String(); err != nil || got != "offline" {
		t.Errorf("got %v and answers %q", err, got)
	}
}

func TestTooManyPublishedMessagesAtOnceAreRefused(t *testing.T) {
	g := start(t, transports[1], options(), &hooks{})
	p := &Publication{From: core.Session{ID: "api"}, Messages: make([]Published, maxPublished+1)}
	if err := g.Publish(t.Context(), p); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v", err)
	}
	if got := g.answers(publication(t, "api", `{"type":0,"to":"b","data":"x"}`)); got[0] != "offline" {
		t.Errorf("the next one got %q", got)
	}
	g.close()
	if err := g.Publish(t.Context(), publication(t, "api", `{"type":0,"to":"b","data":"x"}`)); !errors.Is(err, ErrEnded) {
		t.Errorf("after the end: %v", err)
	}
}

func TestManyPublishersAndClientsDoNotStarveEachOther(t *testing.T) {
	g := start(t, transports[1], options(), &hooks{})
	b := g.connect("b")
	g.await(1)
	const publishers, each = 8, 200
	var done sync.WaitGroup
	for i := range publishers {
		done.Go(func() {
			frames := make([]string, each)
			for j := range frames {
				frames[j] = fmt.Sprintf(`{"type":0,"to":"b","messageId":"%d-%d","data":1}`, i, j)
			}
			for _, answer := range g.answers(publication(t, fmt.Sprint("api", i), frames...)) {
				if !strings.HasPrefix(answer, "memory ") {
					t.Errorf("got %q", answer)
				}
			}
		})
	}
	next := [publishers]int{}
	for range publishers * each {
		var i, j int
		text := b.text()
		if _, err := fmt.Sscanf(text[strings.Index(text, `"messageId":"`):], `"messageId":"%d-%d"`, &i, &j); err != nil {
			t.Fatal(err, text)
		}
		if next[i] != j {
			t.Fatalf("of publisher %d comes %d, want %d", i, j, next[i])
		}
		next[i]++
	}
	done.Wait()
}
