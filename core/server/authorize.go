package server

import (
	"bytes"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/apikey"
)

// Keyring is the keys. It may be asked from any goroutine.
type Keyring interface {
	// Find returns the key with a text; nil if there is none.
	Find(text []byte) *apikey.Key
	// Holds reports whether a key that Find has returned is still good for the same.
	Holds(k *apikey.Key) bool
}

// caller is who sends a request to the API.
type caller struct {
	scopes  apikey.Scopes
	name    string      // of its key, or the sub of its token
	sender  string      // whom its messages are from
	key     *apikey.Key // nil for an operator without one, and for who has a token
	expires time.Time   // of its token; zero for never
	token   bool        // and not a key
}

// operator is who comes without a key where none is needed.
var operator = caller{name: "operator", scopes: apikey.Admin, sender: "api"}

// What a request is refused with that says of nobody who sends it.
var (
	errNothing = &core.Denial{Status: fasthttp.StatusUnauthorized, Code: "unauthorized", Text: "a key is needed: Authorization: Bearer sk_..., made with stratix key new, or a token where the gateway takes them"}
	errSeveral = &core.Denial{Status: fasthttp.StatusUnauthorized, Code: "unauthorized", Text: "the request has several Authorization headers"}
	errUnknown = &core.Denial{Status: fasthttp.StatusUnauthorized, Code: "unauthorized", Text: "this key is not one of the gateway's"}
)

// bearer is what stands in front of a key or a token.
var bearer = []byte("Bearer ")

// identify says who sends a request. On the admin address nothing is needed while
// neither keys nor tokens are configured, and never on its unix socket, which only
// the gateway's own user can open; what is there is looked at in any case. Two at
// once are nobody's. An error is a *core.Denial. It may wait for the keys of tokens.
func (s *Server) identify(h *fasthttp.RequestHeader, local net.Addr, admin bool) (*caller, error) {
	if len(h.PeekAll(fasthttp.HeaderAuthorization)) > 1 {
		return nil, errSeveral
	}
	text := h.Peek(fasthttp.HeaderAuthorization)
	if len(text) == 0 {
		_, private := local.(*net.UnixAddr)
		if admin && (s.opt().Keys == nil && s.opt().Tokens == nil || private) {
			return &operator, nil
		}
		return nil, errNothing
	}
	if len(text) < len(bearer) || !bytes.EqualFold(text[:len(bearer)], bearer) {
		return nil, errUnknown
	}
	text = text[len(bearer):]
	if s.opt().Keys != nil {
		if k := s.opt().Keys.Find(text); k != nil {
			return &caller{name: k.Name, scopes: k.Scopes, sender: k.Sender, key: k}, nil
		}
	}
	if s.opt().Tokens == nil || bytes.HasPrefix(text, []byte(apikey.Prefix)) {
		return nil, errUnknown
	}
	holder, err := s.opt().Tokens(s.admitting, string(text))
	if err != nil {
		return nil, err
	}
	return &caller{name: holder.Sender, scopes: holder.Scopes, sender: holder.Sender, expires: holder.Expires, token: true}, nil
}

// still reports whether who may do what it could when its request began.
func (s *Server) still(who *caller) bool {
	if who.key != nil && !s.opt().Keys.Holds(who.key) {
		return false
	}
	return who.expires.IsZero() || time.Now().Before(who.expires)
}

// authorize says who sends the request, if they may do what needs the scope; nil
// if it has answered that they may not.
func (s *Server) authorize(ctx *fasthttp.RequestCtx, need apikey.Scopes, admin bool) *caller {
	who, err := s.identify(&ctx.Request.Header, ctx.LocalAddr(), admin)
	switch {
	case err != nil:
		if d := refuse(ctx, err, len(ctx.Request.Header.Peek(fasthttp.HeaderAuthorization)) > 0); d.Status == fasthttp.StatusUnauthorized || d.Status == fasthttp.StatusForbidden {
			s.turnedAway(ctx, nil, admin, d.Code)
		}
		return nil
	case !who.scopes.Has(need):
		s.turnedAway(ctx, who, admin, noScope)
		fail(ctx, &Problem{Status: fasthttp.StatusForbidden, Code: noScope, Detail: who.has() + ", and this needs " + need.String()})
		ctx.Response.Header.Set(fasthttp.HeaderWWWAuthenticate, challenge+`, error="insufficient_scope"`)
		return nil
	}
	return who
}

// noScope is the code of a request whose sender may not do that.
const noScope = "insufficient_scope"

// with is what the caller has said who it is with.
func (c *caller) with() string {
	switch {
	case c.token:
		return "token"
	case c.key != nil:
		return "key"
	}
	return "nothing"
}

// has says what the caller may do.
func (c *caller) has() string {
	with := "the " + c.with()
	if c.scopes == 0 {
		return with + " has no scope of this API"
	}
	return with + " has the scope " + c.scopes.String()
}

// challenge is how a request says who sends it (RFC 6750).
const challenge = `Bearer realm="stratix"`

// refuse answers a request that says of nobody who sends it, and returns why; given
// is whether it tried to.
func refuse(ctx *fasthttp.RequestCtx, err error, given bool) (d *core.Denial) {
	if !errors.As(err, &d) {
		d = &core.Denial{Status: fasthttp.StatusServiceUnavailable, Code: "unavailable", Text: "the token cannot be checked at the moment"}
	}
	fail(ctx, &Problem{Status: d.Status, Code: d.Code, Detail: d.Text, RetryAfter: d.RetryAfter})
	switch {
	case d.Status != fasthttp.StatusUnauthorized:
	case given:
		ctx.Response.Header.Set(fasthttp.HeaderWWWAuthenticate, challenge+`, error="invalid_token"`)
	default:
		ctx.Response.Header.Set(fasthttp.HeaderWWWAuthenticate, challenge)
	}
	return d
}

// whoAmI answers what the caller may do, so that a page for operators offers no
// more than that.
func (s *Server) whoAmI(ctx *fasthttp.RequestCtx, who *caller) {
	s.writeJSON(ctx, struct {
		Scopes []string `json:"scopes"`
		Sender string   `json:"sender"`
		Keys   bool     `json:"keys"` // nobody else is let in than who has a key or a token
	}{strings.Split(who.scopes.String(), ","), who.sender, s.opt().Keys != nil || s.opt().Tokens != nil})
}
