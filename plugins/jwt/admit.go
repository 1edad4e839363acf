package jwt

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/wire"
)

// source is where keys come from. find runs on many goroutines and may wait until
// ctx ends for a key that is not known yet; it returns none for one that there is
// not, and a *core.Denial where that cannot be said.
type source interface {
	start(ctx context.Context) error
	stop()
	refresh() // looks for other keys soon; it returns at once
	find(ctx context.Context, id, algorithm string) ([]any, error)
}

// stage lets clients in. Nothing in it changes after Open but what keys does.
type stage struct {
	keys       source
	algorithms []string
	issuer     string
	audience   []string
	leeway     time.Duration
	name       pattern
	required   bool
}

// Refresh has the key file or the key set looked at.
func (s *stage) Refresh() { s.keys.refresh() }

// Handle lets all messages pass: clients are looked at when they come.
func (s *stage) Handle(*core.Message) (core.Verdict, error) { return core.Next, nil }

// Start gets the keys; without them no client could be let in.
func (s *stage) Start(ctx context.Context) error { return s.keys.start(ctx) }

// Stop ends the looking after the keys.
func (s *stage) Stop(context.Context) error {
	s.keys.stop()
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
		return denied("no_token", "a token is needed: bring it as Authorization: Bearer, as the query's token, or as the subprotocol bearer.TOKEN")
	}
	payload, err := wellFormed(h.Token)
	if err != nil {
		return err
	}
	claims := jwt.MapClaims{}
	expires, err := s.verify(ctx, h, claims)
	if err != nil {
		return err
	}
	if err := s.name.matches(h.ClientID, claims); err != nil {
		return &core.Denial{Status: http.StatusForbidden, Code: "wrong_client", Text: err.Error()}
	}
	g.Claims = payload
	if g.Expires == 0 || expires != 0 && expires < g.Expires {
		g.Expires = expires
	}
	return nil
}

func denied(code, text string) error {
	return &core.Denial{Status: http.StatusUnauthorized, Code: code, Text: text}
}

// wellFormed returns the claims of a token as they stand in it. It refuses what
// two readers could take for two things: names that stand there twice, and
// headers that say that others must be understood.
func wellFormed(token string) (payload []byte, err error) {
	bad := denied("bad_token", "the token is no well-formed JWT")
	parts := strings.Split(token, ".")
	if len(parts) != 3 || parts[2] == "" {
		return nil, bad
	}
	check := wire.NewParser()
	var head map[string]json.RawMessage
	for i, part := range parts[:2] {
		text, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil || check.Valid(text) != nil {
			return nil, bad
		}
		if payload = text; i == 0 && json.Unmarshal(text, &head) != nil {
			return nil, bad
		}
	}
	if _, critical := head["crit"]; critical {
		return nil, denied("bad_token", "the token has a header crit, which is not supported")
	}
	for _, c := range payload {
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		case '{':
			return payload, nil
		}
		break
	}
	return nil, bad
}

// verify checks the signature, and when and for whom the token is. It reads the
// claims and returns when the session ends.
func (s *stage) verify(ctx context.Context, h *core.Handshake, claims jwt.MapClaims) (expires int64, err error) {
	options := []jwt.ParserOption{
		jwt.WithValidMethods(s.algorithms), jwt.WithJSONNumber(), jwt.WithStrictDecoding(),
		jwt.WithLeeway(s.leeway), jwt.WithTimeFunc(func() time.Time { return h.Now }),
	}
	if s.issuer != "" {
		options = append(options, jwt.WithIssuer(s.issuer))
	}
	if s.audience != nil {
		options = append(options, jwt.WithAudience(s.audience...))
	}
	var denial error
	_, err = jwt.ParseWithClaims(h.Token, claims, func(t *jwt.Token) (any, error) {
		// Before the library converts them, which is not defined for all numbers.
		if expires, denial = s.expiry(claims); denial != nil {
			return nil, denial
		}
		id, isText := t.Header["kid"].(string)
		if _, given := t.Header["kid"]; given && !isText {
			denial = denied("bad_token", "the token's kid is no string")
			return nil, denial
		}
		found, err := s.keys.find(ctx, id, t.Method.Alg())
		switch {
		case err != nil:
			denial = err
			return nil, err
		case len(found) == 0:
			denial = denied("unknown_key", "the token is signed with a key that this gateway does not know, or with another algorithm than that key's")
			return nil, denial
		}
		set := jwt.VerificationKeySet{}
		for _, k := range found {
			set.Keys = append(set.Keys, k)
		}
		return set, nil
	}, options...)
	switch {
	case denial != nil:
		return 0, denial
	case err != nil:
		return 0, explain(err)
	}
	return expires, nil
}

// explain says what is wrong with a token, without any of it.
func explain(err error) error {
	for _, known := range [...]struct {
		err        error
		code, text string
	}{
		{jwt.ErrTokenMalformed, "bad_token", "the token is no well-formed JWT"},
		{jwt.ErrTokenUnverifiable, "bad_token", "the token is signed with an algorithm that is not accepted here"},
		{jwt.ErrTokenSignatureInvalid, "bad_token", "the token's signature is not valid, or its algorithm is not accepted here"},
		{jwt.ErrTokenExpired, "token_expired", "the token has expired (exp)"},
		{jwt.ErrTokenNotValidYet, "token_not_valid_yet", "the token is not valid yet (nbf)"},
		{jwt.ErrTokenInvalidIssuer, "wrong_issuer", "the token is from another issuer (iss)"},
		{jwt.ErrTokenInvalidAudience, "wrong_audience", "the token is for another audience (aud)"},
		{jwt.ErrTokenRequiredClaimMissing, "missing_claim", "the token has no iss or no aud, and this gateway wants it"},
	} {
		if errors.Is(err, known.err) {
			return denied(known.code, known.text)
		}
	}
	return denied("bad_token", "the token has a claim of the wrong type")
}

// lastSecond is the end of the year 9999: what comes after it is no date.
const lastSecond = 253402300799

// expiry is when a session with these claims ends, in milliseconds since 1970: as
// late as the token would have been accepted. 0 is never.
func (s *stage) expiry(claims jwt.MapClaims) (int64, error) {
	for _, name := range [...]string{"nbf", "iat", "exp"} {
		v, given := claims[name]
		if !given {
			continue
		}
		n, _ := v.(json.Number)
		seconds, err := n.Float64()
		if err != nil || seconds < 0 || seconds > lastSecond {
			return 0, denied("bad_token", "the token's "+name+" is no date")
		}
		if name == "exp" {
			return int64(math.Floor(seconds*1000)) + s.leeway.Milliseconds(), nil
		}
	}
	return 0, nil
}
