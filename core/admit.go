package core

import (
	"context"
	"net/http"
	"net/netip"
	"time"
)

// MaxToken is the most bytes that a token may have.
const MaxToken = 8 << 10

// Handshake is a client that asks to be let in, before its upgrade.
type Handshake struct {
	// ClientID is the name that it comes with: checked text, and nothing but a
	// claim until somebody has admitted it.
	ClientID string
	// Remote is its address; invalid on a unix socket.
	Remote netip.Addr
	// Token is the one that it has brought, in one of the places that there are for
	// it; "" for none. It has at most MaxToken bytes of printable ASCII. It is a
	// secret: it stands in no log and in no error.
	Token string
	// Now is the time of the decision.
	Now time.Time
}

// Grant is what a client was admitted with. It does not change once a Session has
// it: a session that is renewed gets another one.
type Grant struct {
	// Claims is a JSON object of the Grant's own, or nil.
	Claims []byte
	// Expires is when the session ends, in milliseconds since 1970; 0 is never.
	Expires int64
	// Since is when the Grant was given, in milliseconds since 1970. The gateway
	// sets it.
	Since int64
}

// Empty reports whether g says nothing.
func (g *Grant) Empty() bool { return g.Claims == nil && g.Expires == 0 }

// Admitter is a stage that decides who is let in. The gateway asks those of the
// live generation in the order of the pipeline; the first error refuses the
// client, with what a *Denial says or else with 503. A canary's are not asked.
//
// Admit runs on the goroutine of an HTTP request, many at once, and may block
// until ctx ends. It finds in g what the Admitters before it have granted, and
// adds to it. It may still be called for a moment after Stop.
type Admitter interface {
	Admit(ctx context.Context, h *Handshake, g *Grant) error
}

// Renewer is an Admitter that decides by tokens, and also takes a new one from a
// client that is connected already. Admitters that are none are not asked again.
type Renewer interface {
	// Renew runs as Admit does, on a goroutine of the gateway. The Handshake has a
	// Token.
	Renew(ctx context.Context, h *Handshake, g *Grant) error
	// Requires reports whether nobody is let in without a token that is for its
	// ClientID.
	Requires() bool
}

// Denial is an error that says how a client is refused.
type Denial struct {
	// Status is the HTTP status of the answer, from 400 on.
	Status int
	// Code names the reason for programs, Text says it to people. Both are sent to
	// the client.
	Code, Text string
	// RetryAfter is when it may try again; 0 says nothing about it.
	RetryAfter time.Duration
}

func (d *Denial) Error() string { return d.Code + ": " + d.Text }

// Passing reports whether the same may be allowed a little later.
func (d *Denial) Passing() bool {
	return d.RetryAfter > 0 || d.Status >= http.StatusInternalServerError || d.Status == http.StatusTooManyRequests
}
