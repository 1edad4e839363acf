package server

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/fasthttp/websocket"
	"github.com/valyala/fasthttp"

	"github.com/stratix-gateway/stratix/core"
)

func TestUpgrade(t *testing.T) {
	g := start(t, nil)
	p, c, r := g.connect(t, "?clientId=caf%C3%A9+1")
	if c.ID != "café 1" || c.Remote.String() != "127.0.0.1" || c.Conn != nil || c.Early != nil || c.Deflate {
		t.Errorf("handed over %+v", c)
	}
	if got := r.Header.Get("Sec-WebSocket-Accept"); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Errorf("Sec-WebSocket-Accept is %q", got)
	}
	for _, name := range []string{"Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol", "Server", "Content-Type"} {
		if v := r.Header.Get(name); v != "" {
			t.Errorf("the answer has %s: %s", name, v)
		}
	}
	_ = p.Close()
}

func TestUpgradeSelectsTheSubprotocolThatItKnows(t *testing.T) {
	g := start(t, nil)
	f := func(offered, want string) {
		t.Helper()
		_, c, r := g.connect(t, "?clientId=a", "Sec-WebSocket-Protocol: "+offered)
		if v := r.Header.Get("Sec-WebSocket-Protocol"); v != want || c.Reliable != (want != "") {
			t.Errorf("of %q the answer selects %q, reliable %v", offered, v, c.Reliable)
		}
	}
	f("stratix.v1", Reliable)
	f("chat, stratix.v1", Reliable)
	f("chat", "")
	f("stratix.v2, stratix", "")
}

func TestUpgradeOnAKeptConnection(t *testing.T) {
	g := start(t, nil)
	p := dial(t, g.publicAddr)
	p.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
	p.answer()
	p.send(handshake("?clientId=a"))
	if r, body := p.answer(); r.StatusCode != 101 {
		t.Fatalf("%s %s", r.Status, body)
	}
	closeDescriptor((<-g.clients).FD)
}

func TestUpgradeOverAUnixSocket(t *testing.T) {
	g := start(t, func(o *Options) { o.MaxPerAddress = 1 })
	path := filepath.Join(t.TempDir(), "public.sock")
	ln, err := Listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- g.ServePublic(ln) }()
	for range 2 { // a proxy on this machine is no single address
		if r, body := ask(t, path, handshake("?clientId=a")); r.StatusCode != 101 {
			t.Fatalf("%s %s", r.Status, body)
		}
		c := <-g.clients
		closeDescriptor(c.FD)
		if c.Remote.IsValid() {
			t.Errorf("the address is %s", c.Remote)
		}
	}
	_ = ln.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestUpgradeRefusals(t *testing.T) {
	g := start(t, func(o *Options) { o.Origins = []string{"https://app.example.com"} })
	f := func(request string, status int, why refusal, text string) {
		t.Helper()
		before := g.Stats().Refused[why.String()]
		r, body := ask(t, g.publicAddr, request)
		var said struct{ Code, Error string }
		if err := json.Unmarshal([]byte(body), &said); err != nil || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("the answer is no JSON: %q", body)
		}
		if r.StatusCode != status || said.Code != why.String() || !strings.Contains(said.Error, text) {
			t.Errorf("got %d %s %q, want %d %s %q", r.StatusCode, said.Code, said.Error, status, why, text)
		}
		if n := g.Stats().Refused[why.String()] - before; n != 1 {
			t.Errorf("%s was counted %d times", why, n)
		}
	}
	f(handshake(""), 400, badClientID, "clientId is missing")
	f(handshake("?clientid=a"), 400, badClientID, "clientId is missing")
	f(handshake("?clientId"), 400, badClientID, "clientId is empty")
	f(handshake("?clientId="+strings.Repeat("x", 129)), 400, badClientID, "longer than 128 bytes")
	f(handshake("?clientId=a%0Ab"), 400, badClientID, "not printable")
	f(handshake("?clientId=%ff"), 400, badClientID, "not printable")
	f(handshake("?clientId=a&clientId=a"), 400, badClientID, "more than once")
	f(handshake("?clientId=a&client%49d=b"), 400, badClientID, "more than once")

	f("GET /ws?clientId=a HTTP/1.1\r\nHost: a\r\n\r\n", 426, notWebSocket, "ws://a/ws?clientId=")
	f(handshake("?clientId=a", "Upgrade: h2c"), 426, notWebSocket, "WebSocket endpoint")
	f(handshake("?clientId=a", "Sec-WebSocket-Version: 8"), 426, badHandshake, "version 13")
	f(handshake("?clientId=a", "Sec-WebSocket-Version:"), 426, badHandshake, "version 13")
	f(handshake("?clientId=a", "Sec-WebSocket-Key:"), 400, badHandshake, "Sec-WebSocket-Key")
	f(handshake("?clientId=a", "Sec-WebSocket-Key: AAAA"), 400, badHandshake, "Sec-WebSocket-Key")
	f(handshake("?clientId=a", "Sec-WebSocket-Key: "+strings.Repeat("A", 24)), 400, badHandshake, "Sec-WebSocket-Key")
	f(handshake("?clientId=a", "Connection: Upgrade, close"), 400, badHandshake, "Connection: close")

	f(handshake("?clientId=a", "Origin: https://evil.example"), 403, foreignOrigin, "origin")
	f(handshake("?clientId=a", "Origin: http://app.example.com"), 403, foreignOrigin, "origin")

	g.draining.Store(true)
	f(handshake("?clientId=a"), 503, draining, "no clients")
	if open := g.Stats().Open; open != 0 {
		t.Errorf("%d places are taken", open)
	}
}

func TestUpgradeHints(t *testing.T) {
	g := start(t, nil)
	r, _ := ask(t, g.publicAddr, "GET /ws HTTP/1.1\r\nHost: a\r\n\r\n")
	if r.Header.Get("Upgrade") != "websocket" {
		t.Errorf("426 without Upgrade: %v", r.Header)
	}
	r, _ = ask(t, g.publicAddr, handshake("?clientId=a", "Sec-WebSocket-Version: 8"))
	if r.Header.Get("Sec-WebSocket-Version") != "13" {
		t.Errorf("426 without Sec-WebSocket-Version: %v", r.Header)
	}
	r, _ = ask(t, g.publicAddr, "POST /ws HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
	if r.StatusCode != 405 || r.Header.Get("Allow") != "GET" {
		t.Errorf("POST /ws: %d, Allow: %q", r.StatusCode, r.Header.Get("Allow"))
	}
}

func TestAnOriginIsTheGatewaysOwnOrListed(t *testing.T) {
	f := func(origin, host string, origins []string, want bool) {
		t.Helper()
		if got := ownPage(origin, host) || listed(origin, origins); got != want {
			t.Errorf("%q at %q with %q: %v", origin, host, origins, got)
		}
	}
	f("https://a.example", "a.example", nil, true)
	f("https://A.example", "a.EXAMPLE", nil, true)
	f("http://a.example:8080", "a.example:8080", nil, true)
	f("http://a.example:8081", "a.example:8080", nil, false)
	f("https://a.example.evil.example", "a.example", nil, false)
	f("https://evil.example/a.example", "a.example", nil, false)
	f("https://a.example@evil.example", "a.example", nil, false)
	f("null", "a.example", nil, false)
	f("null", "", nil, false)
	f("file://", "", nil, false)
	f("", "", nil, false)
	f("%zz", "a.example", nil, false)
	f("file://", "a.example", []string{"file://"}, true)
	f("null", "a.example", []string{"null"}, true)
	f("https://app.example", "a.example", []string{"https://other.example", "https://APP.example"}, true)
	f("http://app.example", "a.example", []string{"https://app.example"}, false)
	f("https://anything.example", "a.example", []string{"*"}, true)
}

func TestOriginsOverTheWire(t *testing.T) {
	g := start(t, nil)
	g.connect(t, "?clientId=a", "Origin: https://gateway.test", "X-Forwarded-For: 192.0.2.1")
	two := strings.Replace(handshake("?clientId=a", "Origin: https://gateway.test", "X-Forwarded-For: 192.0.2.1"), "\r\n\r\n", "\r\nOrigin: https://evil.example\r\n\r\n", 1)
	if r, _ := ask(t, g.publicAddr, two); r.StatusCode != 403 {
		t.Errorf("a second origin went unseen: %s", r.Status)
	}
}

// Whoever owns a name can point it at 127.0.0.1 once a browser has their page.
func TestAPageWhoseNameWasPointedAtThisMachineIsForeign(t *testing.T) {
	f := func(change func(*Options), status int, lines ...string) {
		t.Helper()
		g := start(t, change)
		if r, _ := ask(t, g.publicAddr, handshake("?clientId=a", lines...)); r.StatusCode != status {
			t.Errorf("%q: %s, want %d", lines, r.Status, status)
		}
	}
	trusted, err := ParseProxies([]string{"127.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	proxies := func(o *Options) { o.Proxies = trusted }
	f(nil, 403, "Origin: http://gateway.test")
	f(nil, 101)
	for _, host := range []string{"localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080"} {
		f(nil, 101, "Host: "+host, "Origin: http://"+host)
	}
	f(nil, 403, "Host: localhost.evil.example", "Origin: http://localhost.evil.example")
	f(nil, 101, "Origin: https://gateway.test", "X-Forwarded-For: 192.0.2.1")
	f(nil, 101, "Origin: https://gateway.test", "Via: 1.1 proxy")
	f(proxies, 101, "Origin: https://gateway.test")
	f(func(o *Options) { o.Origins = []string{"http://gateway.test"} }, 101, "Origin: http://gateway.test")
}

func TestMaxConnections(t *testing.T) {
	g := start(t, func(o *Options) { o.MaxConnections = 2 })
	_, first, _ := g.connect(t, "?clientId=a")
	g.connect(t, "?clientId=b")
	r, body := ask(t, g.publicAddr, handshake("?clientId=c"))
	if r.StatusCode != 503 || !strings.Contains(body, `{"code":"full",`) || r.Header.Get("Retry-After") == "" || g.Stats().Refused["full"] != 1 {
		t.Errorf("the third got %d, Retry-After %q", r.StatusCode, r.Header.Get("Retry-After"))
	}
	first.Place.Leave()
	first.Place.Leave()
	g.connect(t, "?clientId=c")
	if n := g.Stats().Open; n != 2 {
		t.Errorf("%d are open, want 2", n)
	}
}

func TestMaxPerAddress(t *testing.T) {
	g := start(t, func(o *Options) { o.MaxPerAddress = 1 })
	_, c, _ := g.connect(t, "?clientId=a")
	r, body := ask(t, g.publicAddr, handshake("?clientId=b"))
	if r.StatusCode != 429 || !strings.Contains(body, `{"code":"address_full",`) || g.Stats().Refused["address_full"] != 1 || g.Stats().Open != 1 {
		t.Errorf("the second got %d; %+v", r.StatusCode, g.Stats())
	}
	c.Place.Leave()
	g.connect(t, "?clientId=b")
}

// A place that was promised must come back when the upgrade ends early.
func TestPlaceComesBack(t *testing.T) {
	g := start(t, func(o *Options) { o.MaxConnections, o.MaxPerAddress = 3, 3 })
	ask(t, g.publicAddr, handshake("?clientId=a", "Origin: https://evil.example"))
	ask(t, g.publicAddr, handshake("?clientId=a", "Connection: Upgrade, close"))
	if n := g.Stats().Open; n != 0 {
		t.Errorf("%d places are taken after refusals", n)
	}

	pipe, _ := net.Pipe()
	c := &conn{Conn: &unwritable{pipe, strings.NewReader(handshake("?clientId=a"))}, handshakes: &g.handshakes, waiting: &g.strangers, seat: new(Place)}
	if err := g.public.ServeConn(c); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("serving ended with %v", err)
	}
	g.handshakes.Wait()
	if n := g.Stats().Open; n != 0 {
		t.Errorf("%d places are taken after a response that could not be written", n)
	}
}

// unwritable is a connection whose peer has sent its request and gone.
type unwritable struct {
	net.Conn
	in io.Reader
}

func (c *unwritable) Read(p []byte) (int, error)  { return c.in.Read(p) }
func (c *unwritable) Write(p []byte) (int, error) { return 0, syscall.EPIPE }

func TestFailedDuplicate(t *testing.T) {
	g := start(t, nil)
	g.duplicate = func(net.Conn) (int, error) { return -1, syscall.EMFILE }
	g.turnedAway(t, noDescriptor)
}

// turnedAway expects that a client gets close code 1013 after its handshake.
func (g *gateway) turnedAway(t *testing.T, why refusal) {
	t.Helper()
	ws, _, err := websocket.DefaultDialer.Dial("ws://"+g.publicAddr+"/ws?clientId=a", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ws.Close() }()
	if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseTryAgainLater) {
		t.Errorf("the client saw %v", err)
	}
	eventually(t, "the place comes back", func() bool { return g.Stats().Open == 0 })
	if st := g.Stats(); st.Refused[why.String()] != 1 || st.Upgraded != 0 {
		t.Errorf("counted %+v", st)
	}
}

func TestGoroutineTransport(t *testing.T) {
	got := make(chan Client)
	g := start(t, func(o *Options) {
		o.Transport, o.Attach = Goroutine, nil
		o.Pump = func(c Client) {
			got <- c
			_, _ = io.Copy(c.Conn, c.Conn)
		}
	})
	p := dial(t, g.publicAddr)
	p.send(handshake("?clientId=a") + "early")
	if r, _ := p.answer(); r.StatusCode != 101 {
		t.Fatal(r.Status)
	}
	if c := <-got; c.FD != -1 || string(c.Early) != "early" {
		t.Errorf("handed over %+v", c)
	}
	p.send("late")
	var echo [4]byte
	if _, err := io.ReadFull(p.in, echo[:]); err != nil || string(echo[:]) != "late" {
		t.Errorf("echo %q, %v", echo, err)
	}
	_ = p.Close()
	eventually(t, "the place comes back", func() bool { return g.Stats().Open == 0 })
}

func TestThousandsLeaveNothingBehind(t *testing.T) {
	g := start(t, func(o *Options) { o.MaxPerAddress = 10 })
	once := func() {
		p, err := net.Dial("tcp", g.publicAddr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(p, handshake("?clientId=a")); err != nil {
			t.Fatal(err)
		}
		c := <-g.clients
		closeDescriptor(c.FD)
		c.Place.Leave()
		_ = p.Close()
	}
	once()
	goroutines, files := runtime.NumGoroutine(), descriptors(t)
	for range 2000 {
		once()
	}
	eventually(t, "all descriptors are closed", func() bool { return descriptors(t) <= files })
	eventually(t, "all goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines+2 })
	if n := g.Stats().Open; n != 0 {
		t.Errorf("%d places are taken", n)
	}
	for i := range g.counts.parts {
		if n := len(g.counts.parts[i].open); n != 0 {
			t.Errorf("part %d still counts %d addresses", i, n)
		}
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(files)
}

func FuzzClientID(f *testing.F) {
	for _, q := range []string{"clientId=a", "clientId", "clientId=a&clientId=b", "client%49d=%ff", "clientId=a+b%20c", "a=b;clientId=c", "clientId=%e2%80%8b"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		var args fasthttp.Args
		args.Parse(query)
		id, wrong := clientID(&args)
		if (id == "") == (wrong == "") {
			t.Fatalf("%q gives %q and %q", query, id, wrong)
		}
		if wrong != "" {
			return
		}
		if len(id) > core.MaxClientID || !utf8.ValidString(id) {
			t.Fatalf("%q gives %q", query, id)
		}
		// A client that escapes its ClientID as usual gets exactly that one.
		args.Parse("clientId=" + url.QueryEscape(id))
		if again, wrong := clientID(&args); again != id {
			t.Fatalf("%q comes back as %q %s", id, again, wrong)
		}
	})
}
