package server

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core/profile"
)

func TestAProfileLastsAsLongAsItIsAskedFor(t *testing.T) {
	within := make(chan context.Context, 10)
	done := make(chan error, 10)
	finish := make(chan error)
	g := start(t, func(o *Options) {
		o.HandshakeTimeout = 200 * time.Millisecond // shorter than a profile
		o.Profile = func(ctx context.Context, f profile.Format) ([]byte, error) {
			within <- ctx
			var err error
			select {
			case <-ctx.Done():
			case err = <-finish:
			}
			done <- ctx.Err()
			return []byte{"tfp"[f]}, err
		}
	})
	f := func(query string, status int, contentType, holds string) {
		t.Helper()
		r, body := ask(t, g.adminAddr, "GET /v1/profile"+query+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if r.StatusCode != status || r.Header.Get("Content-Type") != contentType || !strings.Contains(body, holds) {
			t.Errorf("%s: %s %s %q", query, r.Status, r.Header.Get("Content-Type"), body)
		}
	}
	const problems = "application/problem+json"
	f("?seconds=0", 400, problems, "seconds must be a whole number from 1 to 60")
	f("?seconds=61", 400, problems, `not \"61\"`)
	f("?seconds=x", 400, problems, "seconds must be")
	f("?format=svg", 400, problems, "it is one of table, folded, pprof")

	// The time that was asked for.
	f("?seconds=1&format=folded", 200, "text/plain; charset=utf-8", "f")
	left := func(ctx context.Context) time.Duration { d, _ := ctx.Deadline(); return time.Until(d) }
	if ctx := <-within; !errors.Is(<-done, context.DeadlineExceeded) || left(ctx) > 0 {
		t.Error("a profile of a second ended otherwise")
	}

	// One at a time; it ends when its client goes.
	conn, err := net.Dial("tcp", g.adminAddr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("POST /v1/profile?seconds=60&format=pprof HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\nmore")); err != nil {
		t.Fatal(err)
	}
	if d := left(<-within); d < 40*time.Second {
		t.Errorf("a minute is %v", d)
	}
	f("", 409, problems, "another profile is being taken")
	_ = conn.Close()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("its client went, and it ended with %v", err)
	}

	// The engine's own end, well or not. The one before may still be on its way out.
	for _, result := range []error{nil, errors.New("the gateway has shut down")} {
		for g.profiling.Load() {
			runtime.Gosched()
		}
		go func() { finish <- result }()
		if result == nil {
			f("?format=pprof", 200, "application/octet-stream", "p")
		} else {
			f("", 503, problems, result.Error())
		}
		<-within
		<-done
	}
}

func TestShutdownEndsAProfile(t *testing.T) {
	began := make(chan struct{})
	g := start(t, func(o *Options) {
		o.Profile = func(ctx context.Context, _ profile.Format) ([]byte, error) {
			close(began)
			<-ctx.Done()
			return nil, nil
		}
	})
	conn, err := net.Dial("tcp", g.adminAddr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := conn.Write([]byte("GET /v1/profile?seconds=60 HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	<-began
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := g.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown with a profile on its way: %v", err)
	}
}
