package server

import (
	"bytes"
	"net"

	"github.com/valyala/fasthttp"

	"github.com/stratix-gateway/stratix/core/apikey"
)

// Keyring finds the key with a text; nil if there is none. It may be asked from
// any goroutine.
type Keyring interface{ Find(text []byte) *apikey.Key }

// caller is who sends a request to the API.
type caller struct {
	scopes apikey.Scopes
	sender string // whom its messages are from
}

// operator is who comes without a key where none is needed.
var operator = caller{scopes: apikey.Admin, sender: "api"}

// bearer is what stands in front of a key.
var bearer = []byte("Bearer ")

// identify says who sends a request. On the admin address no key is needed while
// none are configured, and never on its unix socket, which only the gateway's own
// user can open; a key that is there is looked at in any case. nil is nobody.
func (s *Server) identify(h *fasthttp.RequestHeader, local net.Addr, admin bool) *caller {
	text := h.Peek(fasthttp.HeaderAuthorization)
	if len(text) == 0 {
		_, private := local.(*net.UnixAddr)
		if admin && (s.opt().Keys == nil || private) {
			return &operator
		}
		return nil
	}
	if s.opt().Keys == nil || len(text) < len(bearer) || !bytes.EqualFold(text[:len(bearer)], bearer) {
		return nil
	}
	k := s.opt().Keys.Find(text[len(bearer):])
	if k == nil {
		return nil
	}
	return &caller{scopes: k.Scopes, sender: k.Sender}
}

// authorize says who sends the request, if they may do what needs the scope; nil
// if it has answered that they may not.
func (s *Server) authorize(ctx *fasthttp.RequestCtx, need apikey.Scopes, admin bool) *caller {
	who := s.identify(&ctx.Request.Header, ctx.LocalAddr(), admin)
	switch {
	case who == nil:
		detail := "a key is needed: Authorization: Bearer sk_..., made with stratix key new"
		if len(ctx.Request.Header.Peek(fasthttp.HeaderAuthorization)) > 0 {
			detail = "this key is not one of the gateway's"
		}
		problem(ctx, fasthttp.StatusUnauthorized, detail)
		ctx.Response.Header.Set(fasthttp.HeaderWWWAuthenticate, `Bearer realm="stratix"`)
		return nil
	case !who.scopes.Has(need):
		fail(ctx, &Problem{Status: fasthttp.StatusForbidden, Code: "insufficient_scope",
			Detail: "the key has the scope " + who.scopes.String() + ", and this needs " + need.String()})
		return nil
	}
	return who
}
