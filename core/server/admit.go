package server

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/stratix-gateway/stratix/core"
)

// bearerProtocol is the beginning of an offered subprotocol that is a token: a
// page cannot set headers.
const bearerProtocol = "bearer."

// bearerToken returns the token of a request, "" for none, or what is wrong with
// it. The token is never part of that.
func bearerToken(ctx *fasthttp.RequestCtx) (token, wrong string) {
	found := 0
	for _, value := range ctx.Request.Header.PeekAll(fasthttp.HeaderAuthorization) {
		scheme, rest, _ := strings.Cut(string(value), " ")
		if strings.EqualFold(scheme, "Bearer") {
			token, found = strings.Trim(rest, " "), found+1
		}
	}
	for _, value := range ctx.QueryArgs().PeekMulti("token") {
		token, found = string(value), found+1
	}
	for _, list := range ctx.Request.Header.PeekAll("Sec-WebSocket-Protocol") {
		for offer := range bytes.SplitSeq(list, []byte(",")) {
			if t, ok := strings.CutPrefix(strings.Trim(string(offer), " \t"), bearerProtocol); ok {
				token, found = t, found+1
			}
		}
	}
	switch {
	case found == 0:
		return "", ""
	case found > 1:
		return "", "there is more than one token: bring it once, as Authorization: Bearer, as the query's token, or as the subprotocol bearer.TOKEN"
	case token == "":
		return "", "the token is empty"
	case len(token) > core.MaxToken:
		return "", "the token is larger than " + strconv.Itoa(core.MaxToken) + " bytes"
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", "the token holds characters that no token has"
	}
	return token, ""
}

// admit asks whether the client is let in, and answers it if not.
func (s *Server) admit(ctx *fasthttp.RequestCtx, c *Client, token string) bool {
	if s.opt().Admit == nil {
		return true
	}
	// It may take as long as reading the request may.
	limit, cancel := context.WithTimeout(s.admitting, s.opt().HandshakeTimeout)
	defer cancel()
	h := core.Handshake{ClientID: c.ID, Remote: c.Remote, Token: token, Now: time.Now()}
	grant := new(core.Grant)
	err := s.opt().Admit(limit, &h, grant)
	if err == nil {
		if !grant.Empty() {
			grant.Since = h.Now.UnixMilli()
			c.Grant = grant
		}
		return true
	}
	var denial *core.Denial
	known := errors.As(err, &denial)
	if !known {
		s.complain(denied, "a client is refused: a stage failed to decide on it", "client", c.ID, "error", err)
		denial = &core.Denial{Status: fasthttp.StatusServiceUnavailable, Code: "unavailable", Text: "the gateway cannot decide on the client at the moment", RetryAfter: defaultRetry}
	}
	why, ofToken := ofTokens[denial.Code]
	if !known || !ofToken {
		why = reasonOf(denial.Status)
	}
	s.deny(ctx, why, denial)
	return false
}

// reasonOf is why a stage has denied a client with this status.
func reasonOf(status int) refusal {
	switch status {
	case fasthttp.StatusUnauthorized:
		return unauthorized
	case fasthttp.StatusForbidden:
		return forbidden
	case fasthttp.StatusTooManyRequests:
		return rateLimited
	}
	return denied
}

// deny answers a client that a stage has denied.
func (s *Server) deny(ctx *fasthttp.RequestCtx, why refusal, d *core.Denial) {
	if d.Status == fasthttp.StatusUnauthorized {
		// What RFC 6750 wants a client to see.
		ctx.Response.Header.Set(fasthttp.HeaderWWWAuthenticate, `Bearer realm="stratix"`)
	}
	s.refuseWith(ctx, why, d.Status, map[string]string{"code": d.Code, "error": d.Text})
	if d.RetryAfter > 0 {
		seconds := (d.RetryAfter + time.Second - 1) / time.Second
		ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, strconv.FormatInt(int64(seconds), 10))
	}
}
