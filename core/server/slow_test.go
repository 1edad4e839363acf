package server

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

// Whoever sends too slowly is cut off, however it goes about it: the time is that
// of the whole request, and does not begin anew with each byte.
func TestSlowRequestsAreCutOff(t *testing.T) {
	const timeout = 100 * time.Millisecond
	g := start(t, func(o *Options) {
		api(new(string))(o)
		o.HandshakeTimeout, o.Keys, o.PublicPublish = timeout, testRing, true
	})
	f := func(what, first, drip string, status int) {
		t.Helper()
		began := time.Now()
		p := dial(t, g.publicAddr)
		p.send(first)
		over := make(chan struct{})
		stop := make(chan struct{})
		go func() { // a byte at a time, well within the time
			defer close(over)
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(timeout / 20):
				}
				if _, err := p.Write([]byte{drip[i%len(drip)]}); err != nil {
					return
				}
			}
		}()
		defer func() { <-over }()
		defer close(stop)
		got := 0
		if _, err := p.in.Peek(1); err == nil {
			r, body := p.answer()
			if r.StatusCode == http.StatusContinue {
				r, body = p.answer()
			}
			if got = r.StatusCode; !r.Close {
				t.Errorf("%s: the answer is %s %v %s", what, r.Status, r.Header, body)
			}
		}
		if _, err := io.ReadAll(p.in); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%s: the connection stays open: %v", what, err)
		}
		if took := time.Since(began); got != status || took < timeout {
			t.Errorf("%s: %d after %v, want %d after %v", what, got, took, status, timeout)
		}
	}
	f("headers", "GET /ws?clientId=a HTTP/1.1\r\nHost:", "a", http.StatusRequestTimeout)
	f("a request line", "GET /ws?clientId=", "a", http.StatusRequestTimeout)
	f("a header after the other", "GET /ws?clientId=a HTTP/1.1\r\n", "X: y\r\n", http.StatusRequestTimeout)
	f("empty lines", "\r\n", "\r\n", 0) // closed without an answer
	publication := "POST /v1/publish HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nAuthorization: Bearer pub\r\n"
	f("a body", publication+"Content-Length: 1000\r\n\r\n", " ", http.StatusRequestTimeout)
	f("a body in chunks", publication+"Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n", http.StatusRequestTimeout)
	f("a body that was announced", publication+"Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n", " ", http.StatusRequestTimeout)
}

// Who sends nothing is closed without an answer.
func TestSilenceIsClosed(t *testing.T) {
	g := start(t, func(o *Options) { o.HandshakeTimeout = 50 * time.Millisecond })
	if b, err := io.ReadAll(dial(t, g.publicAddr).in); err != nil || len(b) > 0 {
		t.Errorf("got %q, %v", b, err)
	}
}

// The time to decide on a client is bounded as that to send its request is.
func TestASlowDecisionIsCutOff(t *testing.T) {
	g := start(t, func(o *Options) {
		o.HandshakeTimeout = 50 * time.Millisecond
		o.Admit = func(ctx context.Context, _ *core.Handshake, _ *core.Grant) error {
			<-ctx.Done()
			return ctx.Err()
		}
	})
	if status := onlyAnswer(t, g.publicAddr, handshake("?clientId=a")); status != http.StatusServiceUnavailable {
		t.Error(status)
	}
}
