package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core/apikey"
	"github.com/stratix-gateway/stratix/core/coretest"
	"github.com/stratix-gateway/stratix/core/gateway"
)

// apiToken is a token for the API that is good for so long, the leeway included.
func apiToken(t *testing.T, kid, by, aud, scope string, life time.Duration) (token string, ends time.Time) {
	t.Helper()
	exp := time.Now().Add(life - 30*time.Second).Truncate(time.Second)
	claims := map[string]any{"sub": "ci", "iss": "issuer", "aud": aud, "exp": exp.Unix(), "scope": scope}
	return coretest.SignToken(t, "RS256", kid, by, claims), exp.Add(30 * time.Second)
}

// keySet is a server of a key set that is not there at first.
func keySet(t *testing.T) (url string, set *atomic.Pointer[string]) {
	t.Helper()
	set = new(atomic.Pointer[string])
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if text := set.Load(); text != nil {
			_, _ = w.Write([]byte(*text))
			return
		}
		http.Error(w, "not yet", http.StatusBadGateway)
	}))
	t.Cleanup(s.Close)
	return s.URL, set
}

func TestTokensOpenTheAPIAsFarAsTheirScopesAndClientTokensDoNot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	k, admin, err := apikey.New("ops", "ops", apikey.Admin, time.Now())
	if err == nil {
		err = apikey.Add(file, k)
	}
	if err != nil {
		t.Fatal(err)
	}
	url, set := keySet(t)
	pem := filepath.Join(t.TempDir(), "issuer.pem")
	save(t, pem, coretest.PublicPEM(t, "RSA"))
	// The same issuer signs for clients, and the script takes any audience.
	scripts := map[string]string{"main.lua": `pipeline { stage.jwt { key_file = "` + filepath.ToSlash(pem) + `", algorithms = { "RS256" } }, stage.disk {}, stage.ring {} }`}
	r := rest{running: runGatewayWith(t, scripts, func(c *serveCmd) {
		c.Keys, c.PublicPublish = file, true
		c.APIJWKS, c.APIAudience, c.APIIssuer, c.APIAlgorithms, c.APIScopePrefix = url, "stratix-api", "issuer", []string{"RS256"}, "stratix:"
	}, admin), key: admin}
	f := func(addr, method, path, token string, status int, want string) {
		t.Helper()
		req, err := http.NewRequest(method, "http://"+addr+path, strings.NewReader(`{"to":"desk","data":1}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != status || !strings.Contains(string(text), want) {
			t.Errorf("%s %s: %d %s, %v, want %d %s", method, path, resp.StatusCode, text, err, status, want)
		}
	}
	adminAddr, public := r.AdminAddr().String(), r.Addr().String()
	token := func(scope string) string {
		text, _ := apiToken(t, "a", "RSA", "stratix-api", scope, time.Hour)
		return text
	}

	// Without the keys of tokens, they are refused for now, and keys are good.
	f(adminAddr, "GET", "/v1/status", token("stratix:read"), 503, `"code":"unavailable"`)
	f(adminAddr, "GET", "/v1/status", admin, 200, "")
	if !strings.Contains(r.log.String(), "THE KEY SET CANNOT BE FETCHED") {
		t.Error("the log does not say so")
	}
	if got := r.metric("stratix_token_keys_failing"); got != "1" {
		t.Errorf("%s key sets are failing", got)
	}
	text := coretest.KeySet(t, map[string]string{"a": "RSA"})
	set.Store(&text)
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		var st gateway.Status
		err := (adminFlag{Admin: adminAddr, Key: token("stratix:read")}).getJSON(t.Context(), "/v1/status", nil, &st)
		if err == nil && st.Ready {
			break // a command with a token
		}
		if time.Now().After(end) {
			t.Fatalf("the keys have come, and a command gets %v", err)
		}
	}

	if got := r.metric("stratix_token_keys_failing"); got != "0" {
		t.Errorf("%s key sets are still failing", got)
	}
	f(adminAddr, "POST", "/v1/reload", token("stratix:read"), 403, "the token has the scope read")
	f(adminAddr, "POST", "/v1/reload", token("stratix:admin"), 200, "")
	f(adminAddr, "GET", "/v1/status", token("admin openid"), 403, "no scope of this API")
	f(public, "GET", "/v1/status", token("stratix:admin"), 404, "")
	for _, addr := range []string{adminAddr, public} {
		f(addr, "POST", "/v1/publish", token("stratix:publish"), 200, "")
		f(addr, "POST", "/v1/publish", token("stratix:read"), 403, "insufficient_scope")
		f(addr, "POST", "/v1/publish", strings.Replace(token("stratix:publish"), ".", "x.", 1), 401, "bad_token")
	}
	if _, text := r.call("GET", "/v1/clients/desk/pending", ""); !strings.Contains(text, `"from": "ci"`) {
		t.Errorf("the sender is not the token's subject: %s", text)
	}

	// What lets a client in does not open the API.
	client, _ := apiToken(t, "a", "RSA", "gateway", "stratix:admin", time.Hour)
	r.admits("ci&token="+client, "")
	f(adminAddr, "GET", "/v1/status", client, 401, `"code":"wrong_audience"`)
	expired, _ := apiToken(t, "a", "RSA", "stratix-api", "stratix:admin", -time.Second)
	f(adminAddr, "GET", "/v1/status", expired, 401, `"code":"token_expired"`)
	foreign, _ := apiToken(t, "a", "RSA2", "stratix-api", "stratix:admin", time.Hour)
	f(adminAddr, "GET", "/v1/status", foreign, 401, `"code":"bad_token"`)
	f(adminAddr, "GET", "/v1/status", "sk_x", 401, "not one of the gateway's")
	if strings.Contains(r.log.String(), client[:20]) {
		t.Error("the log holds a token")
	}
}

func TestATailEndsWhenItsTokenExpires(t *testing.T) {
	file := filepath.Join(t.TempDir(), "issuer.pem")
	if err := os.WriteFile(file, []byte(coretest.PublicPEM(t, "RSA")), 0o600); err != nil {
		t.Fatal(err)
	}
	long, _ := apiToken(t, "", "RSA", "stratix-api", "stratix:read", time.Hour)
	r := runGatewayWith(t, map[string]string{"main.lua": "pipeline {}"}, func(c *serveCmd) {
		c.APIJWKS, c.APIAudience, c.APIAlgorithms, c.APIScopePrefix = file, "stratix-api", []string{"RS256"}, "stratix:"
	}, long)
	for life := 2 * time.Second; ; life *= 2 { // on a slow machine it is over before the request
		token, ends := apiToken(t, "", "RSA", "stratix-api", "stratix:read", life)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, "GET", "http://"+r.AdminAddr().String()+"/v1/tail", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode == http.StatusUnauthorized && life < time.Minute {
			continue
		}
		if resp.StatusCode != 200 || err != nil || time.Now().Before(ends) {
			t.Errorf("it got %d, and ended with %v, %v before its token", resp.StatusCode, err, time.Until(ends))
		}
		return
	}
}
