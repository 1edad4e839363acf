package token

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/coretest"
)

// Strangers who name keys that there are not hold few connections up, also while
// the issuer hangs.
func TestNotAllWaitForAnUnknownKid(t *testing.T) {
	bubble(t, func(t *testing.T, s *scripted, r *Remote) {
		time.Sleep(askAgain)
		s.change(func() { s.takes = time.Minute })
		began := time.Now()
		var all sync.WaitGroup
		var atOnce, later atomic.Int32
		for range maxAsking + 700 {
			all.Go(func() {
				if _, err := r.Find(t.Context(), "b", "HS256"); err == nil {
					t.Error("the key is found")
				}
				if time.Since(began) == 0 {
					atOnce.Add(1)
				} else if time.Since(began) == askWait {
					later.Add(1)
				}
			})
		}
		all.Wait()
		if atOnce.Load() != 700 || later.Load() != maxAsking || r.asking.Load() != 0 {
			t.Errorf("%d were answered at once, %d later, %d are still asking", atOnce.Load(), later.Load(), r.asking.Load())
		}
		if found, err := r.Find(t.Context(), "a", "HS256"); len(found) != 1 || err != nil {
			t.Errorf("a key that is known: %d, %v", len(found), err)
		}
	})
}

// Whatever a server does, it is cut off after fetchTime, also where nobody else
// sets a limit.
func TestAFetchHasATimeOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer func() { _ = there.Close() }()
		before := fetcher
		defer func() { fetcher = before }()
		fetcher = newFetcher()
		fetcher.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) { return here, nil }
		go func() { _, _ = io.Copy(io.Discard, there) }() // it reads the request, and says nothing
		began := time.Now()
		if _, _, err := fetch(t.Context(), "http://127.0.0.1/"); err == nil || time.Since(began) != fetchTime {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

// A server that begins to lie or to hang changes nothing for those whose keys are
// known, and a token with a kid that is not waits for a bounded time.
func TestKnownKeysOutliveALyingServer(t *testing.T) {
	f := func(what string, lie http.HandlerFunc) {
		t.Helper()
		var lies atomic.Bool
		set := coretest.KeySet(t, map[string]string{"a": "RSA"})
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if lies.Load() {
				lie(w, r)
				return
			}
			_, _ = w.Write([]byte(set))
		}))
		defer server.Close()
		r := NewRemote(server.URL, nil, slog.New(slog.DiscardHandler))
		if err := r.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer r.Stop()
		lies.Store(true)
		r.later()
		var d *core.Denial
		if _, err := r.Find(t.Context(), "b", "RS256"); !errors.As(err, &d) || d.Status != http.StatusServiceUnavailable || d.RetryAfter == 0 {
			t.Errorf("%s: a kid that is not known: %v", what, err)
		}
		if said := says(t, r, signed(t, "a", "RSA")); said != "ok" {
			t.Errorf("%s: a key that is known: %s", what, said)
		}
	}
	f("nothing", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	f("no keys", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":[]}`)) })
	f("a page", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`<html>`)) })
	f("a secret", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(coretest.KeySet(t, map[string]string{"b": coretest.Secret})))
	})
	f("without end", func(w http.ResponseWriter, _ *http.Request) {
		for _, err := w.Write(nil); err == nil; _, err = w.Write(make([]byte, 64<<10)) {
		}
	})
	f("itself", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) })
	f("hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
}

// No lifetime that a server names makes the gateway ask all the time, or never.
func FuzzLifetime(f *testing.F) {
	f.Add("max-age=600")
	f.Add(`public, max-age="5", no-store`)
	f.Add("max-age=18446744073709551616,max-age=-1")
	f.Fuzz(func(t *testing.T, header string) {
		if age := lifetime(header); age < minAge || age > maxAge {
			t.Errorf("%q: %v", header, age)
		}
	})
}
