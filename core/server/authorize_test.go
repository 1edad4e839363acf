package server

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/apikey"
)

// tokens take the texts of testRing with "jwt-" in front, and refuse others.
func tokens(_ context.Context, text string) (apikey.Holder, error) {
	if k := testRing[strings.TrimPrefix(text, "jwt-")]; k != nil && text != k.Name {
		return apikey.Holder{Scopes: k.Scopes, Sender: k.Sender, Expires: time.Now().Add(time.Hour)}, nil
	}
	switch text {
	case "jwt-none":
		return apikey.Holder{Sender: "nobody"}, nil
	case "jwt-later":
		return apikey.Holder{}, &core.Denial{Status: 503, Code: "unavailable", Text: "no keys yet", RetryAfter: 2 * time.Second}
	case "jwt-broken":
		return apikey.Holder{}, errors.New("internal matters")
	}
	return apikey.Holder{}, &core.Denial{Status: 401, Code: "token_expired", Text: "the token has expired"}
}

func TestTokensAreTakenInPlaceOfKeysAndBesideThem(t *testing.T) {
	for _, keys := range []Keyring{nil, testRing} {
		asked := ""
		g := start(t, func(o *Options) { api(&asked)(o); o.Keys, o.Tokens, o.PublicPublish = keys, tokens, true })
		f := func(addr, method, path, authorization string, status int, code, challenge string) {
			t.Helper()
			headers := isJSON
			if authorization != "" {
				headers += "Authorization: " + authorization + "\r\n"
			}
			r, body := ask(t, addr, method+" "+path+" HTTP/1.1\r\nHost: localhost\r\n"+headers+"Content-Length: 2\r\n\r\n{}")
			if r.StatusCode != status || r.Header.Get("Www-Authenticate") != challenge {
				t.Errorf("%s with %q: %d %q %s, want %d %q", path, authorization, r.StatusCode, r.Header.Get("Www-Authenticate"), body, status, challenge)
			}
			if status >= 400 {
				checkProblem(t, body, status, "")
				if !strings.Contains(body, `"code":"`+code+`"`) || strings.Contains(body, "internal matters") {
					t.Errorf("%s with %q: %s, want %s", path, authorization, body, code)
				}
			}
			if status == 503 && code == "unavailable" && authorization == "Bearer jwt-later" && r.Header.Get("Retry-After") != "2" {
				t.Errorf("Retry-After is %q", r.Header.Get("Retry-After"))
			}
		}
		const none, invalid, scope = `Bearer realm="stratix"`, `Bearer realm="stratix", error="invalid_token"`, `Bearer realm="stratix", error="insufficient_scope"`
		f(g.adminAddr, "GET", "/v1/status", "Bearer jwt-read", 200, "", "")
		f(g.adminAddr, "GET", "/v1/status", "bearer jwt-admin", 200, "", "")
		f(g.adminAddr, "GET", "/v1/status", "", 401, "unauthorized", none)
		f(g.adminAddr, "GET", "/v1/status", "Basic jwt-admin", 401, "unauthorized", invalid)
		f(g.adminAddr, "GET", "/v1/status", "Bearer jwt-old", 401, "token_expired", invalid)
		f(g.adminAddr, "GET", "/v1/status", "Bearer sk_jwt-admin", 401, "unauthorized", invalid)
		f(g.adminAddr, "GET", "/v1/status", "Bearer jwt-none", 403, "insufficient_scope", scope)
		f(g.adminAddr, "GET", "/v1/status", "Bearer jwt-later", 503, "unavailable", "")
		f(g.adminAddr, "GET", "/v1/status", "Bearer jwt-broken", 503, "unavailable", "")
		f(g.adminAddr, "POST", "/v1/reload", "Bearer jwt-read", 403, "insufficient_scope", scope)
		f(g.adminAddr, "GET", "/v1/status?token=jwt-admin", "", 401, "unauthorized", none)
		for _, addr := range []string{g.adminAddr, g.publicAddr} {
			f(addr, "POST", "/v1/publish", "Bearer jwt-read", 403, "insufficient_scope", scope)
			f(addr, "POST", "/v1/publish", "Bearer jwt-old", 401, "token_expired", invalid)
			f(addr, "POST", "/v1/publish?from=other", "Bearer jwt-pub", 403, "insufficient_scope", "")
			asked = ""
			if f(addr, "POST", "/v1/publish", "Bearer jwt-pub", 200, "", ""); !strings.HasPrefix(asked, "publish shop ") {
				t.Errorf("it is %s", asked)
			}
		}
		if keys != nil {
			f(g.adminAddr, "GET", "/v1/status", "Bearer read", 200, "", "")
		}
		large := strings.Repeat("x", bodyBytes+1)
		for token, want := range map[string]int{"jwt-pub": 200, "jwt-read": 413, "jwt-old": 413, "jwt-later": 413} {
			if got, body, _ := g.request(t, g.publicAddr, "POST", "/v1/publish", isJSON+"Authorization: Bearer "+token, large); got != want {
				t.Errorf("a large body with %s: %d %s, want %d", token, got, body, want)
			}
		}
	}
}

func TestAStreamEndsWithItsToken(t *testing.T) {
	expires := time.Now().Add(time.Hour)
	g := start(t, func(o *Options) {
		o.Tokens = func(context.Context, string) (apikey.Holder, error) {
			return apikey.Holder{Scopes: apikey.Read, Expires: expires}, nil
		}
		o.Tail = func(url.Values, bool) (Stream, error) {
			return func(write func([]byte) error) {
				for range 2 {
					if write([]byte("1\n")) != nil {
						return
					}
				}
			}, nil
		}
	})
	f := func(want string) {
		t.Helper()
		r, body := ask(t, g.adminAddr, "GET /v1/tail HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer jwt\r\n\r\n")
		if r.StatusCode != 200 || body != want {
			t.Errorf("got %d %q, want %q", r.StatusCode, body, want)
		}
	}
	f("1\n1\n")
	expires = time.Now().Add(-time.Millisecond)
	f("")
}
