package shard

import (
	"fmt"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

// publish hands p to the shard of its sender, as Set.Publish does, and waits for
// nothing.
func (x *hand) publish(p *Publication) {
	s := x.shards[x.owner(p.From.ID)]
	p.done, p.left, p.slots = make(chan struct{}, 1), len(p.Messages), make([]uint32, len(p.Messages))
	s.publications.waiting = append(s.publications.waiting, p)
}

// answered reports whether p has been given back.
func (p *Publication) answered() bool { return len(p.done) > 0 }

// nothingWaits wants that no publication is left in a shard.
func (x *hand) nothingWaits() {
	x.t.Helper()
	for _, s := range x.shards {
		t := &s.publications
		if used := len(t.slots) - len(t.unused); used+len(t.waiting)+len(t.ended) != 0 {
			x.t.Errorf("shard %d has %d publications in slots, %d waiting, %d ended", s.index, used, len(t.waiting), len(t.ended))
		}
		if s.program.Pipeline.Pending != 0 || len(s.delays.list) != 0 {
			x.t.Errorf("shard %d still holds %d messages, %d of them delayed", s.index, s.program.Pipeline.Pending, len(s.delays.list))
		}
	}
}

func published(id string, millis int) string {
	return fmt.Sprintf(`{"type":0,"to":"b","messageId":%q,"data":%d}`, id, millis)
}

func TestPublishedMessagesWaitBehindADelayedOne(t *testing.T) {
	x := byHand(t, oneShard(), &hooks{}, later)
	b := x.connect("b")
	p := publication(t, "api", published("1", 250), published("2", 0), published("3", 250))
	other := publication(t, "other", published("4", 0))
	x.publish(p)
	x.publish(other)
	x.turn(2)
	b.want(echoed(1, "other", "4", "0"))
	if !other.answered() || p.answered() {
		t.Errorf("answered: the other's %v, the delayed one's %v", other.answered(), p.answered())
	}
	x.pass(tickLength)
	x.turn(1)
	b.want(echoed(2, "api", "1", "250"), echoed(3, "api", "2", "0"))
	if got := p.Messages[1].Answer.String(); got != "memory delivered" || p.answered() {
		t.Errorf("the second got %q; all are answered: %v", got, p.answered())
	}
	x.pass(tickLength)
	x.turn(1)
	b.want(echoed(4, "api", "3", "250"))
	for i := range p.Messages {
		if got := p.Messages[i].Answer.String(); got != "memory delivered" {
			t.Errorf("message %d got %q", i, got)
		}
	}
	if !p.answered() {
		t.Error("it is not given back")
	}
	x.nothingWaits()
}

func TestADelayedMessageGoesOnThoughItsPublisherHasLeft(t *testing.T) {
	x := byHand(t, oneShard(), &hooks{}, later)
	b := x.connect("b")
	p := publication(t, "api", published("1", 250), published("2", 0))
	x.publish(p)
	x.turn(1)
	x.shards[0].abandonPublication(p)
	p.From.ID, p.Messages = "somebody else", nil // it is its owner's again
	next := publication(t, "api", published("3", 0))
	x.publish(next)
	x.turn(1) // it takes the slot that p had
	x.pass(tickLength)
	x.turn(1)
	b.want(echoed(1, "api", "3", "0"), echoed(2, "api", "1", "250"))
	if got := next.Messages[0].Answer.String(); got != "memory delivered" || !next.answered() {
		t.Errorf("the next one got %q, given back: %v", got, next.answered())
	}
	x.nothingWaits()
}

func TestWhoPublishesTooMuchIsToldWhenToTryAgain(t *testing.T) {
	x := byHand(t, oneShard(), &hooks{}, stageFunc(func(m *core.Message) (core.Verdict, error) {
		m.Effects.RetryAfter = 1500
		if string(m.Data) == "1" {
			return m.Disconnect("rate_limited", "slowly"), nil
		}
		return m.Reject("rate_limited", "slowly"), nil
	}))
	p := publication(t, "api", published("1", 0), published("2", 1))
	x.publish(p)
	x.turn(1)
	for i := range p.Messages {
		if a := &p.Messages[i].Answer; a.Code != "rate_limited" || a.Text != "slowly" || a.RetryAfter != 1500 {
			t.Errorf("message %d got %+v", i, a)
		}
	}
	a := x.connect("a")
	a.send(published("3", 0))
	x.turn(2)
	a.want(`{"type":2,"messageId":"3","code":"rate_limited","error":"slowly","retryAfter":1500}`)
	if n := x.shards[0].told["rate_limited"]; n != 3 {
		t.Errorf("%d were told, want all 3", n)
	}
	x.nothingWaits()
}

// toOrders is a hand whose messages all go to an upstream, whose dead letters go to
// the client ops.
func toOrders(t *testing.T) (*hand, *tray) {
	r, y := toTray(t)
	r.shards[0].program.Upstreams[0].DeadLetter = core.Target{Kind: core.ToClient, Name: "ops"}
	return r.hand, y
}

func TestWhatIsPublishedForAnUpstreamHasALateAnswer(t *testing.T) {
	f := func(outcome core.PostOutcome, want string, told uint64) {
		t.Helper()
		x, y := toOrders(t)
		p := publication(t, "api", published("1", 0), `{"type":0,"data":1}`)
		p.Delivered = true
		x.publish(p)
		x.turn(1)
		if len(y.posts) != 2 || y.posts[0].From != "api" || p.answered() {
			t.Fatalf("%d posts, given back: %v", len(y.posts), p.answered())
		}
		for i := range p.Messages {
			if got := p.Messages[i].Answer.String(); got != "memory queued" {
				t.Errorf("message %d got %q", i, got)
			}
		}
		for _, post := range y.posts {
			post.Outcome = outcome
		}
		y.back(x.shards[0])
		x.turn(1)
		for i := range p.Messages {
			if got := p.Messages[i].Answer.String(); got != want {
				t.Errorf("%d: message %d got %q, want %q", outcome, i, got, want)
			}
		}
		s := x.shards[0]
		if n := s.told["lost"] + s.told["expired"]; n != told || !p.answered() {
			t.Errorf("%d were told, want %d; given back: %v", n, told, p.answered())
		}
		if outcome == core.PostDelivered {
			told = 0
		}
		if s.count.LettersLost != told {
			t.Errorf("%d dead letters reached nobody, want %d", s.count.LettersLost, told)
		}
		x.nothingWaits()
	}
	f(core.PostDelivered, "memory delivered", 0)
	f(core.PostLost, "lostmemory queued", 2)
	f(core.PostExpired, "expiredmemory queued", 2)
}

// A dead letter has no sender: its place is that of no publication.
func TestADeadLetterAnswersNoPublication(t *testing.T) {
	x, y := toOrders(t)
	ops := x.connect("ops")
	p := publication(t, "api", published("1", 0))
	x.publish(p)
	x.turn(1)
	if got := p.Messages[0].Answer.String(); got != "memory queued" || !p.answered() {
		t.Fatalf("got %q, given back: %v", got, p.answered())
	}
	waits := publication(t, "api", published("2", 0))
	waits.Delivered = true
	x.publish(waits)
	x.turn(1)
	body := withoutTime(string(y.posts[0].Body))
	y.posts[0].Outcome, y.posts[0].Reason, y.posts[0].Tries = core.PostLost, "no", 1
	first := tray{y.posts[:1:1]}
	first.back(x.shards[0])
	x.turn(2)
	ops.want(`{"type":0,"seq":1,"data":{"upstream":"orders","reason":"no","tries":1,"message":` + body + `},"ts":1700000000000}`)
	if got := waits.Messages[0].Answer.String(); got != "memory queued" || waits.answered() {
		t.Errorf("the one that waits got %q, given back: %v", got, waits.answered())
	}
	y.posts = y.posts[1:]
	y.back(x.shards[0])
	x.turn(1)
	if got := waits.Messages[0].Answer.String(); got != "memory delivered" || !waits.answered() {
		t.Errorf("in the end it got %q, given back: %v", got, waits.answered())
	}
	x.nothingWaits()
}

func TestAPolicyIsAskedAboutAPublisherWithoutAGrant(t *testing.T) {
	h := &hooks{maySend: func(s *core.Session, _ core.Target) string {
		if s.Grant == nil {
			return "who are you"
		}
		return ""
	}}
	x := byHand(t, oneShard(), h)
	b := x.connect("b")
	a := x.connectWith(Client{ID: "a", Grant: &core.Grant{Claims: []byte(`{"role":"admin"}`)}})
	a.send(published("1", 0))
	x.turn(2)
	b.want(echoed(1, "a", "1", "0"))
	p := publication(t, "a", published("2", 0)) // the client's grant is not its publishers'
	x.publish(p)
	x.turn(1)
	if got := p.Messages[0].Answer; got.Code != "forbidden" || got.Text != "who are you" {
		t.Errorf("got %+v", got)
	}
	x.nothingWaits()
}
