package apitoken

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/coretest"
)

// noon is when the tests take place.
var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

type claims map[string]any

// good are the claims of a token that may read, with changes.
func good(changes claims) claims {
	c := claims{"sub": "ci", "iss": "issuer", "aud": "api", "exp": noon.Add(time.Hour).Unix(), "scope": "openid stratix:read"}
	for name, v := range changes {
		if v == nil {
			delete(c, name)
		} else {
			c[name] = v
		}
	}
	return c
}

// keyFile is a file with this text.
func keyFile(t testing.TB, text string, mode os.FileMode) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "keys")
	err := os.WriteFile(name, []byte(text), mode)
	if err == nil {
		err = os.Chmod(name, mode)
	}
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// settings take RS256 of the key RSA.
func settings(t testing.TB) Settings {
	return Settings{
		Keys: keyFile(t, coretest.PublicPEM(t, "RSA"), 0o644), Algorithms: []string{"RS256"},
		Audience: "api", Issuer: "issuer", ScopePrefix: "stratix:",
	}
}

func made(t testing.TB, s Settings) *Tokens {
	t.Helper()
	all, err := New(s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// said is what comes of a token: the scopes and the sender, or a code.
func said(ctx context.Context, all *Tokens, text string) string {
	h, err := all.Check(ctx, text, noon)
	var d *core.Denial
	switch {
	case errors.As(err, &d):
		return d.Code
	case err != nil:
		return err.Error()
	}
	return h.Scopes.String() + " " + h.Sender
}

func TestATokenIsGoodForWhatItSaysAndNoMore(t *testing.T) {
	all := made(t, settings(t))
	f := func(token, want string) {
		t.Helper()
		if got := said(t.Context(), all, token); got != want {
			t.Errorf("%.60s: %s, want %s", token, got, want)
		}
	}
	with := func(changes claims) string { return coretest.SignToken(t, "RS256", "", "RSA", good(changes)) }
	f(with(nil), "read ci")

	// Scopes.
	f(with(claims{"scope": "stratix:publish stratix:read"}), "publish,read ci")
	f(with(claims{"scope": []string{"stratix:admin", "other"}}), "admin ci")
	f(with(claims{"scope": nil}), " ci")
	f(with(claims{"scope": ""}), " ci")
	f(with(claims{"scope": "admin read publish"}), " ci")
	f(with(claims{"scope": "xstratix:admin stratix:admin2 STRATIX:admin stratix: stratix:Admin"}), " ci")
	f(with(claims{"scope": "stratix:read,stratix:admin"}), " ci")
	f(with(claims{"scope": "stratix:read\x00stratix:admin"}), " ci")
	f(with(claims{"scope": []string{"stratix:read stratix:admin"}}), " ci")
	f(with(claims{"Scope": "stratix:admin"}), "read ci")
	f(with(claims{"scope": nil, "scp": "stratix:admin", "scopes": "stratix:admin", "roles": []string{"admin"}}), " ci")
	f(with(claims{"scope": claims{"stratix:admin": true}}), "bad_token")
	f(with(claims{"scope": []any{"stratix:read", 5}}), "bad_token")
	f(with(claims{"scope": 7}), "bad_token")
	body := `{"sub":"ci","iss":"issuer","aud":"api","exp":99999999999,"scope":"stratix:read","scope":"stratix:admin"}`
	f(coretest.SignParts(t, "RS256", "RSA", `{"alg":"RS256"}`, body), "bad_token")

	// Whose it is, for whom, until when.
	f(with(claims{"sub": nil}), "missing_claim")
	f(with(claims{"sub": 7}), "missing_claim")
	f(with(claims{"sub": ""}), "bad_token")
	f(with(claims{"sub": "a\x00b"}), "bad_token")
	f(with(claims{"sub": strings.Repeat("x", core.MaxClientID+1)}), "bad_token")
	f(with(claims{"aud": "gateway"}), "wrong_audience")
	f(with(claims{"aud": nil}), "missing_claim")
	f(with(claims{"aud": []string{"gateway", "api"}}), "read ci")
	f(with(claims{"iss": "other"}), "wrong_issuer")
	f(with(claims{"exp": nil}), "missing_claim")
	f(with(claims{"exp": noon.Add(-29 * time.Second).Unix()}), "read ci")
	f(with(claims{"exp": noon.Add(-30 * time.Second).Unix()}), "token_expired")
	f(with(claims{"nbf": noon.Add(time.Minute).Unix()}), "token_not_valid_yet")

	// Signatures.
	text, _ := json.Marshal(good(claims{"scope": "stratix:admin"}))
	encode := base64.RawURLEncoding.EncodeToString
	payload := encode(text)
	for _, name := range []string{"none", "None", "NONE", ""} {
		for _, signature := range []string{"", "x", encode([]byte("x"))} {
			f(encode([]byte(`{"alg":"`+name+`"}`))+"."+payload+"."+signature, "bad_token")
		}
	}
	f(coretest.SignToken(t, "HS256", "", coretest.PublicPEM(t, "RSA"), good(nil)), "bad_token")
	f(coretest.SignToken(t, "RS256", "", "RSA2", good(nil)), "bad_token")
	f(coretest.SignToken(t, "PS256", "", "RSA", good(nil)), "bad_token") // not in the list
	f(coretest.SignToken(t, "ES256", "", "P256", good(nil)), "bad_token")
	parts := strings.Split(with(nil), ".")
	f(parts[0]+"."+payload+"."+parts[2], "bad_token")
	f("", "bad_token")
	f("sk_x", "bad_token")
	f(strings.Repeat("x", core.MaxToken+1), "bad_token")
	f(with(claims{"more": strings.Repeat("x", core.MaxToken)}), "bad_token")
}

func TestAPublicKeyIsNoSecretWhateverIsAllowed(t *testing.T) {
	s := settings(t)
	s.Algorithms = []string{"RS256", "HS256"}
	if got := said(t.Context(), made(t, s), coretest.SignToken(t, "HS256", "", coretest.PublicPEM(t, "RSA"), good(nil))); got != "unknown_key" {
		t.Errorf("got %s", got)
	}
}

func TestAnotherPrefixOfScopesIsTaken(t *testing.T) {
	s := settings(t)
	s.ScopePrefix = ""
	if got := said(t.Context(), made(t, s), coretest.SignToken(t, "RS256", "", "RSA", good(claims{"scope": "read stratix:admin"}))); got != "read ci" {
		t.Errorf("got %s", got)
	}
}

func TestAHolderExpiresWithItsToken(t *testing.T) {
	h, err := made(t, settings(t)).Check(t.Context(), coretest.SignToken(t, "RS256", "", "RSA", good(nil)), noon)
	if want := noon.Add(time.Hour + leeway); err != nil || !h.Expires.Equal(want) {
		t.Errorf("%v, %v, want %v", h.Expires, err, want)
	}
}

func TestSettingsThatWouldOpenTheAPIAreRefused(t *testing.T) {
	f := func(change func(*Settings), want string) {
		t.Helper()
		s := settings(t)
		change(&s)
		if _, err := New(s, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), coretest.Secret) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	f(func(s *Settings) { s.Audience = "" }, "an audience is needed")
	f(func(s *Settings) { s.Algorithms = nil }, "at least one algorithm")
	f(func(s *Settings) { s.Algorithms = []string{"none"} }, "would let everybody in")
	f(func(s *Settings) { s.Algorithms = []string{"RS265"} }, `did you mean "RS256"?`)
	f(func(s *Settings) { s.Algorithms = []string{"ES256"} }, "none of its keys fits ES256")
	f(func(s *Settings) { s.Keys = "http://issuer.example.com/" }, "https only")
	f(func(s *Settings) { s.Keys = "ftp://127.0.0.1/" }, "https only")
	f(func(s *Settings) { s.Keys = filepath.Join(t.TempDir(), "none") }, "no such file")
	f(func(s *Settings) { s.Keys = keyFile(t, "", 0o600) }, "the key is empty")
	if runtime.GOOS == "windows" {
		return
	}
	f(func(s *Settings) { s.Keys = keyFile(t, coretest.PublicPEM(t, "RSA"), 0o664) }, "others may write it")
	f(func(s *Settings) { s.Keys, s.Algorithms = keyFile(t, coretest.Secret, 0o640), []string{"HS256"} }, "others may read it")
	s := settings(t)
	s.Keys, s.Algorithms = keyFile(t, coretest.Secret, 0o600), []string{"HS256"}
	if got := said(t.Context(), made(t, s), coretest.SignToken(t, "HS256", "", coretest.Secret, good(nil))); got != "read ci" {
		t.Errorf("a secret for its owner alone: %s", got)
	}
}

func TestAKeyFileIsReadAgainWhenItIsTold(t *testing.T) {
	s := settings(t)
	all := made(t, s)
	if err := os.WriteFile(s.Keys, []byte(coretest.PublicPEM(t, "RSA2")), 0o644); err != nil {
		t.Fatal(err)
	}
	all.Reload()
	f := func(by, want string) {
		t.Helper()
		if got := said(t.Context(), all, coretest.SignToken(t, "RS256", "", by, good(nil))); got != want {
			t.Errorf("%s: %s, want %s", by, got, want)
		}
	}
	f("RSA2", "read ci")
	f("RSA", "bad_token")
	if err := os.WriteFile(s.Keys, []byte("nonsense"), 0o644); err != nil {
		t.Fatal(err)
	}
	all.Reload()
	f("RSA2", "read ci")
}

func TestAKeySetMayComeLater(t *testing.T) {
	var there atomic.Bool
	set := coretest.KeySet(t, map[string]string{"a": "RSA"})
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !there.Load() {
			http.Error(w, "not yet", http.StatusBadGateway)
			return
		}
		_, _ = w.Write([]byte(set))
	}))
	defer issuer.Close()
	s := settings(t)
	s.Keys = issuer.URL
	all := made(t, s)
	if err := all.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer all.Stop()
	token := coretest.SignToken(t, "RS256", "a", "RSA", good(nil))
	if got := said(t.Context(), all, token); got != "unavailable" {
		t.Errorf("before it is there: %s", got)
	}
	there.Store(true)
	for end := time.Now().Add(time.Minute); ; {
		got := said(t.Context(), all, token)
		if got == "read ci" {
			return
		}
		if got != "unavailable" || time.Now().After(end) {
			t.Fatalf("when it is there: %s", got)
		}
		time.Sleep(10 * time.Millisecond) // between two looks
	}
}

func TestAKeySetThatFitsNoAlgorithmIsNamedAndNotTaken(t *testing.T) {
	set := coretest.KeySet(t, map[string]string{"a": "P256"})
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(set)) }))
	defer issuer.Close()
	s := settings(t)
	s.Keys = issuer.URL
	told := make(lines, 100)
	all, err := New(s, slog.New(slog.NewTextHandler(told, nil)))
	if err == nil {
		err = all.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	defer all.Stop()
	if line := <-told; !strings.Contains(line, "none of its keys fits RS256") {
		t.Errorf("the log says %s", line)
	}
	if got := said(t.Context(), all, coretest.SignToken(t, "ES256", "a", "P256", good(nil))); got != "bad_token" {
		t.Errorf("a token by such a key: %s", got)
	}
}

// lines is a log.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

func TestSignaturesAreCheckedAFewAtATime(t *testing.T) {
	all := made(t, settings(t))
	token := coretest.SignToken(t, "RS256", "", "RSA", good(nil))
	for range cap(all.verifier.Slots) {
		all.verifier.Slots <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := said(ctx, all, token); got != "overloaded" {
		t.Errorf("without a slot: %s", got)
	}
	<-all.verifier.Slots
	for range 10 * cap(all.verifier.Slots) { // each gives its slot back
		if got := said(t.Context(), all, token); got != "read ci" {
			t.Errorf("with a slot: %s", got)
		}
		if got := said(t.Context(), all, token+"x"); got != "bad_token" {
			t.Errorf("with a slot: %s", got)
		}
	}
}

func FuzzCheck(f *testing.F) {
	all := made(f, settings(f))
	token := coretest.SignToken(f, "RS256", "", "RSA", good(nil))
	f.Add(token)
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + strings.Split(token, ".")[1] + ".")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := all.Check(t.Context(), text, noon)
		var d *core.Denial
		if err != nil && !errors.As(err, &d) {
			t.Errorf("%q: %v", text, err)
		}
		// Whoever is let in has the claims that were signed.
		if err == nil && (h.Sender != "ci" || h.Scopes.String() != "read" || strings.Split(text, ".")[1] != strings.Split(token, ".")[1]) {
			t.Errorf("%q is %+v", text, h)
		}
	})
}
