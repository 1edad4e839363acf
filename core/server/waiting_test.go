package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

func TestConnectionsWithoutAHandshakeAreBounded(t *testing.T) {
	g := start(t, func(o *Options) { o.MaxPerAddress = 2 })
	waiting := func(n int64) {
		t.Helper()
		eventually(t, fmt.Sprint(n, " wait"), func() bool { return g.strangers.counts.total.Load() == n })
	}
	silent := dial(t, g.publicAddr)
	for range minPerAddress - 1 {
		dial(t, g.publicAddr)
	}
	waiting(minPerAddress)
	if r, _ := dial(t, g.publicAddr).answer(); r.StatusCode != http.StatusTooManyRequests || r.Header.Get("Retry-After") == "" {
		t.Errorf("one too many got %s %v", r.Status, r.Header)
	}
	if n := g.Stats().Refused["address_full"]; n != 1 {
		t.Errorf("%d refusals are counted", n)
	}
	_ = silent.Close()
	waiting(minPerAddress - 1)
	g.connect(t, "?clientId=a") // a client waits no longer
	waiting(minPerAddress - 1)
	g.connect(t, "?clientId=b")
	waiting(minPerAddress - 1)
}

func TestWaitingConnectionsAreBoundedInAll(t *testing.T) {
	refused := new([refusals]atomic.Uint64)
	w := &waiting{refused: refused, log: slog.New(slog.DiscardHandler)}
	w.counts.bound(1, 0)
	enter := func() (c *conn, answer string) {
		here, there := net.Pipe()
		defer func() { _ = there.Close() }()
		heard := make(chan string)
		go func() {
			b, _ := io.ReadAll(there)
			heard <- string(b)
		}()
		if c = w.enter(here, nil); c != nil {
			_ = there.Close()
		}
		return c, <-heard
	}
	first, _ := enter()
	if c, answer := enter(); c != nil || answer != answerFull || refused[full].Load() != 1 {
		t.Errorf("one too many: %v, %q, %d refusals", c, answer, refused[full].Load())
	}
	_ = first.Close()
	_ = first.Close()
	if second, _ := enter(); second == nil {
		t.Error("a place that was given back is not there")
	}
}

func TestShutdownDoesNotWaitForStrangers(t *testing.T) {
	g := start(t, func(o *Options) { o.HandshakeTimeout = time.Hour })
	dial(t, g.publicAddr)
	dial(t, g.publicAddr).send("GET /ws?clientId=a HTTP/1.1\r\nHost:")
	second := dial(t, g.publicAddr)
	second.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
	second.answer()
	second.send("GET /healthz")
	eventually(t, "all wait", func() bool { return g.strangers.counts.total.Load() == 3 })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := g.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if n := g.strangers.counts.total.Load(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}
