package jwt

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
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

func TestARedirectNeverLeadsToThisMachine(t *testing.T) {
	via, err := http.NewRequest(http.MethodGet, "https://issuer.example.com/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	f := func(to, want string) {
		t.Helper()
		r, err := http.NewRequest(http.MethodGet, to, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := fetcher.CheckRedirect(r, []*http.Request{via}); err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%s: %q, want %q", to, got, want)
		}
	}
	f("https://keys.example.com/", "")
	f("https://127.0.0.1/", "this machine")
	f("http://localhost/", "this machine")
	f("http://[::1]/", "this machine")
	f("http://keys.example.com/", "https only")
}

// scripted is a key set whose fetches answer as told, in a bubble of virtual time.
type scripted struct {
	mu      sync.Mutex
	set     keys
	age     time.Duration
	err     error
	takes   time.Duration
	fetches []time.Time
}

func (s *scripted) get(ctx context.Context, _ string) (keys, time.Duration, error) {
	s.mu.Lock()
	s.fetches = append(s.fetches, time.Now())
	takes := s.takes
	s.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.set, s.age, s.err
}

func (s *scripted) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *scripted) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.fetches)
}

// bubble runs f with a key set that has been fetched once.
func bubble(t *testing.T, f func(t *testing.T, s *scripted, r *remote)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{set: named("a"), age: time.Hour}
		r := newRemote("https://issuer.example.com/", slog.New(slog.DiscardHandler), s.get)
		if err := r.begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		f(t, s, r)
		r.finish()
	})
}

func named(names ...string) (all keys) {
	for _, name := range names {
		all = append(all, key{id: name, value: []byte(secret)})
	}
	return all
}

func TestAKeySetIsFetchedAnewWhenItsTimeIsOver(t *testing.T) {
	bubble(t, func(t *testing.T, s *scripted, _ *remote) {
		time.Sleep(54 * time.Minute)
		synctest.Wait()
		if n := s.count(); n != 1 {
			t.Fatalf("%d fetches before its time", n)
		}
		s.change(func() { s.set = named("b") })
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if n := s.count(); n != 2 {
			t.Errorf("%d fetches after it", n)
		}
	})
}

func TestWhileFetchesFailTheLastGoodKeysStay(t *testing.T) {
	bubble(t, func(t *testing.T, s *scripted, r *remote) {
		s.change(func() { s.err = errors.New("away") })
		time.Sleep(26 * time.Hour)
		synctest.Wait()
		if found, err := r.find(t.Context(), "a", "HS256"); len(found) != 1 || err != nil {
			t.Errorf("found %d keys, %v", len(found), err)
		}
		s.mu.Lock()
		n := len(s.fetches)
		last := s.fetches[n-1].Sub(s.fetches[n-2])
		second := s.fetches[2].Sub(s.fetches[1])
		s.mu.Unlock()
		if second > 2*firstRetry || last < lastRetry/4 || last > 2*lastRetry || n > 1500 {
			t.Errorf("%d fetches, the first again after %v, the last after %v", n, second, last)
		}
		s.change(func() { s.err, s.set = nil, named("b") })
		time.Sleep(2 * lastRetry)
		synctest.Wait()
		if found, _ := r.find(t.Context(), "b", "HS256"); len(found) != 1 {
			t.Error("it has not come back")
		}
	})
}

func TestAnUnknownKidIsAskedForOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *scripted, r *remote) {
		code := func(id string) string {
			found, err := r.find(t.Context(), id, "HS256")
			var d *core.Denial
			switch {
			case errors.As(err, &d) && d.RetryAfter > 0 && d.Status == 503:
				return "later"
			case err != nil:
				return err.Error()
			case found == nil:
				return "unknown"
			}
			return "found"
		}
		want := func(id, want string, fetches int) {
			t.Helper()
			if got := code(id); got != want || s.count() != fetches {
				t.Errorf("%s: %s after %d fetches, want %s after %d", id, got, s.count(), want, fetches)
			}
		}
		want("b", "later", 1) // it was fetched this very moment
		time.Sleep(askAgain)
		s.change(func() { s.set, s.takes = named("a", "b"), time.Second })
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if got := code("b"); got != "found" {
					t.Errorf("one of many: %s", got)
				}
			})
		}
		all.Wait()
		want("b", "found", 2)
		want("c", "later", 2)
		time.Sleep(askAgain)
		want("c", "unknown", 3)
		time.Sleep(askAgain)
		s.change(func() { s.takes = time.Minute })
		want("c", "later", 4) // it has waited three seconds
		want("a", "found", 4)
	})
}

// Strangers who name keys that there are not hold few connections up, also while
// the issuer hangs.
func TestNotAllWaitForAnUnknownKid(t *testing.T) {
	bubble(t, func(t *testing.T, s *scripted, r *remote) {
		time.Sleep(askAgain)
		s.change(func() { s.takes = time.Minute })
		began := time.Now()
		var all sync.WaitGroup
		var atOnce, later atomic.Int32
		for range maxAsking + 700 {
			all.Go(func() {
				if _, err := r.find(t.Context(), "b", "HS256"); err == nil {
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
		if found, err := r.find(t.Context(), "a", "HS256"); len(found) != 1 || err != nil {
			t.Errorf("a key that is known: %d, %v", len(found), err)
		}
	})
}

func TestAStoppedKeySetStillAnswers(t *testing.T) {
	i := serve(t, jwkSet(t, map[string]string{"a": "RSA"}))
	s, err := open(core.Config{Values: map[string]any{"jwks": i.URL, "algorithms": []any{"RS256"}}}, coretest.Env(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	st := s.(*stage)
	if err := st.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	set := st.keys.(*fetched).set
	if err := st.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	set.last = time.Time{} // as after a while
	f := func(kid, want string) {
		t.Helper()
		if said, _ := ask(t, st, "alice", sign(t, "RS256", kid, "RSA", good(nil))); said != want {
			t.Errorf("%s: %s, want %s", kid, said, want)
		}
	}
	f("a", "ok")
	f("b", "unknown_key")
	if n := i.fetches.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

// Clients whose keys are there are let in all the time, while the issuer changes
// its keys and strangers ask for others.
func TestKeysRotateUnderLoad(t *testing.T) {
	i := serve(t, jwkSet(t, map[string]string{"a": "RSA"}))
	s := opened(t, map[string]any{"jwks": i.URL, "algorithms": []any{"RS256"}}, nil)
	set := s.keys.(*fetched).set
	ready := func() { // as after the ten seconds between two questions
		set.mu.Lock()
		defer set.mu.Unlock()
		set.last = time.Time{}
	}
	before, after, foreign := sign(t, "RS256", "a", "RSA", good(nil)), sign(t, "RS256", "b", "RSA2", good(nil)), sign(t, "RS256", "c", "RSA2", good(nil))
	done := make(chan struct{})
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if said, _ := ask(t, s, "alice", before); said != "ok" {
					t.Errorf("a client whose key is there: %s", said)
					return
				}
				if said, _ := ask(t, s, "alice", foreign); said != "unknown_key" {
					t.Errorf("a stranger: %s", said)
					return
				}
			}
		})
	}
	both := jwkSet(t, map[string]string{"a": "RSA", "b": "RSA2"})
	i.set.Store(&both)
	ready()
	for end := time.Now().Add(20 * time.Second); ; ready() {
		if said, _ := ask(t, s, "alice", after); said == "ok" {
			break
		}
		if time.Now().After(end) {
			t.Error("the new key is not taken")
			break
		}
	}
	close(done)
	load.Wait()
}

func TestLifetimeIsReadWithinBounds(t *testing.T) {
	f := func(header string, want time.Duration) {
		t.Helper()
		if got := lifetime(header); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
	f("", defaultAge)
	f("public", defaultAge)
	f("max-age=600", 10*time.Minute)
	f("public, Max-Age=600, must-revalidate", 10*time.Minute)
	f(`max-age="600"`, 10*time.Minute)
	f("max-age=0", minAge)
	f("max-age=-5", defaultAge)
	f("max-age=99999999", maxAge)
	f("max-age=99999999999999999999", defaultAge)
	f("no-store", minAge)
	f("no-cache, max-age=600", minAge)
}

// A server that begins to lie or to hang changes nothing for those whose keys are
// known, and a token with a kid that is not waits for a bounded time.
func TestKnownKeysOutliveALyingServer(t *testing.T) {
	f := func(what string, lie http.HandlerFunc) {
		t.Helper()
		var lies atomic.Bool
		set := jwkSet(t, map[string]string{"a": "RSA"})
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if lies.Load() {
				lie(w, r)
				return
			}
			_, _ = w.Write([]byte(set))
		}))
		defer server.Close()
		s := opened(t, map[string]any{"jwks": server.URL, "algorithms": []any{"RS256"}}, nil)
		lies.Store(true)
		remote := s.keys.(*fetched).set
		remote.mu.Lock()
		remote.last = time.Time{} // as after a while
		remote.mu.Unlock()
		if said, _ := ask(t, s, "alice", sign(t, "RS256", "b", "RSA2", good(nil))); said != "unknown_key" {
			t.Errorf("%s: a kid that is not known: %s", what, said)
		}
		if said, _ := ask(t, s, "alice", sign(t, "RS256", "a", "RSA", good(nil))); said != "ok" {
			t.Errorf("%s: a key that is known: %s", what, said)
		}
	}
	f("nothing", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	f("no keys", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":[]}`)) })
	f("a page", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`<html>`)) })
	f("a secret", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(jwkSet(t, map[string]string{"b": secret})))
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

func FuzzKeySet(f *testing.F) {
	f.Add([]byte(jwkSet(f, map[string]string{"a": "RSA", "b": "P256", "c": "Ed", "d": secret})))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`))
	token := sign(f, "RS256", "a", "RSA", good(nil))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := parseSet(text, false)
		if (err == nil) != (len(all) > 0) || len(all) > maxKeys {
			t.Fatalf("%d keys and %v", len(all), err)
		}
		for _, k := range all {
			if _, isSecret := k.value.([]byte); isSecret {
				t.Error("a secret is taken")
			}
		}
		s := &stage{keys: fixed{all}, algorithms: algorithms, name: pattern{parts: []part{{text: "alice"}}}}
		ask(t, s, "alice", token)
	})
}
