package server

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

// gatekeeper notes what it is asked and answers with err.
type gatekeeper struct {
	mu    sync.Mutex
	asked []core.Handshake
	err   error
	grant core.Grant
}

func (k *gatekeeper) admit(_ context.Context, h *core.Handshake, g *core.Grant) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = append(k.asked, *h)
	*g = k.grant
	return k.err
}

// last is the handshake that was asked about last; its Token is "none" for none.
func (k *gatekeeper) last() core.Handshake {
	k.mu.Lock()
	defer k.mu.Unlock()
	h := core.Handshake{Token: "none"}
	if n := len(k.asked); n > 0 {
		h = k.asked[n-1]
	}
	k.asked = nil
	return h
}

func TestATokenIsFoundInItsThreePlaces(t *testing.T) {
	k := &gatekeeper{}
	g := start(t, func(o *Options) { o.Admit = k.admit })
	f := func(query, want string, headers ...string) {
		t.Helper()
		g.connect(t, query, headers...)
		if h := k.last(); h.Token != want || h.ClientID != "a" || h.Remote.String() != "127.0.0.1" || time.Since(h.Now) > time.Minute {
			t.Errorf("asked about %+v, want the token %q", h, want)
		}
	}
	f("?clientId=a", "")
	f("?clientId=a", "x.y-z_0", "Authorization: Bearer x.y-z_0")
	f("?clientId=a", "x.y", "Authorization: bearer   x.y ")
	f("?clientId=a&token=x.y", "x.y")
	f("?clientId=a", "x.y", "Sec-WebSocket-Protocol: bearer.x.y")
	f("?clientId=a", "x.y", "Sec-WebSocket-Protocol: stratix.v1,\tbearer.x.y , chat")
	f("?clientId=a", "", "Authorization: Basic eDp5")
	f("?clientId=a", strings.Repeat("x", 8192), "Authorization: Bearer "+strings.Repeat("x", 8192))
}

func TestABrowserThatOffersItsTokenGetsAProtocolSelected(t *testing.T) {
	g := start(t, nil)
	f := func(offered, want string, reliable bool) {
		t.Helper()
		_, c, r := g.connect(t, "?clientId=a", "Sec-WebSocket-Protocol: "+offered)
		if got := r.Header.Get("Sec-WebSocket-Protocol"); got != want || c.Reliable != reliable {
			t.Errorf("of %q the answer selects %q, reliable %v", offered, got, c.Reliable)
		}
	}
	f("bearer.x, stratix.v1", "stratix.v1", true)
	f("bearer.x, stratix.plain", "stratix.plain", false)
	f("bearer.x", "", false)
}

func TestATokenThatIsNoneIsRefusedUnread(t *testing.T) {
	k := &gatekeeper{}
	g := start(t, func(o *Options) { o.Admit = k.admit })
	f := func(request, text string) {
		t.Helper()
		before := g.Stats().Refused["bad_token"]
		r, body := ask(t, g.publicAddr, request)
		if r.StatusCode != 400 || !strings.Contains(body, text) || strings.Contains(body, "secret") || k.last().Token != "none" {
			t.Errorf("got %d %q, want 400 with %q", r.StatusCode, body, text)
		}
		if n := g.Stats().Refused["bad_token"] - before; n != 1 {
			t.Errorf("it was counted %d times", n)
		}
	}
	f(handshake("?clientId=a&token="), "empty")
	f(handshake("?clientId=a", "Authorization: Bearer "), "empty")
	f(handshake("?clientId=a&token=secret&token=secret"), "more than one")
	f(handshake("?clientId=a&token=secret", "Authorization: Bearer secret"), "more than one")
	f(handshake("?clientId=a&token=secret", "Sec-WebSocket-Protocol: bearer.secret"), "more than one")
	f(handshake("?clientId=a", "Sec-WebSocket-Protocol: bearer.secret, bearer.secret"), "more than one")
	f(handshake("?clientId=a&token=secret%20secret"), "characters")
	f(handshake("?clientId=a&token=secret%ff"), "characters")
	f(handshake("?clientId=a&token=secret%0a"), "characters")
	f(handshake("?clientId=a", "Authorization: Bearer secret"+strings.Repeat("x", 8192)), "larger than 8192 bytes")
}

func TestADenialIsTheAnswer(t *testing.T) {
	k := &gatekeeper{}
	g := start(t, func(o *Options) { o.Admit = k.admit })
	f := func(err error, status int, reason, code, retryAfter string) {
		t.Helper()
		k.err = err
		before := g.Stats().Refused[reason]
		r, body := ask(t, g.publicAddr, handshake("?clientId=a"))
		var said struct{ Code, Error string }
		if json.Unmarshal([]byte(body), &said) != nil || r.StatusCode != status || said.Code != code || said.Error == "" || strings.Contains(body, "inner") {
			t.Errorf("%v is answered with %d %s", err, r.StatusCode, body)
		}
		if got := r.Header.Get("Retry-After"); got != retryAfter {
			t.Errorf("%v: Retry-After is %q, want %q", err, got, retryAfter)
		}
		if (r.Header.Get("WWW-Authenticate") != "") != (status == 401) {
			t.Errorf("%v: WWW-Authenticate is %q", err, r.Header.Get("WWW-Authenticate"))
		}
		if st := g.Stats(); st.Refused[reason] != before+1 || st.Open != 0 {
			t.Errorf("%v: %s is %d, %d places are taken", err, reason, st.Refused[reason], st.Open)
		}
	}
	f(&core.Denial{Status: 401, Code: "no_ticket", Text: "bring one"}, 401, "unauthorized", "no_ticket", "")
	f(&core.Denial{Status: 403, Code: "not_here", Text: "not yours"}, 403, "forbidden", "not_here", "")
	f(&core.Denial{Status: 401, Code: "made_way", Text: "a code of our own"}, 401, "unauthorized", "made_way", "")
	// Those of tokens are told apart.
	f(&core.Denial{Status: 403, Code: "wrong_client", Text: "not yours"}, 403, "wrong_client", "wrong_client", "")
	for _, code := range codesOfTokens(t) {
		f(&core.Denial{Status: 401, Code: code, Text: "bring another"}, 401, code, code, "")
	}
	f(&core.Denial{Status: 503, Code: "unknown_key", Text: "later", RetryAfter: time.Second}, 503, "unknown_key", "unknown_key", "1")
	f(&core.Denial{Status: 429, Code: "rate_limited", Text: "slowly", RetryAfter: 1500 * time.Millisecond}, 429, "rate_limited", "rate_limited", "2")
	f(errors.Join(&core.Denial{Status: 503, Code: "no_keys", Text: "not now"}), 503, "denied", "no_keys", "5")
	f(errors.New("inner"), 503, "denied", "unavailable", "5")
}

// codesOfTokens are those that stand in the sources of who checks tokens.
func codesOfTokens(t *testing.T) (codes []string) {
	t.Helper()
	code := regexp.MustCompile(`(?:Denied\(|Code: |jwt\.Err\w+, |d\.Text = )"([a-z_]+)"`)
	for _, name := range []string{"../token/verify.go", "../token/remote.go", "../../plugins/jwt/admit.go"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range code.FindAllStringSubmatch(string(text), -1) {
			if !slices.Contains(codes, found[1]) {
				codes = append(codes, found[1])
			}
		}
	}
	if len(codes) < 10 {
		t.Fatalf("only %v were found", codes)
	}
	return codes
}

func TestAClientKeepsWhatItWasAdmittedWith(t *testing.T) {
	k := &gatekeeper{grant: core.Grant{Claims: []byte(`{"a":1}`), Expires: 7}}
	g := start(t, func(o *Options) { o.Admit = k.admit })
	_, c, _ := g.connect(t, "?clientId=a")
	if c.Grant == nil || string(c.Grant.Claims) != `{"a":1}` || c.Grant.Expires != 7 || c.Grant.Since != k.last().Now.UnixMilli() {
		t.Errorf("it has %+v", c.Grant)
	}
	k.grant = core.Grant{}
	if _, c, _ = g.connect(t, "?clientId=a"); c.Grant != nil {
		t.Errorf("of nothing it has %+v", c.Grant)
	}
}

func TestAPanicInAStageGivesThePlaceBack(t *testing.T) {
	g := start(t, func(o *Options) {
		o.Log = slog.New(slog.DiscardHandler)
		o.Admit = func(context.Context, *core.Handshake, *core.Grant) error { panic("broken") }
	})
	if r, body := ask(t, g.publicAddr, handshake("?clientId=a")); r.StatusCode != 500 {
		t.Errorf("%d %s", r.StatusCode, body)
	}
	if open := g.Stats().Open; open != 0 {
		t.Errorf("%d places are taken", open)
	}
}

func TestAShutdownEndsTheWaitForAStage(t *testing.T) {
	waits := make(chan struct{})
	g := start(t, func(o *Options) {
		o.HandshakeTimeout = time.Hour
		o.Admit = func(ctx context.Context, _ *core.Handshake, _ *core.Grant) error {
			close(waits)
			<-ctx.Done()
			return ctx.Err()
		}
	})
	p := dial(t, g.publicAddr)
	p.send(handshake("?clientId=a"))
	<-waits
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := g.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}
