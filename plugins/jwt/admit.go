package jwt

import (
	"context"
	"net/http"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/token"
)

// stage lets clients in. Nothing in it changes after Open but what the keys of
// its Verifier do.
type stage struct {
	token.Verifier
	name     pattern
	required bool
}

// Refresh has the key file or the key set looked at.
func (s *stage) Refresh() { s.Keys.Reload() }

// Failing names the key file or the key set while it cannot be used.
func (s *stage) Failing() string { return s.Keys.Failing() }

// Handle lets all messages pass: clients are looked at when they come.
func (s *stage) Handle(*core.Message) (core.Verdict, error) { return core.Next, nil }

// Start gets the keys; without them no client could be let in.
func (s *stage) Start(ctx context.Context) error { return s.Keys.Start(ctx) }

// Stop ends the looking after the keys.
func (s *stage) Stop(context.Context) error {
	s.Keys.Stop()
	return nil
}

// Requires reports whether nobody is let in without a token.
func (s *stage) Requires() bool { return s.required }

// Admit lets a client in if its token is good and for its ClientID.
func (s *stage) Admit(ctx context.Context, h *core.Handshake, g *core.Grant) error {
	if h.Token == "" && !s.required {
		return nil
	}
	return s.Renew(ctx, h, g)
}

// Renew is Admit for a client that has brought another token.
func (s *stage) Renew(ctx context.Context, h *core.Handshake, g *core.Grant) error {
	if h.Token == "" {
		return token.Denied("no_token", "a token is needed: bring it as Authorization: Bearer, as the query's token, or as the subprotocol bearer.TOKEN")
	}
	t, err := s.Verify(ctx, h.Token, h.Now)
	if err != nil {
		return err
	}
	if err := s.name.matches(h.ClientID, t.Claims); err != nil {
		return &core.Denial{Status: http.StatusForbidden, Code: "wrong_client", Text: err.Error()}
	}
	g.Claims = t.Payload
	if g.Expires == 0 || t.Expires != 0 && t.Expires < g.Expires {
		g.Expires = t.Expires
	}
	return nil
}
