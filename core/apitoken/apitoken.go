// Package apitoken is the tokens (JWT) of those who use the HTTP API: who has
// issued them, and what one is good for. All of it is said by flags and nothing by
// scripts: a script that could open the API could make its author an operator, and
// one that is broken could lock the operators out.
package apitoken

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/apikey"
	"github.com/stratix-gateway/stratix/core/token"
)

// leeway is how far the clocks of the issuer and the gateway may be apart.
const leeway = 30 * time.Second

// Settings say whose tokens are taken.
type Settings struct {
	// Keys are the URL of a JWK set (https, or http on this machine), or a file: PEM,
	// a JWK or a set of them, or a secret.
	Keys       string
	Algorithms []string // that tokens may be signed with
	// Audience is what aud must hold. No token for a client should: that is what
	// tells tokens of the same issuer apart.
	Audience    string
	Issuer      string // what iss must be; "" for any who has the key
	ScopePrefix string // in front of publish, read and admin in the claim scope
}

// source is keys that can be looked at now, besides by themselves.
type source interface {
	token.Source
	Reload()
}

// Tokens checks tokens, on any goroutine. Between Start and Stop it looks after
// its keys.
type Tokens struct {
	keys     source
	verifier token.Verifier
	prefix   string
}

// New makes Tokens. A file of keys is read now; a set with an address is not
// waited for, here or in Start.
func New(s Settings, log *slog.Logger) (*Tokens, error) {
	if s.Audience == "" {
		return nil, errors.New("an audience is needed: what aud holds in tokens for this API, and in no other token of the same issuer")
	}
	if len(s.Algorithms) == 0 {
		return nil, errors.New("at least one algorithm is needed, such as RS256")
	}
	for _, a := range s.Algorithms {
		if err := token.CheckAlgorithm(a); err != nil {
			return nil, err
		}
	}
	accept := func(all token.Keys) error {
		if !all.Serve(s.Algorithms) {
			return fmt.Errorf("none of its keys fits %s", strings.Join(s.Algorithms, ", "))
		}
		return nil
	}
	t := &Tokens{prefix: s.ScopePrefix}
	if strings.Contains(s.Keys, "://") {
		if err := token.CheckURL(s.Keys); err != nil {
			return nil, err
		}
		t.keys = &remote{token.NewRemote(s.Keys, accept, log)}
	} else {
		f := &token.File{Name: s.Keys, Accept: accept, Guarded: true, Log: log}
		if err := f.Check(); err != nil {
			return nil, err
		}
		t.keys = f
	}
	t.verifier = token.Verifier{
		Keys: t.keys, Algorithms: s.Algorithms, Issuer: s.Issuer, Audience: []string{s.Audience}, Leeway: leeway, MustExpire: true,
		// Whoever sends tokens that are not good leaves half of the processors to the rest.
		Slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
	}
	return t, nil
}

// remote is a key set that is not waited for.
type remote struct{ *token.Remote }

func (r *remote) Start(context.Context) error {
	r.StartEmpty(0)
	return nil
}

// Start begins to look after the keys.
func (t *Tokens) Start(ctx context.Context) error { return t.keys.Start(ctx) }

// Stop ends that.
func (t *Tokens) Stop() { t.keys.Stop() }

// Failing names the keys while they cannot be fetched or read; "" says that all is well.
func (t *Tokens) Failing() string { return t.keys.Failing() }

// Reload looks at the keys now.
func (t *Tokens) Reload() { t.keys.Reload() }

// Check says what a token is good for. An error is a *core.Denial, and holds
// nothing of it. It may wait for the keys until ctx ends, some seconds at the most.
func (t *Tokens) Check(ctx context.Context, text string, now time.Time) (apikey.Holder, error) {
	if len(text) > core.MaxToken {
		return apikey.Holder{}, token.Denied("bad_token", fmt.Sprintf("the token is larger than %d bytes", core.MaxToken))
	}
	good, err := t.verifier.Verify(ctx, text, now)
	if err != nil {
		return apikey.Holder{}, err
	}
	h := apikey.Holder{Expires: time.UnixMilli(good.Expires)}
	if h.Scopes, err = t.scopes(good.Claims["scope"]); err != nil {
		return apikey.Holder{}, err
	}
	var isText bool
	if h.Sender, isText = good.Claims["sub"].(string); !isText {
		return apikey.Holder{}, token.Denied("missing_claim", "the token has no sub: what is published with it comes from that ClientID")
	}
	if wrong := core.CheckName(h.Sender, core.MaxClientID); wrong != "" {
		return apikey.Holder{}, token.Denied("bad_token", "the token's sub cannot be a ClientID: it "+wrong)
	}
	return h, nil
}

// scopes reads the claim scope: words with spaces between, or a list. Those that
// are not of this API are somebody else's.
func (t *Tokens) scopes(claim any) (s apikey.Scopes, err error) {
	var all []string
	switch claim := claim.(type) {
	case nil:
	case string:
		all = strings.Fields(claim)
	case []any:
		for _, v := range claim {
			text, isText := v.(string)
			if !isText {
				return 0, token.Denied("bad_token", "the token's scope is a list of more than texts")
			}
			all = append(all, text)
		}
	default:
		return 0, token.Denied("bad_token", "the token's scope is neither a text nor a list")
	}
	for _, text := range all {
		if word, ours := strings.CutPrefix(text, t.prefix); ours {
			s |= apikey.ScopeOf(word)
		}
	}
	return s, nil
}
