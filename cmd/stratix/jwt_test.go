package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/stratix-gateway/stratix/core/coretest"
	"github.com/stratix-gateway/stratix/core/gateway"
)

const jwtSecret = "0123456789abcdef0123456789abcdef"

// bearer is a token of HS256 for this client, as a part of its query.
func bearer(t *testing.T, key, sub, role string) string {
	t.Helper()
	claims := jwt.MapClaims{"sub": sub, "exp": time.Now().Add(time.Hour).Unix(), "role": role}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return "&token=" + token
}

// jwtScript is a script that answers with the sender's role.
func jwtScript(settings string) string {
	return fmt.Sprintf("pipeline {\n  stage.jwt { %s, algorithms = { \"HS256\" } },\n"+
		"  function(msg) msg:reply(msg:claim(\"role\"):upper()) end,\n}\n", settings)
}

// admits wants a client to be let in, if status is "", or else to be refused with
// it. Who is let in stays until the test ends.
func (r *running) admits(query, status string) *wsClient {
	r.t.Helper()
	c, err := dialWS(r.Addr().String(), query)
	switch {
	case status == "" && err != nil:
		r.t.Fatalf("refused: %v", err)
	case status != "" && (err == nil || !strings.HasPrefix(err.Error(), status)):
		r.t.Fatalf("got %v, want %s", err, status)
	}
	if c != nil {
		r.t.Cleanup(func() { _ = c.conn.Close() })
	}
	return c
}

func (c *wsClient) ask(t *testing.T, text string) string {
	t.Helper()
	if err := c.send(text); err != nil {
		t.Fatal(err)
	}
	answer, err := c.next()
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestASaveDecidesWhoComesIn(t *testing.T) {
	r := runGateway(t, map[string]string{"main.lua": "pipeline { function(msg) msg:reply(1) end }"}, nil)
	main := filepath.Join(r.scripts, "main.lua")
	goLive := func(text string) {
		t.Helper()
		before := r.status().Scripts.Generation
		save(t, main, text)
		r.waitFor("the save to go live", func(st gateway.Status) bool { return st.Scripts.Generation > before })
	}
	ann := bearer(t, jwtSecret, "ann", "admin")

	early := r.admits("ann", "")
	goLive(jwtScript(`key = "` + jwtSecret + `", required = false`))
	r.admits("bob", "")
	goLive(strings.Replace(jwtScript(`key = "`+jwtSecret+`"`), `msg:claim("role")`, `(msg:claim("role") or "none")`, 1))
	r.admits("bob", "401 Unauthorized: {\"code\":\"no_token\"")
	r.admits("bob"+ann, "403 Forbidden: {\"code\":\"wrong_client\"")
	if got := early.ask(t, `{"type":0,"data":1}`); !strings.Contains(got, `"data":"NONE"`) {
		t.Errorf("who was in before is answered with %s", got)
	}
	if got := r.admits("ann"+ann, "").ask(t, `{"type":0,"data":1}`); !strings.Contains(got, `"data":"ADMIN"`) {
		t.Errorf("a client with a token is answered with %s", got)
	}

	// What cannot get its keys does not go live.
	save(t, main, jwtScript(`jwks = "http://127.0.0.1:1/keys"`))
	st := r.waitFor("the save to be rejected", func(st gateway.Status) bool { return st.Scripts.Last.Result == "rejected" })
	if p := strings.Join(st.Scripts.Last.Problems, "\n"); !strings.Contains(p, "main.lua:2: stage.jwt: start: jwks http://127.0.0.1:1/keys: ") {
		t.Errorf("the problems are %s", p)
	}
	r.admits("bob", "401")
	r.admits("ann"+ann, "")

	// A rollback takes the decision back.
	goLive("pipeline {}")
	r.admits("bob", "")
	if err := r.RollBack(""); err != nil {
		t.Fatal(err)
	}
	r.admits("bob", "401")
	if log := r.log.String(); strings.Contains(log, ann[7:]) || strings.Count(log, "anybody can connect under any ClientID from now on") != 1 {
		t.Error("the log holds a token, or does not say that none is needed any more")
	}
}

func TestAGatewayStartsWhileTheIssuerIsAway(t *testing.T) {
	r := runGateway(t, map[string]string{"main.lua": strings.Replace(jwtScript(`jwks = "http://127.0.0.1:1/keys"`), "HS256", "RS256", 1)}, nil)
	ann := bearer(t, jwtSecret, "ann", "admin")
	ann = "&token=" + strings.Replace(ann[7:], ann[7:strings.Index(ann, ".")], "eyJhbGciOiJSUzI1NiJ9", 1) // {"alg":"RS256"}
	r.admits("ann"+ann, "503 Service Unavailable: {\"code\":\"unavailable\"")
	r.admits("ann", "401")
	if log := r.log.String(); !strings.Contains(log, `level=ERROR msg="THE KEY SET CANNOT BE FETCHED: the gateway starts without it`) ||
		!strings.Contains(log, "jwks=http://127.0.0.1:1/keys") {
		t.Error("the log does not say that the keys are missing")
	}
}

func TestASaveIsTriedOnWhatClientsSentWithTheirClaims(t *testing.T) {
	script := jwtScript(`key = "` + jwtSecret + `"`)
	r := runGateway(t, map[string]string{"main.lua": script}, func(c *serveCmd) {
		c.Gate, c.RecordBytes, c.ShadowMessages = "shadow", 1<<20, 100
	})
	ann := r.admits("ann"+bearer(t, jwtSecret, "ann", "admin"), "")
	for range 10 {
		ann.ask(t, `{"type":0,"data":1}`)
	}
	// Without the claims every message would fail, in both.
	save(t, filepath.Join(r.scripts, "main.lua"), strings.Replace(script, "upper", "lower", 1))
	st := r.waitFor("the save to go live", func(st gateway.Status) bool { return st.Scripts.Last.Trigger == "save" })
	shadow := st.Scripts.Last.Shadow
	if st.Scripts.Last.Result != "live" || shadow == nil || !strings.Contains(strings.Join(shadow.Lines(), "\n"), "10") {
		t.Errorf("the save is %+v, its shadow run %+v", st.Scripts.Last, shadow)
	}
}

func TestACanaryDoesNotDecideWhoComesIn(t *testing.T) {
	r := runGateway(t, map[string]string{"main.lua": "pipeline {}"}, func(c *serveCmd) {
		c.Canary, c.RollbackWindow, c.RollbackErrors, c.RollbackInstructions = 1, time.Hour, 1, 1
	})
	save(t, filepath.Join(r.scripts, "main.lua"), jwtScript(`key = "`+jwtSecret+`"`))
	r.waitFor("the canary", func(st gateway.Status) bool { return st.Scripts.Last.Result == "canary" })
	r.admits("bob", "")
}

func TestAKeyFileChangesWithoutASave(t *testing.T) {
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(jwtSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := runGateway(t, map[string]string{"main.lua": jwtScript(fmt.Sprintf("key_file = %q", name))}, nil)
	const other = "another secret of thirty-two bytes"
	r.admits("ann"+bearer(t, jwtSecret, "ann", "x"), "")
	r.admits("ann"+bearer(t, other, "ann", "x"), "401")
	if err := os.WriteFile(name, []byte(other+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.waitFor("the key file to be read", func(gateway.Status) bool { return strings.Contains(r.log.String(), "the key file was read again") })
	r.admits("ann"+bearer(t, other, "ann", "x"), "")
	r.admits("ann"+bearer(t, jwtSecret, "ann", "x"), "401")
}

func TestOnlyAGatewayThatAsksForNothingWarnsOfIt(t *testing.T) {
	f := func(script string, warns bool) {
		t.Helper()
		r := runGateway(t, map[string]string{"main.lua": script}, func(c *serveCmd) { c.Listen = "0.0.0.0:0" })
		if strings.Contains(r.log.String(), "UNDER ANY CLIENTID") != warns {
			t.Errorf("%s: the log says\n%s", script, r.log)
		}
		r.stop()
	}
	f("pipeline {}", true)
	f(jwtScript(`key = "`+jwtSecret+`"`), false)
	f(jwtScript(`key = "`+jwtSecret+`", required = false`), true)
}

func TestKeysThatCannotBeRenewedAreTold(t *testing.T) {
	pem := filepath.Join(t.TempDir(), "key.pem")
	save(t, pem, coretest.PublicPEM(t, "RSA"))
	r := rest{running: runGateway(t, map[string]string{
		"main.lua": `pipeline { stage.jwt { key_file = "` + filepath.ToSlash(pem) + `", algorithms = { "RS256" } } }`}, nil)}
	c := r.console(t)
	f := func(metric string, want ...string) {
		t.Helper()
		st := r.waitFor("the status to say so", func(st gateway.Status) bool { return slices.Equal(st.KeysFailing, want) })
		c.until("the console to say so", func(l gateway.Live) bool { return l.Period > 0 && slices.Equal(l.KeysFailing, want) })
		if got := r.metric("stratix_token_keys_failing"); got != metric {
			t.Errorf("the metric is %s, want %s", got, metric)
		}
		var page strings.Builder
		if err := writeStatus(&page, &st, st.Started); err != nil || strings.Contains(page.String(), "CANNOT BE FETCHED OR READ: stage.jwt "+pem) != (want != nil) {
			t.Errorf("the page says %s, %v", page.String(), err)
		}
	}
	f("0")
	save(t, pem, "nonsense")
	f("1", "stage.jwt "+pem)
	save(t, pem, coretest.PublicPEM(t, "RSA2"))
	f("0")
}
