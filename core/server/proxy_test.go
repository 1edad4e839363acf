package server

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

func TestProxiesAreReadStrictly(t *testing.T) {
	f := func(text, wrong string) {
		t.Helper()
		_, err := ParseProxies([]string{text})
		if wrong == "" && err != nil || wrong != "" && (err == nil || !strings.Contains(err.Error(), wrong)) {
			t.Errorf("%q: got %v, want %q", text, err, wrong)
		}
	}
	f("10.0.0.0/8", "")
	f("127.0.0.1", "")
	f("2001:db8::/32", "")
	f("::1", "")
	f("unix", "")
	f("proxy.example.com", "is no address")
	f("10.0.0.0/33", "is no address")
	f("0.0.0.0/0", "is everybody")
	f("::/0", "is everybody")
	f("::ffff:0.0.0.0/96", "is everybody")
	f("", "is no address")
}

func TestTheClientIsTheLastWhoIsNoProxy(t *testing.T) {
	proxies, err := ParseProxies([]string{"10.0.0.0/8", "127.0.0.1", "2001:db8::/32", "::ffff:172.16.0.0/108"})
	if err != nil {
		t.Fatal(err)
	}
	f := func(peer, want string, headers ...string) {
		t.Helper()
		var ctx fasthttp.RequestCtx
		var req fasthttp.Request
		for _, h := range headers {
			req.Header.Add("X-Forwarded-For", h)
		}
		ctx.Init(&req, &net.TCPAddr{IP: net.ParseIP(peer)}, nil)
		if got := proxies.client(&ctx); got != netip.MustParseAddr(want) {
			t.Errorf("%s with %q: got %s, want %s", peer, headers, got, want)
		}
	}
	f("192.0.2.1", "192.0.2.1", "203.0.113.9") // not a proxy: nobody asks what it says
	f("127.0.0.1", "127.0.0.1")
	f("127.0.0.1", "203.0.113.9", "203.0.113.9")
	f("127.0.0.1", "203.0.113.9", "6.6.6.6, 203.0.113.9")
	f("127.0.0.1", "203.0.113.9", "6.6.6.6, 203.0.113.9, 10.1.2.3")
	f("127.0.0.1", "203.0.113.9", "6.6.6.6", "203.0.113.9", " 10.1.2.3 ,10.9.9.9")
	f("127.0.0.1", "10.1.2.3", "10.1.2.3")
	f("127.0.0.1", "127.0.0.1", "203.0.113.9, nonsense")
	f("127.0.0.1", "10.1.1.1", "6.6.6.6, unknown, 10.1.1.1")
	f("::ffff:127.0.0.1", "203.0.113.9", "::ffff:203.0.113.9")
	f("2001:db8::5", "2001:db9::1", "2001:db9::1")
	f("127.0.0.1", "127.0.0.1", "")
	f("172.17.0.1", "203.0.113.9", "203.0.113.9")
}

func TestAProxyHeaderNamesTheClient(t *testing.T) {
	proxies, err := ParseProxies([]string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	g := start(t, func(o *Options) { o.Proxies, o.ProxyProtocol = proxies, true })
	f := func(name, header, want string) {
		t.Helper()
		p := dial(t, g.publicAddr)
		p.send(header + "GET /ws?clientId=c HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + testKey + "\r\n\r\n\x89\x80abcd")
		if want == "" {
			buf := make([]byte, 64)
			if n, err := p.in.Read(buf); err == nil && strings.Contains(string(buf[:n]), " 101 ") {
				t.Errorf("%s: is let in: %q", name, buf[:n])
			}
			return
		}
		if r, body := p.answer(); r.StatusCode != 101 {
			t.Errorf("%s: got %s %s", name, r.Status, body)
			return
		}
		select {
		case c := <-g.clients:
			if c.Remote.String() != want || string(c.Early) != "\x89\x80abcd" {
				t.Errorf("%s: got %s and %q", name, c.Remote, c.Early)
			}
			closeDescriptor(c.FD)
		case <-time.After(20 * time.Second):
			t.Errorf("%s: nobody came", name)
		}
	}
	f("version 1", "PROXY TCP4 203.0.113.9 10.0.0.1 5000 80\r\n", "203.0.113.9")
	f("version 1, IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 5000 80\r\n", "2001:db8::7")
	f("version 2", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x09\x0a\x00\x00\x01\x13\x88\x00\x50", "203.0.113.9")
	f("none", "", "")
	f("a broken one", "PROXY TCP4 203.0.113.9\r\n", "")
	f("an endless one", "PROXY TCP4 "+strings.Repeat("1", 5000), "")
}
