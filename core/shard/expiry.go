package shard

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/ruling"
	"github.com/stratix-gateway/stratix/core/wire"
)

// A client is told that its grant expires a tenth of the grant's time before, but
// within these bounds, in milliseconds.
const (
	leastNotice = 5_000
	mostNotice  = 60_000
)

// noticeAt is when the client is told.
func noticeAt(g *core.Grant) int64 {
	return g.Expires - min(max((g.Expires-g.Since)/10, leastNotice), mostNotice)
}

// outlived reports whether c's grant has expired. It tells c when that is near.
func (s *Shard) outlived(c *session) bool {
	g := c.Grant
	if g.Expires == 0 {
		return false
	}
	if s.unixMillis >= g.Expires {
		return true
	}
	if !c.warned && s.unixMillis >= noticeAt(g) {
		c.warned = true
		s.text = wire.AppendExpires(s.text[:0], nil, g.Expires)
		s.send(c, s.text)
	}
	return false
}

// expiryTick is when c's grant is to be looked at; the furthest tick for never.
func (s *Shard) expiryTick(c *session) uint32 {
	g := c.Grant
	if g.Expires == 0 {
		return none
	}
	at := g.Expires
	if !c.warned {
		at = noticeAt(g)
	}
	const tick = int64(tickLength / time.Millisecond)
	left := (max(0, at-s.unixMillis) + tick - 1) / tick
	return s.wheel.now + uint32(min(left, wheelSlots))
}

// newToken handles a type 10 frame: its token is looked at by a clerk, and c has its
// former grant until then. Of one client that is one token a second.
func (s *Shard) newToken(c *session, f *wire.Frame) {
	switch {
	case s.opt.clerk == nil:
		s.tell(c, f.ID, ruling.NoRenewal.Code, ruling.NoRenewal.Text)
		return
	case c.renewing:
		s.tell(c, f.ID, "busy", "another token of this client is being looked at")
		return
	case c.renewed != 0 && s.wheel.now+1-c.renewed < second: // a look is a signature to check
		s.tell(c, f.ID, "busy", "another token of this client came less than a second ago")
		return
	}
	a := &application{
		shard: s, slot: c.slot, serial: c.serial, id: bytes.Clone(f.ID), grant: new(core.Grant),
		handshake: core.Handshake{
			ClientID: strings.Clone(c.ID), Remote: c.Remote,
			Token: string(wire.Unquote(nil, f.Token)), Now: time.UnixMilli(s.unixMillis),
		},
	}
	if !s.opt.clerk.take(a) {
		s.tell(c, f.ID, "overloaded", "too many tokens are being looked at: try again in a second")
		return
	}
	c.renewing, c.renewed = true, s.wheel.now+1
}

// renewed takes what came of a token. The client may have gone.
func (s *Shard) renewed(a *application) {
	c := s.sessions.find(a.slot, a.serial)
	if c == nil || c.state != open {
		return
	}
	c.renewing = false
	if a.err != nil {
		code, text := refusedToken(a.err)
		s.sendError(c, a.id, code, text)
		return
	}
	c.Grant, c.warned = a.grant, false
	s.text = wire.AppendExpires(s.text[:0], a.id, a.grant.Expires)
	s.send(c, s.text)
	s.schedule(c)
}

// refusedToken is the code and the text for a client whose token was not taken.
func refusedToken(err error) (code, text string) {
	var d *core.Denial
	switch {
	case !errors.As(err, &d):
		return "unavailable", "the gateway cannot look at the token at the moment"
	case d.Passing() || d.Code == ruling.NoRenewal.Code:
		return d.Code, d.Text
	}
	return "bad_token", d.Text
}
