package server

import (
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/valyala/fasthttp"

	"github.com/stratix-gateway/stratix/core"
)

// upgrade answers /ws: it admits the client, lets the library do the handshake,
// and leaves the rest to the hijack handler.
func (s *Server) upgrade(ctx *fasthttp.RequestCtx) {
	if !allow(ctx, fasthttp.MethodGet) || !s.checkHandshake(ctx) {
		return
	}
	id, wrong := clientID(ctx.QueryArgs())
	if wrong != "" {
		s.refuse(ctx, badClientID, fasthttp.StatusBadRequest, wrong)
		return
	}
	if !s.opt().Ready() {
		s.refuse(ctx, draining, fasthttp.StatusServiceUnavailable, "the gateway takes no clients at the moment")
		return
	}
	token, wrong := bearerToken(ctx)
	if wrong != "" {
		s.refuse(ctx, badToken, fasthttp.StatusBadRequest, wrong)
		return
	}
	client := Client{ID: id, Remote: s.opt().Proxies.client(ctx), FD: -1}
	client.Deflate = leaveHonourable(&ctx.Request.Header, s.opt().Deflate)
	place, why := s.counts.enter(client.Remote)
	if place == nil {
		s.refuseFull(ctx, why)
		return
	}
	client.Place = place
	c := ctx.Conn().(*conn)
	c.hold(place)
	upgraded := false
	defer func() {
		if !upgraded {
			c.release()
		}
	}()
	if s.admit(ctx, &client, token) {
		upgraded = s.upgrader.Upgrade(ctx, func(ws *websocket.Conn) { s.handOver(ws, c, client) }) == nil
	}
}

func (s *Server) refuseFull(ctx *fasthttp.RequestCtx, why refusal) {
	if why == addressFull {
		s.refuse(ctx, why, fasthttp.StatusTooManyRequests, "there are too many connections from this address")
		return
	}
	s.complain(full, "clients are refused: the limit of connections is reached", "limit", s.opt().MaxConnections)
	s.refuse(ctx, why, fasthttp.StatusServiceUnavailable, "the gateway is full")
}

// checkHandshake refuses what the library lets pass or answers otherwise than
// RFC 6455 wants.
func (s *Server) checkHandshake(ctx *fasthttp.RequestCtx) bool {
	h := &ctx.Request.Header
	switch {
	case !websocket.FastHTTPIsWebSocketUpgrade(ctx):
		s.refuse(ctx, notWebSocket, fasthttp.StatusUpgradeRequired,
			"this is a WebSocket endpoint: connect to ws://"+string(ctx.Host())+"/ws?clientId=YOUR-ID with a WebSocket client")
		ctx.Response.Header.Set(fasthttp.HeaderUpgrade, "websocket")
		ctx.Response.Header.Set(fasthttp.HeaderConnection, "close, Upgrade")
	case string(h.Peek("Sec-WebSocket-Version")) != "13":
		s.refuse(ctx, badHandshake, fasthttp.StatusUpgradeRequired, "only version 13 of the WebSocket protocol is spoken here")
		ctx.Response.Header.Set("Sec-WebSocket-Version", "13")
		ctx.Response.Header.Set(fasthttp.HeaderUpgrade, "websocket")
		ctx.Response.Header.Set(fasthttp.HeaderConnection, "close, Upgrade")
	case !validKey(h.Peek("Sec-WebSocket-Key")):
		s.refuse(ctx, badHandshake, fasthttp.StatusBadRequest, "Sec-WebSocket-Key must be 16 bytes in base64")
	case !h.IsHTTP11() || h.ConnectionClose():
		// fasthttp would answer 101 and then close the connection.
		s.refuse(ctx, badHandshake, fasthttp.StatusBadRequest, "an upgrade needs HTTP/1.1 without Connection: close")
	case !s.checkOrigin(ctx):
		s.refuse(ctx, foreignOrigin, fasthttp.StatusForbidden, "pages of this origin may not connect: the gateway's --origins does not list it")
	default:
		return true
	}
	return false
}

func validKey(key []byte) bool {
	var buf [18]byte // room for what 24 characters decode to
	if len(key) != 24 {
		return false
	}
	n, err := base64.StdEncoding.Decode(buf[:], key)
	return err == nil && n == 16
}

// handshakeError answers what the library refuses.
func (s *Server) handshakeError(ctx *fasthttp.RequestCtx, status int, reason error) {
	s.refuse(ctx, badHandshake, status, reason.Error())
}

// clientID returns the ClientID of a query, or what is wrong with it.
func clientID(query *fasthttp.Args) (id, wrong string) {
	all := query.PeekMulti("clientId")
	switch len(all) {
	case 0:
		return "", "the query parameter clientId is missing"
	case 1:
	default:
		return "", "the query parameter clientId is there more than once"
	}
	id = string(all[0])
	if wrong := core.CheckName(id, core.MaxClientID); wrong != "" {
		return "", "clientId " + wrong
	}
	return id, ""
}

// checkOrigin lets pages of the own host and of the listed origins in, and
// everything that is no browser.
func (s *Server) checkOrigin(ctx *fasthttp.RequestCtx) bool {
	host := string(ctx.Host())
	for _, origin := range ctx.Request.Header.PeekAll(fasthttp.HeaderOrigin) {
		if listed(string(origin), s.opt().Origins) || ownPage(string(origin), host) && !s.rebound(ctx, host) {
			continue
		}
		return false
	}
	return true
}

// listed reports whether origin is one of these.
func listed(origin string, origins []string) bool {
	return slices.ContainsFunc(origins, func(l string) bool { return l == "*" || strings.EqualFold(l, origin) })
}

// ownPage reports whether origin belongs to host.
func ownPage(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && host != "" && strings.EqualFold(u.Host, host)
}

// rebound reports whether host may be a name that somebody else has pointed at this
// machine, so that a page of theirs, in a browser on it, seems to be one of the
// gateway's own. On a loopback address only the names of the machine itself are
// beyond that, unless a proxy there says that it is one: a page cannot say so.
func (s *Server) rebound(ctx *fasthttp.RequestCtx, host string) bool {
	c := ctx.Conn().(*conn).raw // what a PROXY header says is of another machine
	if !remote(c.LocalAddr()).IsLoopback() || localHost(host) || s.opt().Proxies.trust(remote(c.RemoteAddr())) {
		return false
	}
	for key := range ctx.Request.Header.All() {
		if forwarded(string(key)) {
			return false
		}
	}
	return true
}

// remote returns the peer's address; it is invalid for a unix socket.
func remote(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// handOver is the hijack handler: it runs when the 101 response is written, and
// fasthttp closes c when it returns.
func (s *Server) handOver(ws *websocket.Conn, c *conn, client Client) {
	c.waiting.leave(c)
	if c.claim() == nil {
		return
	}
	defer s.handshakes.Done()
	early, err := buffered(ws.NetConn())
	if err != nil {
		client.Place.Leave()
		return
	}
	client.Early = early
	client.Reliable = ws.Subprotocol() == Reliable
	if s.opt().Transport == Goroutine || s.tls != nil {
		defer client.Place.Leave()
		client.Conn, client.Socket = c.Conn, c.raw
		s.upgraded.Add(1)
		s.opt().Pump(client)
		return
	}
	if client.FD, err = s.duplicate(c.raw); err != nil {
		s.turnAway(ws, client, noDescriptor, err)
		return
	}
	s.upgraded.Add(1)
	s.opt().Attach(client)
}

// turnAway closes a connection that was upgraded already: code 1013 asks the
// client to come back later.
func (s *Server) turnAway(ws *websocket.Conn, client Client, why refusal, err error) {
	s.refused[why].Add(1)
	s.complain(why, "a client is turned away after its handshake", "client", client.ID, "remote", client.Remote.String(), "error", err)
	text := websocket.FormatCloseMessage(websocket.CloseTryAgainLater, "the gateway cannot serve the connection now")
	_ = ws.WriteControl(websocket.CloseMessage, text, time.Now().Add(time.Second))
	client.Place.Leave()
}

// buffered returns the bytes that fasthttp's reader took from the socket behind
// the request, and none that are still in the socket: that reader serves its
// buffer without a look at the deadline, and the socket under it checks the
// deadline before it reads. Afterwards c has no deadline.
func buffered(c net.Conn) ([]byte, error) {
	if err := c.SetReadDeadline(time.Unix(1, 0)); err != nil {
		return nil, err
	}
	early, err := io.ReadAll(c)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, errors.Join(err, io.ErrUnexpectedEOF)
	}
	if len(early) == 0 {
		early = nil
	}
	return early, c.SetReadDeadline(time.Time{})
}
