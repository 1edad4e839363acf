package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// gateway is a Server under test with both listeners open.
type gateway struct {
	*Server
	publicAddr, adminAddr string
	clients               chan Client // what Attach got
	draining              atomic.Bool
}

const testKey = "dGhlIHNhbXBsZSBub25jZQ=="

func start(t testing.TB, change func(*Options)) *gateway {
	t.Helper()
	g := &gateway{clients: make(chan Client, 100)}
	opt := Options{
		HandshakeTimeout: 5 * time.Second,
		Transport:        Epoll,
		Attach:           func(c Client) { g.clients <- c },
		Ready:            func() bool { return !g.draining.Load() },
		PublicMetrics:    true,
		Metrics: func(w io.Writer, admin bool) {
			if admin {
				_, _ = io.WriteString(w, "admin_metric 1\n")
			}
			_, _ = io.WriteString(w, "metric 1\n")
		},
		Status: func() any { return map[string]int{"generation": 7} },
		Reload: func(string) error { return nil },
		Log:    slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&opt)
	}
	g.Server = New(opt)
	public, admin := listenLocal(t), listenLocal(t)
	g.publicAddr, g.adminAddr = public.Addr().String(), admin.Addr().String()
	served := make(chan error, 2)
	go func() { served <- g.ServePublic(public) }()
	go func() { served <- g.ServeAdmin(admin) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := g.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		for range 2 {
			if err := <-served; err != nil {
				t.Errorf("serving ended with %v", err)
			}
		}
	})
	return g
}

func listenLocal(t testing.TB) net.Listener {
	t.Helper()
	ln, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// peer is the other end, written by hand.
type peer struct {
	net.Conn
	t  testing.TB
	in *bufio.Reader
}

func dial(t testing.TB, addr string) *peer {
	t.Helper()
	network := "tcp"
	if strings.HasPrefix(addr, "/") {
		network = "unix"
	}
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return &peer{Conn: c, t: t, in: bufio.NewReader(c)}
}

func (p *peer) send(s string) {
	p.t.Helper()
	if _, err := io.WriteString(p, s); err != nil {
		p.t.Fatalf("write: %v", err)
	}
}

// answer reads one response with its body.
func (p *peer) answer() (*http.Response, string) {
	p.t.Helper()
	r, err := http.ReadResponse(p.in, nil)
	if err != nil {
		p.t.Fatalf("read the response: %v", err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Fatalf("read the body: %v", err)
	}
	return r, string(body)
}

// ask sends a request on a connection of its own.
func ask(t testing.TB, addr, request string) (*http.Response, string) {
	t.Helper()
	p := dial(t, addr)
	p.send(request)
	return p.answer()
}

// handshake is an upgrade request. A header replaces the one of the same name;
// "Name:" removes it.
func handshake(query string, headers ...string) string {
	lines := []string{"Host: gateway.test", "Connection: Upgrade", "Upgrade: websocket",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + testKey}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		for i, l := range lines {
			if strings.HasPrefix(l, name+":") {
				lines[i] = ""
			}
		}
		if value != "" {
			lines = append(lines, h)
		}
	}
	var b strings.Builder
	b.WriteString("GET /ws" + query + " HTTP/1.1\r\n")
	for _, l := range lines {
		if l != "" {
			b.WriteString(l + "\r\n")
		}
	}
	b.WriteString("\r\n")
	return b.String()
}

// connect upgrades a client and returns both ends. The descriptor is closed
// when the test ends.
func (g *gateway) connect(t *testing.T, query string, headers ...string) (*peer, Client, *http.Response) {
	t.Helper()
	p := dial(t, g.publicAddr)
	p.send(handshake(query, headers...))
	r, body := p.answer()
	if r.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("the upgrade was refused: %s %s", r.Status, body)
	}
	c := <-g.clients
	t.Cleanup(func() { closeDescriptor(c.FD) })
	return p, c, r
}

// eventually waits for something that no channel tells.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never happened that %s", what)
		}
	}
}

func TestHealthAndMetrics(t *testing.T) {
	g := start(t, nil)
	f := func(addr, path string, status int, body string) {
		t.Helper()
		r, got := ask(t, addr, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if r.StatusCode != status || got != body {
			t.Errorf("GET %s: %d %q, want %d %q", path, r.StatusCode, got, status, body)
		}
		if v := r.Header.Get("Server"); v != "" {
			t.Errorf("GET %s tells the server %q", path, v)
		}
	}
	for _, addr := range []string{g.publicAddr, g.adminAddr} {
		f(addr, "/healthz", 200, "ok\n")
		f(addr, "/readyz", 200, "ok\n")
	}
	f(g.publicAddr, "/metrics", 200, "metric 1\n")
	f(g.adminAddr, "/metrics", 200, "admin_metric 1\nmetric 1\n")
	g.draining.Store(true)
	for _, addr := range []string{g.publicAddr, g.adminAddr} {
		f(addr, "/healthz", 200, "ok\n")
		f(addr, "/readyz", 503, "not ready\n")
	}
}

func TestPublicRefusals(t *testing.T) {
	g := start(t, nil)
	f := func(request string, status int) {
		t.Helper()
		if r, body := ask(t, g.publicAddr, request); r.StatusCode != status {
			t.Errorf("%.60q: %d %s, want %d", request, r.StatusCode, body, status)
		}
	}
	f("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 404)
	f("GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n", 404)
	f("GET /debug/pprof/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 404)
	f("POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 405)
	f("nonsense\r\n\r\n", 400)
	f("GET /healthz HTTP/1.1\r\nHost: a\r\nX: "+strings.Repeat("x", 13_000)+"\r\n\r\n", 431)
	f("POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", 413)
}

func TestPanicIsAnswered(t *testing.T) {
	g := start(t, func(o *Options) { o.Status = func() any { panic("broken") } })
	r, body := ask(t, g.adminAddr, "GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if r.StatusCode != 500 || strings.Contains(body, "broken") {
		t.Errorf("got %d %s", r.StatusCode, body)
	}
}

func TestShutdownBeforeServe(t *testing.T) {
	s := New(Options{HandshakeTimeout: time.Second, Log: slog.New(slog.DiscardHandler)})
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	ln := listenLocal(t)
	if err := s.ServePublic(ln); err != nil {
		t.Errorf("ServePublic: %v", err)
	}
	if _, err := ln.Accept(); err == nil {
		t.Error("the listener is open")
	}
}

func TestShutdownWaitsForAttach(t *testing.T) {
	entered, release := make(chan Client), make(chan struct{})
	g := start(t, func(o *Options) {
		o.Attach = func(c Client) {
			entered <- c
			<-release
		}
	})
	p := dial(t, g.publicAddr)
	p.send(handshake("?clientId=a"))
	c := <-entered
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := g.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown returned %v while a client was handed over", err)
	}
	close(release)
	closeDescriptor(c.FD)
}
