package jwt

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/coretest"
)

// issuer serves a key set that can be changed.
type issuer struct {
	*httptest.Server
	set     atomic.Pointer[string]
	fetches atomic.Int32
}

func serve(t *testing.T, set string) *issuer {
	t.Helper()
	i := &issuer{}
	i.set.Store(&set)
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i.fetches.Add(1)
		w.Header().Set("Cache-Control", "max-age=600")
		_, _ = w.Write([]byte(*i.set.Load()))
	}))
	t.Cleanup(i.Close)
	return i
}

// startError is why a stage with this key set does not start.
func startError(t *testing.T, url string, within time.Duration) string {
	t.Helper()
	s, err := open(core.Config{Values: map[string]any{"jwks": url, "algorithms": []any{"RS256"}}}, coretest.Env(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	err = s.(*stage).Start(ctx)
	if err == nil {
		t.Fatalf("it starts with %s", url)
	}
	if said, _ := ask(t, s.(*stage), "alice", sign(t, "RS256", "a", "RSA", good(nil))); said == "ok" {
		t.Error("it lets clients in without keys")
	}
	return err.Error()
}

func TestAKeySetIsFetchedAndShared(t *testing.T) {
	i := serve(t, jwkSet(t, map[string]string{"a": "RSA", "b": "P256"}))
	env := coretest.Env(t, nil)
	values := map[string]any{"jwks": i.URL, "algorithms": []any{"RS256", "ES256"}}
	for range 2 { // as two generations
		s := coretest.OpenIn(t, env, "jwt", values).(*stage)
		for algorithm, by := range map[string]string{"RS256": "RSA", "ES256": "P256"} {
			kid := map[string]string{"RSA": "a", "P256": "b"}[by]
			if said, _ := ask(t, s, "alice", sign(t, algorithm, kid, by, good(nil))); said != "ok" {
				t.Errorf("%s: %s", algorithm, said)
			}
		}
		if said, _ := ask(t, s, "alice", sign(t, "RS256", "b", "RSA", good(nil))); said != "unknown_key" {
			t.Errorf("the kid of another kind of key: %s", said)
		}
	}
	if n := i.fetches.Load(); n != 1 {
		t.Errorf("it was fetched %d times", n)
	}
}

func TestAGatewayBeginsWithoutAKeySetAndLetsNobodyInBeforeItIsThere(t *testing.T) {
	i := serve(t, jwkSet(t, map[string]string{"a": "RSA"}))
	answer := i.Config.Handler
	var away atomic.Bool
	i.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			http.Error(w, "later", http.StatusBadGateway)
			return
		}
		answer.ServeHTTP(w, r)
	})
	away.Store(true)
	env := coretest.Env(t, nil)
	begin := func() *stage {
		t.Helper()
		s, err := open(core.Config{Values: map[string]any{"jwks": i.URL, "algorithms": []any{"RS256"}}}, env)
		if err != nil {
			t.Fatal(err)
		}
		return s.(*stage)
	}
	first := begin()
	if err := first.Start(core.ForFirst(t.Context())); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Stop(t.Context()) }()
	alice := &core.Handshake{ClientID: "alice", Token: sign(t, "RS256", "a", "RSA", good(nil)), Now: noon}
	for _, token := range []string{alice.Token, sign(t, "RS256", "", "RSA", good(nil)), sign(t, "RS256", "b", "RSA2", good(nil))} {
		var g core.Grant
		var d *core.Denial
		err := first.Admit(t.Context(), &core.Handshake{ClientID: "alice", Token: token, Now: noon}, &g)
		if !errors.As(err, &d) || d.Status != http.StatusServiceUnavailable || d.Code != "unavailable" || d.RetryAfter <= 0 || !g.Empty() {
			t.Errorf("without keys: %v", err)
		}
	}
	if said, _ := ask(t, first, "alice", ""); said != "no_token" {
		t.Errorf("without a token: %s", said)
	}
	// A save with the same set is as good as one with an address where nobody is.
	if err := begin().Start(t.Context()); err == nil || !strings.Contains(err.Error(), "has not been fetched yet") {
		t.Errorf("a save meanwhile: %v", err)
	}
	away.Store(false)
	var said string
	for end := time.Now().Add(time.Minute); said != "ok" && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		said, _ = ask(t, first, "alice", alice.Token)
	}
	if said != "ok" {
		t.Errorf("when the set is there: %s", said)
	}
	second := begin()
	if err := second.Start(t.Context()); err != nil {
		t.Errorf("a save when the set is there: %v", err)
	}
	_ = second.Stop(t.Context())
}

func TestAServerThatLiesIsNotBelieved(t *testing.T) {
	f := func(want string, answer http.HandlerFunc) {
		t.Helper()
		server := httptest.NewServer(answer)
		defer server.Close()
		if got := startError(t, server.URL, 20*time.Second); !strings.Contains(got, want) || !strings.Contains(got, server.URL) || strings.Contains(got, "SECRET") {
			t.Errorf("%q, want %q", got, want)
		}
	}
	text := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(s)) }
	}
	f("404 Not Found", http.NotFound)
	f("500", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "SECRET", 500) })
	f("no valid JSON", text("<html>SECRET</html>"))
	f("no valid JSON", text(""))
	f("no valid JSON", text(`{"keys":[],"keys":[]}`))
	f("no list named keys", text(`{"keys":"SECRET"}`))
	f("no list named keys", text(`[]`))
	f("no keys", text(`{}`))
	f("no keys", text(`{"keys":[]}`))
	f("not a valid key", text(`{"keys":[{"kty":"RSA","n":"SECRET","e":"AQAB"},{"kty":"SECRET"}]}`))
	f("not for signatures", text(strings.Replace(jwkSet(t, map[string]string{"a": "RSA"}), `"sig"`, `"enc"`, 1)))
	f("not for signatures", text(strings.Replace(jwkSet(t, map[string]string{"a": "RSA"}), `"use":"sig"`, `"key_ops":["sign"]`, 1)))
	f("it is a secret", text(jwkSet(t, map[string]string{"a": secret})))
	f("101 keys", text(`{"keys":[`+strings.Repeat("{},", 100)+`{}]}`))
	f("fits any of the algorithms", text(jwkSet(t, map[string]string{"a": "P256"})))
	f("larger than 1MiB", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil { // without end
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})
	f("300 keys", text(`{"keys":[`+strings.Repeat("{},", 299)+`{}]}`))
	f("not a valid key", text(`{"keys":[{"kty":"RSA","e":"AQAB","n":"`+strings.Repeat("_", 900_000)+`"}]}`)) // of 5 million bits
	f("not a valid key", text(`{"keys":[{"kty":"RSA","n":"`+strings.Repeat("_", 342)+`","e":"`+strings.Repeat("_", 900_000)+`"}]}`))
	f("no valid JSON", text(strings.Repeat("[", 1<<20)))
	f("larger than 1MiB", func(w http.ResponseWriter, _ *http.Request) { // from a few kilobytes
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb(t, 8<<20))
	})
	f("unexpected EOF", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte(`{"keys":[`))
	})
	f("server response headers exceeded", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X", strings.Repeat("x", 1<<20))
	})
	f("https only", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://issuer.example.com/", http.StatusFound)
	})
	f("more than 3 redirects", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", http.StatusFound) })
}

// bomb is a gzip stream that becomes n bytes.
func bomb(t *testing.T, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A byte now and then does not prolong the wait.
func TestAServerThatDripsIsNotWaitedFor(t *testing.T) {
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for {
			_, _ = w.Write([]byte(" "))
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-over:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}))
	defer server.Close()
	defer close(over)
	if got := startError(t, server.URL, 50*time.Millisecond); !strings.Contains(got, "deadline") {
		t.Error(got)
	}
}

func TestAServerThatHangsIsNotWaitedFor(t *testing.T) {
	hang := func(first string) {
		t.Helper()
		over := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(first))
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
			case <-over:
			}
		}))
		defer server.Close()
		defer close(over)
		if got := startError(t, server.URL, 50*time.Millisecond); !strings.Contains(got, "deadline") {
			t.Error(got)
		}
	}
	hang("")
	hang(`{"keys":[`)
}
