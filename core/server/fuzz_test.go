package server

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/apikey"
)

// loopback is a connection of somebody on this machine, without a socket.
type loopback struct{ net.Conn }

func (loopback) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8081} }
func (loopback) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5000} }

// answered runs a request through a handler as if it had come over a socket. It
// returns no status where it is no request.
func answered(t testing.TB, h fasthttp.RequestHandler, text string) (status int, r *fasthttp.Response) {
	t.Helper()
	var ctx fasthttp.RequestCtx
	in := bufio.NewReaderSize(strings.NewReader(text), headerBytes)
	ctx.Init2(loopback{}, nil, false)
	if ctx.Request.ReadLimitBody(in, bodyBytes) != nil {
		return 0, nil
	}
	h(&ctx)
	r = new(fasthttp.Response)
	if ctx.Response.IsBodyStream() { // of which nobody waits for the end
		return ctx.Response.StatusCode(), r
	}
	ctx.Response.CopyTo(r)
	return r.StatusCode(), r
}

// Every endpoint answers every query, name, key and body with a status that says
// what is wrong with it, and never with one that is the gateway's own fault.
func FuzzEndpoints(f *testing.F) {
	f.Add("prefix=a&limit=3", "Bearer admin", "abc", "{}")
	f.Add("wait=disk&timeout=1s&from=x", "Bearer pub", "..", `{"data":1}`)
	f.Add("%zz&a=b&a=c", "Basic x", "%2e%2e%2f", "[")
	f.Add("client=%ff&seconds=1&gate=tests&to=3&reason=x", "Bearer ", "\x00", "\xff")
	f.Add("prefix=&after=&verdict=drop&limit=-1", "bearer read", "a/b", "")
	asked := ""
	opt := Options{HandshakeTimeout: time.Second, Transport: Epoll, Ready: func() bool { return true }, Log: slog.New(slog.DiscardHandler),
		Metrics: func(w io.Writer, _ bool) { _, _ = io.WriteString(w, "m 1\n") },
		Status:  func() any { return 1 }, Settings: func() any { return 1 }, Reload: func(string) error { return nil }}
	api(&asked)(&opt)
	opt.Keys, opt.PublicPublish, opt.PublicMetrics = testRing, true, true
	s := New(opt)
	public, admin := s.answering(s.servePublic), s.answering(s.serveAdmin)
	f.Fuzz(func(t *testing.T, query, authorization, name, body string) {
		line := strings.NewReplacer("\r", "", "\n", "")
		authorization, query = line.Replace(authorization), line.Replace(strings.ReplaceAll(query, " ", "+"))
		paths := []string{"/ws", "/metrics", "/healthz", "/readyz", "/" + line.Replace(strings.ReplaceAll(name, " ", "+"))}
		methods := map[string]bool{fasthttp.MethodGet: true, fasthttp.MethodOptions: true, "BREW": true}
		for _, rt := range routes {
			if rt.path == "/v1/profile" || strings.HasPrefix(rt.path, profiles) {
				continue // they take their time, or are not ours
			}
			path := rt.path
			for _, place := range []string{"{id}", "{id:*}", "{group}", "{name}"} {
				path = strings.ReplaceAll(path, place, url.PathEscape(name))
			}
			paths, methods[rt.method] = append(paths, path), true
		}
		slices.Sort(paths)
		for _, path := range slices.Compact(paths) {
			for method := range methods {
				text := method + " " + path + "?" + query + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: " + authorization +
					"\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
				for side, h := range map[string]fasthttp.RequestHandler{"public": public, "admin": admin} {
					status, r := answered(t, h, text)
					if status >= 500 && status != fasthttp.StatusNotImplemented && status != fasthttp.StatusHTTPVersionNotSupported {
						t.Fatalf("%s: %q: %d %s", side, text, status, r.Body())
					}
					if status >= 400 && !bytes.Contains(r.Header.ContentType(), []byte("json")) && !strings.HasPrefix(path, "/metrics") {
						t.Fatalf("%s: %q: %d is told as %s", side, text, status, r.Header.ContentType())
					}
					if status >= 400 && len(authorization) > 20 && bytes.Contains(r.Body(), []byte(authorization)) {
						t.Fatalf("%s: the answer holds the key: %s", side, r.Body())
					}
				}
			}
		}
	})
}

// What a token is taken from, and whether one is, never depends on how it is
// written: it is one clean text, or none and a reason.
func FuzzBearerToken(f *testing.F) {
	f.Add("Bearer x.y.z", "stratix.v1, bearer.x.y.z", "token=x")
	f.Add("bearer   x ", "bearer.", "token=&token=")
	f.Add("Basic eDp5", ",,bearer.a,bearer.b", "")
	f.Fuzz(func(t *testing.T, authorization, protocols, query string) {
		var ctx fasthttp.RequestCtx
		ctx.Request.Header.Set(fasthttp.HeaderAuthorization, authorization)
		ctx.Request.Header.Set("Sec-WebSocket-Protocol", protocols)
		ctx.Request.SetRequestURI("/ws?" + query)
		token, wrong := bearerToken(&ctx)
		switch {
		case token != "" && wrong != "":
			t.Errorf("%q with %q", token, wrong)
		case len(token) > core.MaxToken || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
			t.Errorf("%q is taken for a token", token)
		case len(authorization) > 20 && strings.Contains(wrong, authorization):
			t.Errorf("the reason holds the token: %s", wrong)
		}
	})
}

// Whoever has no key is nobody, however the header is written.
func FuzzAuthorization(f *testing.F) {
	f.Add("Bearer pub")
	f.Add("Bearer  pub")
	f.Add("Bearer pub, Bearer admin")
	f.Add("\tBEARER admin ")
	s := New(Options{Keys: testRing, HandshakeTimeout: time.Second, Log: slog.New(slog.DiscardHandler)})
	f.Fuzz(func(t *testing.T, authorization string) {
		var h fasthttp.RequestHeader
		h.Set(fasthttp.HeaderAuthorization, authorization)
		who, err := s.identify(&h, nil, true)
		scheme, key, _ := strings.Cut(string(h.Peek(fasthttp.HeaderAuthorization)), " ")
		want := testRing.Find([]byte(key))
		if !strings.EqualFold(scheme, "Bearer") {
			want = nil
		}
		if (who == nil) != (want == nil) || (who == nil) != (err != nil) || who != nil && (who.scopes != want.Scopes || who.scopes == apikey.Scopes(0)) {
			t.Errorf("%q is %+v, want %+v", authorization, who, want)
		}
	})
}

// A name in a path is one that a client could have, and comes back as it is.
func FuzzPathName(f *testing.F) {
	f.Add("a")
	f.Add("%2e%2e%2f")
	f.Add("%00")
	f.Add("%c0%ae")
	f.Add("%zz")
	f.Add("%e2%80%8b")
	f.Fuzz(func(t *testing.T, raw string) {
		var ctx fasthttp.RequestCtx
		ctx.SetUserValue("id", raw)
		name, ok := pathName(&ctx, "id")
		if !ok {
			if ctx.Response.StatusCode() != fasthttp.StatusBadRequest || name != "" {
				t.Errorf("%q: %d and %q", raw, ctx.Response.StatusCode(), name)
			}
			return
		}
		if core.CheckName(name, core.MaxClientID) != "" || !utf8.ValidString(name) {
			t.Errorf("%q is taken for the name %q", raw, name)
		}
		ctx.SetUserValue("id", url.PathEscape(name))
		if again, ok := pathName(&ctx, "id"); !ok || again != name {
			t.Errorf("%q comes back as %q", name, again)
		}
	})
}

// What X-Forwarded-For says never makes a client one of the proxies' own addresses
// where a stranger stands before it, and only a proxy is asked.
func FuzzForwarded(f *testing.F) {
	f.Add("127.0.0.1", "203.0.113.9, 10.1.2.3", "6.6.6.6")
	f.Add("192.0.2.1", "10.0.0.1", "")
	f.Add("10.0.0.1", "::ffff:203.0.113.9%eth0,,", ",")
	f.Add("::1", "[2001:db8::1]:80", "unknown")
	proxies, err := ParseProxies([]string{"10.0.0.0/8", "127.0.0.1", "::1"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, peer, first, second string) {
		ip := net.ParseIP(peer)
		if ip == nil {
			return
		}
		var ctx fasthttp.RequestCtx
		var req fasthttp.Request
		req.Header.Add(fasthttp.HeaderXForwardedFor, first)
		req.Header.Add(fasthttp.HeaderXForwardedFor, second)
		ctx.Init(&req, &net.TCPAddr{IP: ip}, nil)
		got := proxies.client(&ctx)
		from, _ := netip.AddrFromSlice(ip)
		from = from.Unmap()
		if !proxies.trust(from) && got != from {
			t.Errorf("%s said %q, %q, and became %s", from, first, second, got)
		}
		if !got.IsValid() || got.Zone() != "" || got.Is4In6() {
			t.Errorf("%s with %q, %q is %s", from, first, second, got)
		}
		if got != from && !strings.Contains(first+second, got.String()) {
			again := false // it may be written in another way
			for hop := range strings.SplitSeq(first+","+second, ",") {
				a, err := netip.ParseAddr(strings.TrimSpace(hop))
				again = again || err == nil && a.Unmap().WithZone("") == got
			}
			if !again {
				t.Errorf("%s with %q, %q is %s", from, first, second, got)
			}
		}
	})
}

// A PROXY header names an address, or the connection ends; nothing before it is
// handed on.
func FuzzProxyHeader(f *testing.F) {
	f.Add([]byte("PROXY TCP4 203.0.113.9 10.0.0.1 5000 80\r\nGET / HTTP/1.1\r\n"))
	f.Add([]byte("PROXY UNKNOWN\r\nx"))
	f.Add([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x09\x0a\x00\x00\x01\x13\x88\x00\x50x"))
	f.Add([]byte("\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00x"))
	f.Add([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		here, there := net.Pipe()
		go func() {
			_, _ = there.Write(sent)
			_ = there.Close()
		}()
		c := behind(loopback{here})
		got, err := io.ReadAll(c)
		_ = here.Close()
		if err == nil && len(got) > 0 && !bytes.HasPrefix(sent, []byte("PROXY ")) && !bytes.HasPrefix(sent, []byte("\r\n\r\n\x00\r\nQUIT\n")) {
			t.Errorf("%q without a header is handed on", sent)
		}
		if !bytes.HasSuffix(sent, got) || len(got) == len(sent) && len(got) > 0 {
			t.Errorf("of %q, %q is handed on", sent, got)
		}
		_ = remote(c.RemoteAddr())
	})
}
