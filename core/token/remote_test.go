package token

import (
	"context"
	"errors"
	"log/slog"
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
	set     Keys
	age     time.Duration
	err     error
	takes   time.Duration
	fetches []time.Time
}

func (s *scripted) get(ctx context.Context, _ string) (Keys, time.Duration, error) {
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
func bubble(t *testing.T, f func(t *testing.T, s *scripted, r *Remote)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{set: named("a"), age: time.Hour}
		r := newRemote("https://issuer.example.com/", slog.New(slog.DiscardHandler), s.get)
		if err := r.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		f(t, s, r)
		r.Stop()
	})
}

func named(names ...string) (all Keys) {
	for _, name := range names {
		all = append(all, key{id: name, value: []byte(coretest.Secret)})
	}
	return all
}

func TestAKeySetIsFetchedAnewWhenItsTimeIsOver(t *testing.T) {
	bubble(t, func(t *testing.T, s *scripted, _ *Remote) {
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
	bubble(t, func(t *testing.T, s *scripted, r *Remote) {
		s.change(func() { s.err = errors.New("away") })
		time.Sleep(26 * time.Hour)
		synctest.Wait()
		if found, err := r.Find(t.Context(), "a", "HS256"); len(found) != 1 || err != nil {
			t.Errorf("found %d keys, %v", len(found), err)
		}
		if got := r.Failing(); got == "" {
			t.Error("it says that all is well")
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
		if found, _ := r.Find(t.Context(), "b", "HS256"); len(found) != 1 {
			t.Error("it has not come back")
		}
		if got := r.Failing(); got != "" {
			t.Errorf("it still names %s", got)
		}
	})
}

func TestAnUnknownKidIsAskedForOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *scripted, r *Remote) {
		code := func(id string) string {
			found, err := r.Find(t.Context(), id, "HS256")
			var d *core.Denial
			switch {
			case errors.As(err, &d) && d.RetryAfter > 0 && d.Status == 503:
				return "later"
			case errors.As(err, &d) && d.RetryAfter > 0 && d.Status == 401 && d.Code == "unknown_key" && d.Passing():
				return "not a moment ago"
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
		want("b", "not a moment ago", 1) // it was fetched this very moment
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
		want("c", "not a moment ago", 2)
		time.Sleep(askAgain)
		want("c", "unknown", 3)
		want("c", "not a moment ago", 3)
		time.Sleep(askAgain)
		s.change(func() { s.takes = time.Minute })
		want("c", "later", 4) // it has waited three seconds
		want("a", "found", 4)
		s.change(func() { s.takes, s.err = 0, errors.New("away") })
		time.Sleep(2 * time.Minute)
		for range 2 { // the second time it was asked a moment ago, and did not answer
			if got := code("c"); got != "later" {
				t.Errorf("while the issuer is away: %s", got)
			}
		}
	})
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

func TestASetThatIsNotThereYetIsAskedForAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{err: errors.New("away"), age: time.Hour}
		r := newRemote("https://issuer.example.com/", slog.New(slog.DiscardHandler), s.get)
		r.StartEmpty(0)
		defer r.Stop()
		f := func(id, want string) {
			t.Helper()
			found, err := r.Find(t.Context(), id, "HS256")
			got := "found"
			var d *core.Denial
			if errors.As(err, &d) && d.Status == http.StatusServiceUnavailable && d.RetryAfter > 0 {
				got = d.Code
			} else if len(found) != 1 {
				got = "unknown"
			}
			if got != want {
				t.Errorf("%q: %s, want %s", id, got, want)
			}
		}
		synctest.Wait()
		f("", "unavailable")
		f("a", "unavailable")
		time.Sleep(time.Minute)
		s.change(func() { s.err, s.set, s.takes = nil, named("a"), time.Second })
		time.Sleep(askAgain) // whatever the back-off is by now
		f("a", "found")
		f("", "found")
	})
}

// issuer serves a key set that can be changed.
func issuer(t *testing.T, set string) (url string, change func(string), fetches *atomic.Int32) {
	t.Helper()
	var now atomic.Pointer[string]
	now.Store(&set)
	fetches = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetches.Add(1)
		_, _ = w.Write([]byte(*now.Load()))
	}))
	t.Cleanup(server.Close)
	return server.URL, func(set string) { now.Store(&set) }, fetches
}

// says is what a Verifier with these keys says of a token: "ok", or a code.
func says(t testing.TB, keys Source, text string) string {
	t.Helper()
	v := Verifier{Keys: keys, Algorithms: Algorithms}
	_, err := v.Verify(t.Context(), text, time.Now())
	var d *core.Denial
	switch {
	case err == nil:
		return "ok"
	case !errors.As(err, &d):
		return err.Error()
	}
	return d.Code
}

func signed(t testing.TB, kid, by string) string {
	return coretest.SignToken(t, "RS256", kid, by, map[string]any{"sub": "alice"})
}

// later makes r as it is after the ten seconds between two questions.
func (r *Remote) later() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = time.Time{}
}

func TestAStoppedKeySetStillAnswers(t *testing.T) {
	url, _, fetches := issuer(t, coretest.KeySet(t, map[string]string{"a": "RSA"}))
	r := NewRemote(url, nil, slog.New(slog.DiscardHandler))
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.Stop()
	r.later()
	f := func(kid, want string) {
		t.Helper()
		if said := says(t, r, signed(t, kid, "RSA")); said != want {
			t.Errorf("%s: %s, want %s", kid, said, want)
		}
	}
	f("a", "ok")
	f("b", "unknown_key")
	if n := fetches.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

// Clients whose keys are there are let in all the time, while the issuer changes
// its keys and strangers ask for others.
func TestKeysRotateUnderLoad(t *testing.T) {
	url, change, _ := issuer(t, coretest.KeySet(t, map[string]string{"a": "RSA"}))
	r := NewRemote(url, nil, slog.New(slog.DiscardHandler))
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer r.Stop()
	before, after, foreign := signed(t, "a", "RSA"), signed(t, "b", "RSA2"), signed(t, "c", "RSA2")
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
				if said := says(t, r, before); said != "ok" {
					t.Errorf("a client whose key is there: %s", said)
					return
				}
				if said := says(t, r, foreign); said != "unknown_key" {
					t.Errorf("a stranger: %s", said)
					return
				}
			}
		})
	}
	change(coretest.KeySet(t, map[string]string{"a": "RSA", "b": "RSA2"}))
	r.later()
	for end := time.Now().Add(20 * time.Second); ; r.later() {
		if says(t, r, after) == "ok" {
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

func FuzzKeySet(f *testing.F) {
	f.Add([]byte(coretest.KeySet(f, map[string]string{"a": "RSA", "b": "P256", "c": "Ed", "d": coretest.Secret})))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`))
	text := signed(f, "a", "RSA")
	f.Fuzz(func(t *testing.T, set []byte) {
		all, err := parseSet(set, false)
		if (err == nil) != (len(all) > 0) || len(all) > maxKeys {
			t.Fatalf("%d keys and %v", len(all), err)
		}
		for _, k := range all {
			if _, isSecret := k.value.([]byte); isSecret {
				t.Error("a secret is taken")
			}
		}
		says(t, all, text)
	})
}
