// Package token checks tokens (JWT): who has signed them, for whom they are, and
// until when. Its keys come from a text, a file or a key set with an address.
package token

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

// Source is where keys come from. Find runs on many goroutines and may wait until
// ctx ends for a key that is not known yet; it returns none for one that there is
// not, and a *core.Denial where that cannot be said. Reload looks for other keys,
// and waits for no server. Failing names what cannot be fetched or read now, for as
// long as that lasts, or is "".
type Source interface {
	Start(ctx context.Context) error
	Stop()
	Reload()
	Failing() string
	Find(ctx context.Context, id, algorithm string) ([]any, error)
}

// Verifier checks tokens. It does not change but in what its Keys do.
type Verifier struct {
	Keys       Source
	Algorithms []string
	Issuer     string   // what iss must be; "" for any
	Audience   []string // aud must hold one of these; nil for any
	Leeway     time.Duration
	MustExpire bool // a token without exp is refused
	// Slots bounds the signatures that are checked at the same time by its capacity;
	// nil for no bound.
	Slots chan struct{}
}

// Token is what a good token says.
type Token struct {
	Payload []byte // its claims, as they stand in it
	Claims  map[string]any
	Expires int64 // until when it would have been accepted, in milliseconds since 1970; 0 for ever
}

// Verify checks a token. An error is a *core.Denial, and holds nothing of it.
func (v *Verifier) Verify(ctx context.Context, text string, now time.Time) (t Token, err error) {
	if t.Payload, err = wellFormed(text); err != nil {
		return Token{}, err
	}
	claims := jwt.MapClaims{}
	if t.Expires, err = v.verify(ctx, text, now, claims); err != nil {
		return Token{}, err
	}
	t.Claims = claims
	return t, nil
}

// Denied refuses a token with 401.
func Denied(code, text string) error {
	return &core.Denial{Status: http.StatusUnauthorized, Code: code, Text: text}
}

// wellFormed returns the claims of a token as they stand in it. It refuses what
// two readers could take for two things: names that stand there twice, and
// headers that say that others must be understood.
func wellFormed(token string) (payload []byte, err error) {
	bad := Denied("bad_token", "the token is no well-formed JWT")
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
		return nil, Denied("bad_token", "the token has a header crit, which is not supported")
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
// claims and returns until when it is good.
func (v *Verifier) verify(ctx context.Context, text string, now time.Time, claims jwt.MapClaims) (expires int64, err error) {
	options := []jwt.ParserOption{
		jwt.WithValidMethods(v.Algorithms), jwt.WithJSONNumber(), jwt.WithStrictDecoding(),
		jwt.WithLeeway(v.Leeway), jwt.WithTimeFunc(func() time.Time { return now }),
	}
	if v.Issuer != "" {
		options = append(options, jwt.WithIssuer(v.Issuer))
	}
	if v.Audience != nil {
		options = append(options, jwt.WithAudience(v.Audience...))
	}
	var denial error
	entered := false
	defer func() {
		if entered {
			<-v.Slots
		}
	}()
	_, err = jwt.ParseWithClaims(text, claims, func(t *jwt.Token) (any, error) {
		// Before the library converts them, which is not defined for all numbers.
		if expires, denial = v.expiry(claims); denial != nil {
			return nil, denial
		}
		id, isText := t.Header["kid"].(string)
		if _, given := t.Header["kid"]; given && !isText {
			denial = Denied("bad_token", "the token's kid is no string")
			return nil, denial
		}
		found, err := v.Keys.Find(ctx, id, t.Method.Alg())
		if err == nil && len(found) == 0 {
			err = Denied("unknown_key", "the token is signed with a key that this gateway does not know, or with another algorithm than that key's")
		}
		if err == nil && v.Slots != nil {
			if err = v.enter(ctx); err == nil {
				entered = true
			}
		}
		if err != nil {
			denial = err
			return nil, err
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

// slotWait is how long a token waits for its signature to be checked.
const slotWait = time.Second

// enter waits for a slot, which whoever gets it gives back.
func (v *Verifier) enter(ctx context.Context) error {
	select {
	case v.Slots <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(slotWait)
	defer timer.Stop()
	select {
	case v.Slots <- struct{}{}:
		return nil
	case <-timer.C:
	case <-ctx.Done():
	}
	return &core.Denial{
		Status: http.StatusServiceUnavailable, Code: "overloaded",
		Text: "too many tokens are being checked at the moment", RetryAfter: slotWait,
	}
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
			return Denied(known.code, known.text)
		}
	}
	return Denied("bad_token", "the token has a claim of the wrong type")
}

// lastSecond is the end of the year 9999: what comes after it is no date.
const lastSecond = 253402300799

// expiry is when what is done with these claims ends, in milliseconds since 1970: as
// late as the token would have been accepted. 0 is never.
func (v *Verifier) expiry(claims jwt.MapClaims) (int64, error) {
	for _, name := range [...]string{"nbf", "iat", "exp"} {
		value, given := claims[name]
		if !given {
			continue
		}
		n, _ := value.(json.Number)
		seconds, err := n.Float64()
		if err != nil || seconds < 0 || seconds > lastSecond {
			return 0, Denied("bad_token", "the token's "+name+" is no date")
		}
		if name == "exp" {
			return int64(math.Floor(seconds*1000)) + v.Leeway.Milliseconds(), nil
		}
	}
	if v.MustExpire {
		return 0, Denied("missing_claim", "the token never expires: it has no exp, and this gateway wants it")
	}
	return 0, nil
}
