package shard

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
	"weak"

	"github.com/stratix-gateway/stratix/core"
)

// begins is when a hand's time does, in milliseconds since 1970.
const begins = 1_700_000_000_000

// lasting is a grant of this time from the beginning on.
func lasting(d time.Duration) *core.Grant {
	return &core.Grant{Claims: []byte(`{}`), Since: begins, Expires: begins + d.Milliseconds()}
}

// silent are options of a shard that pings nobody.
func silent() Options {
	opt := oneShard()
	opt.PingEvery, opt.IdleTimeout = 48*time.Hour, 48*time.Hour
	return opt
}

func TestAGrantEndsItsSessionAfterANotice(t *testing.T) {
	f := func(lasts, notice time.Duration) {
		t.Helper()
		h := &hooks{}
		why := farewells(h)
		x := byHand(t, silent(), h)
		a := x.connectWith(Client{ID: "a", Grant: lasting(lasts)})
		if before := lasts - notice - tickLength; before > 0 {
			x.pass(before)
			a.want()
		}
		x.pass(lasts - notice - x.now.Sub(time.UnixMilli(begins)))
		a.want(fmt.Sprintf(`{"type":10,"expires":%d}`, begins+lasts.Milliseconds()))
		x.pass(notice - tickLength)
		a.want()
		x.pass(tickLength)
		a.want("close 4401")
		wantList(t, *why, "a expired")
		if n := x.shards[0].count; n.Expired != 1 || n.Closed != 1 {
			t.Errorf("%d expired of %d closed", n.Expired, n.Closed)
		}
	}
	f(10*time.Second, 5*time.Second)
	f(100*time.Second, 10*time.Second)
	f(10*time.Minute, time.Minute)
	f(time.Hour, time.Minute) // longer than the wheel is
}

func TestAShortGrantIsAnnouncedAtOnce(t *testing.T) {
	x := byHand(t, silent(), &hooks{})
	a := x.connectWith(Client{ID: "a", Grant: lasting(3 * time.Second)})
	x.pass(tickLength)
	a.want(fmt.Sprintf(`{"type":10,"expires":%d}`, begins+3000))
	x.pass(3*time.Second - tickLength)
	a.want("close 4401")
	b := x.connectWith(Client{ID: "b", Grant: lasting(0)}) // it was late already
	x.pass(tickLength)
	b.want("close 4401")
}

func TestAGrantWithoutAnEndEndsNothing(t *testing.T) {
	opt := silent()
	opt.PingEvery, opt.IdleTimeout = 10*time.Second, 25*time.Second
	x := byHand(t, opt, &hooks{})
	a := x.connectWith(Client{ID: "a", Grant: &core.Grant{Claims: []byte(`{}`), Since: begins}})
	x.pass(10 * time.Second)
	a.want("ping ")
	x.pass(15 * time.Second)
	a.want("ping ", "close 4009")
}

// renewals is a hand whose clients may renew, and what their tokens come to.
type renewals struct {
	*hand
	clerk *clerk
}

func renewing(t *testing.T, renew func(h *core.Handshake, g *core.Grant) error, h *hooks, stages ...core.Stage) renewals {
	t.Helper()
	opt := silent()
	opt.clerk = newClerk(func(_ context.Context, h *core.Handshake, g *core.Grant) error { return renew(h, g) })
	t.Cleanup(opt.clerk.close)
	return renewals{byHand(t, opt, h, stages...), opt.clerk}
}

// settle makes the turn in which the shard takes tokens, waits until they have been
// looked at, and makes the one in which it hears of that.
func (r renewals) settle() {
	r.turn(1)
	r.clerk.done.Wait()
	r.turn(2)
}

func TestANewTokenGoesOnWithoutAGap(t *testing.T) {
	var asked core.Handshake
	r := renewing(t, func(h *core.Handshake, g *core.Grant) error {
		asked = *h
		*g = core.Grant{Claims: []byte(`{"n":2}`), Since: h.Now.UnixMilli(), Expires: begins + 7_200_000}
		return nil
	}, &hooks{}, stageFunc(func(m *core.Message) (core.Verdict, error) {
		m.Effects.Replies = append(m.Effects.Replies, m.From.Grant.Claims)
		return core.Next, nil
	}))
	first := lasting(time.Hour)
	first.Claims = []byte(`{"n":1}`)
	a := r.connectWith(Client{ID: "a", Grant: first})
	r.pass(59 * time.Minute)
	a.want(fmt.Sprintf(`{"type":10,"expires":%d}`, begins+3_600_000))
	a.send(`{"type":0,"data":1}`)
	r.turn(1)
	a.want(`{"type":0,"seq":1,"data":{"n":1}}`)
	a.send(`{"type":10,"messageId":"r","token":"x.\u0079.z"}`)
	r.settle()
	a.want(fmt.Sprintf(`{"type":10,"messageId":"r","expires":%d}`, begins+7_200_000))
	if asked.ClientID != "a" || asked.Token != "x.y.z" || asked.Now.UnixMilli() != begins+3_540_000 {
		t.Errorf("asked about %+v", asked)
	}
	a.send(`{"type":0,"data":1}`)
	r.turn(1)
	a.want(`{"type":0,"seq":2,"data":{"n":2}}`)
	r.pass(time.Hour - tickLength) // past the end of the first
	a.want()
	r.pass(tickLength)
	a.want(fmt.Sprintf(`{"type":10,"expires":%d}`, begins+7_200_000))
	r.pass(time.Minute)
	a.want("close 4401")
}

func TestATokenThatWasTakenIsNotKept(t *testing.T) {
	var asked weak.Pointer[core.Handshake]
	r := renewing(t, func(h *core.Handshake, g *core.Grant) error {
		asked = weak.Make(h)
		g.Expires = begins + 7_200_000
		return nil
	}, &hooks{})
	a := r.connectWith(Client{ID: "a", Grant: lasting(time.Hour)})
	a.send(`{"type":10,"token":"secret"}`)
	r.settle()
	a.want(fmt.Sprintf(`{"type":10,"expires":%d}`, begins+7_200_000))
	for range 3 {
		runtime.GC()
	}
	if asked.Value() != nil {
		t.Error("the session keeps the token alive")
	}
	runtime.KeepAlive(r)
}

func TestABadTokenChangesNothing(t *testing.T) {
	var err error
	r := renewing(t, func(*core.Handshake, *core.Grant) error { return err }, &hooks{})
	a := r.connectWith(Client{ID: "a", Grant: lasting(30 * time.Second)})
	f := func(with error, code, text string) {
		t.Helper()
		err = with
		a.send(`{"type":10,"token":"secret"}`)
		r.settle()
		a.want(fmt.Sprintf(`{"type":2,"code":%q,"error":%q}`, code, text))
		r.pass(time.Second)
	}
	f(&core.Denial{Status: 401, Code: "token_expired", Text: "it is late"}, "bad_token", "it is late")
	f(&core.Denial{Status: 403, Code: "wrong_client", Text: "not yours"}, "bad_token", "not yours")
	f(fmt.Errorf("x: %w", &core.Denial{Status: 503, Code: "unknown_key", Text: "later"}), "unknown_key", "later")
	f(&core.Denial{Status: 501, Code: "unsupported", Text: "no"}, "unsupported", "no")
	f(errors.New("inner"), "unavailable", "the gateway cannot look at the token at the moment")
	r.pass(20 * time.Second)
	a.want(fmt.Sprintf(`{"type":10,"expires":%d}`, begins+30_000))
	r.pass(5 * time.Second)
	a.want("close 4401")
}

func TestOneTokenOfAClientIsLookedAtInASecond(t *testing.T) {
	looks := 0
	r := renewing(t, func(*core.Handshake, *core.Grant) error { looks++; return nil }, &hooks{})
	a, b := r.connect("a"), r.connect("b")
	f := func(c *end, want string) {
		t.Helper()
		c.send(`{"type":10,"token":"x"}`)
		r.settle()
		c.want(want)
	}
	const taken, busy = `{"type":10,"expires":0}`, `{"type":2,"code":"busy","error":"another token of this client came less than a second ago"}`
	f(a, taken)
	f(a, busy)
	f(b, taken)
	r.pass(time.Second - tickLength)
	f(a, busy)
	r.pass(tickLength)
	f(a, taken)
	f(a, busy)
	if looks != 3 {
		t.Errorf("%d tokens were looked at, want 3", looks)
	}
}

func TestOneTokenOfAClientIsLookedAtAtATime(t *testing.T) {
	look := make(chan struct{})
	r := renewing(t, func(*core.Handshake, *core.Grant) error { <-look; return nil }, &hooks{})
	a, b := r.connect("a"), r.connect("b")
	a.send(`{"type":10,"token":"x"}`)
	b.send(`{"type":10,"token":"x"}`)
	r.turn(1)
	a.send(`{"type":10,"token":"y"}`)
	a.send(`{"type":4}`) // the shard waits for nothing
	r.turn(1)
	a.want(`{"type":2,"code":"busy","error":"another token of this client is being looked at"}`, `{"type":5}`)
	b.close() // it does not wait for the answer
	r.turn(1)
	close(look)
	r.settle()
	a.want(`{"type":10,"expires":0}`)
	r.pass(time.Second)
	a.send(`{"type":10,"token":"y"}`)
	r.settle()
	a.want(`{"type":10,"expires":0}`)
}

func TestTooManyTokensAreRefused(t *testing.T) {
	k := newClerk(func(ctx context.Context, _ *core.Handshake, _ *core.Grant) error {
		<-ctx.Done()
		return ctx.Err()
	})
	x := byHand(t, silent(), &hooks{})
	taken := 0
	for k.take(&application{shard: x.shards[0]}) {
		taken++
	}
	if taken < maxApplications || taken > maxApplications+maxClerks {
		t.Errorf("%d tokens are taken", taken)
	}
	k.close() // ends those that are looked at
	if k.take(&application{shard: x.shards[0]}) {
		t.Error("a token is taken after the end")
	}
}

func TestAPanicOverATokenIsNoAnswerButTheGatewayLives(t *testing.T) {
	r := renewing(t, func(*core.Handshake, *core.Grant) error { panic("broken") }, &hooks{})
	a := r.connect("a")
	a.send(`{"type":10,"token":"x"}`)
	r.settle()
	a.want(`{"type":2,"code":"unavailable","error":"the gateway cannot look at the token at the moment"}`)
}

func TestATokenIsNothingWhereNobodyTakesOne(t *testing.T) {
	x := byHand(t, silent(), &hooks{})
	a := x.connect("a")
	a.send(`{"type":10,"messageId":"r","token":"x"}`)
	x.turn(1)
	a.want(`{"type":2,"messageId":"r","code":"unsupported","error":"no stage of this gateway takes tokens"}`)
}

func TestClientsRenewOnEachTransport(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		opt := options()
		opt.Renew = func(_ context.Context, h *core.Handshake, g *core.Grant) error {
			if !strings.HasPrefix(h.Token, h.ClientID) {
				return &core.Denial{Status: 403, Code: "wrong_client", Text: "not yours"}
			}
			g.Expires = 4_000_000_000_000
			return nil
		}
		g := start(t, transport, opt, &hooks{})
		for i := range 20 {
			id := fmt.Sprint("c", i)
			c := g.connect(id)
			c.send(`{"type":10,"token":"` + id + `"}`)
			c.want(`{"type":10,"expires":4000000000000}`)
			c = g.connect("other" + id) // of one client a token a second is looked at
			c.send(`{"type":10,"token":"x"}`)
			c.want(`{"type":2,"code":"bad_token","error":"not yours"}`)
		}
	})
}
