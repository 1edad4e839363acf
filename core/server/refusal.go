package server

import (
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// refusal is a reason why an upgrade was refused.
type refusal int

const (
	notWebSocket  refusal = iota // a plain HTTP request
	badHandshake                 // a WebSocket handshake against RFC 6455
	badClientID                  // no ClientID, several, or not a valid one
	foreignOrigin                // a page of another origin
	draining                     // not ready
	full                         // MaxConnections
	addressFull                  // MaxPerAddress
	noDescriptor                 // duplicating the descriptor failed
	badToken                     // several tokens, or what cannot be one
	unauthorized                 // denied by a stage: with 401 ...
	forbidden                    // ... 403 ...
	rateLimited                  // ... 429 ...
	denied                       // ... another status, or a stage failed
	madeWay                      // closed before its request was there, for a newcomer
	noToken                      // denied by a stage with a code of tokens, which is the reason then, as badToken may be ...
	tokenExpired
	tokenNotValidYet
	wrongIssuer
	wrongAudience
	missingClaim
	unknownKey
	wrongClient
	unavailable // ... the keys of tokens are not there
	overloaded  // ... or too many tokens are being checked
	refusals    // how many there are
)

// String is the metric label, and the code of an answer that has no other.
func (r refusal) String() string {
	return [...]string{"not_websocket", "bad_handshake", "bad_client_id", "foreign_origin", "draining",
		"full", "address_full", "no_descriptor", "bad_token", "unauthorized", "forbidden", "rate_limited", "denied", "made_way",
		"no_token", "token_expired", "token_not_valid_yet", "wrong_issuer", "wrong_audience", "missing_claim", "unknown_key", "wrong_client",
		"unavailable", "overloaded"}[r]
}

// ofTokens are the reasons that a stage denies a token for, by its code.
var ofTokens = func() map[string]refusal {
	all := map[string]refusal{badToken.String(): badToken}
	for why := noToken; why < refusals; why++ {
		all[why.String()] = why
	}
	return all
}()

// refuse counts an upgrade that does not happen and answers it.
func (s *Server) refuse(ctx *fasthttp.RequestCtx, why refusal, status int, text string) {
	s.refuseWith(ctx, why, status, map[string]string{"code": why.String(), "error": text})
}

// refuseWith is refuse with more than a text: said is the answer.
func (s *Server) refuseWith(ctx *fasthttp.RequestCtx, why refusal, status int, said map[string]string) {
	s.refused[why].Add(1)
	s.opt().Log.Debug("upgrade refused", "reason", why.String(), "remote", ctx.RemoteAddr().String(), "text", said["error"])
	if status == fasthttp.StatusServiceUnavailable || status == fasthttp.StatusTooManyRequests {
		ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, retryAfter)
	}
	body, _ := json.Marshal(said) // cannot fail
	answer(ctx, status, "application/json", body)
	// A proxy may think that the connection is a WebSocket now, and let pass what
	// it would not let pass as a request.
	ctx.SetConnectionClose()
}

// retryAfter is defaultRetry in seconds.
const (
	retryAfter   = "5"
	defaultRetry = 5 * time.Second
)

// complain warns of a lack on the gateway's side, at most once a minute for
// each reason, since clients that are turned away come back.
func (s *Server) complain(why refusal, text string, args ...any) {
	if missed, ok := s.complaint[why].pass(time.Now()); ok {
		s.opt().Log.Warn(text, append(args, "reason", why.String(), "unlogged", missed)...)
	}
}

// throttle lets one line a minute through.
type throttle struct {
	next   atomic.Int64 // Unix nanoseconds
	missed atomic.Uint64
}

// pass reports whether now is the time for a line, and how many did not pass
// since the last one.
func (t *throttle) pass(now time.Time) (missed uint64, ok bool) {
	next := t.next.Load()
	if now.UnixNano() < next || !t.next.CompareAndSwap(next, now.Add(time.Minute).UnixNano()) {
		t.missed.Add(1)
		return 0, false
	}
	return t.missed.Swap(0), true
}
