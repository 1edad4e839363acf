package main

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/stratix-gateway/stratix/core/gateway"
)

// want publishes and compares the status and what the answer begins with, after
// holding it against the document.
func (r rest) want(d *document, query, body string, status int, text string) string {
	r.t.Helper()
	got, answer := r.publish(query, body)
	if got != status || !strings.Contains(answer, text) {
		r.t.Errorf("%s %s: %d %s\nwant %d %s", query, body, got, answer, status, text)
	}
	d.check("POST", "/v1/publish", got, answer)
	return answer
}

func TestWhatIsPublishedTooOftenIsToldWhenToComeAgain(t *testing.T) {
	r := rest{running: runGateway(t, map[string]string{"main.lua": limited(`stage.ratelimit { rate = 0.01, burst = 2, over = "disconnect" }`)}, nil)}
	d := r.document(t)
	mustDial(t, r.running, "b")
	const one = `{"to":"b","data":1}`
	r.want(d, "", one, 409, `"code":"offline"`) // msg:to_sender, and it has no connection
	r.want(d, "?from=other", one, 409, `"code":"offline"`)
	text := r.want(d, "", `{"messages":[{"data":1},{"messageId":"m2","data":2}]}`, 207, `"code":"rate_limited"`)
	second := gjson.Get(text, "results.1")
	if wait := second.Get("retryAfter").Int(); second.Get("messageId").Str != "m2" || second.Get("code").Str != "rate_limited" || wait < 1 || wait > 100_000 {
		t.Errorf("the second of several got %s", second)
	}
	resp, err := http.Post("http://"+r.AdminAddr().String()+"/v1/publish", "application/json", strings.NewReader(one))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	seconds, _ := strconv.ParseInt(resp.Header.Get("Retry-After"), 10, 64)
	millis := gjson.GetBytes(body, "retryAfter").Int()
	if resp.StatusCode != 429 || millis < 1 || seconds != (millis+999)/1000 {
		t.Errorf("got %d, Retry-After %d, %s", resp.StatusCode, seconds, body)
	}
	r.want(d, "?from=other", one, 409, `"code":"offline"`)      // a sender has its own bucket,
	r.want(d, "?from=other", one, 429, `"code":"rate_limited"`) // with as much in it
	for line, want := range map[string]string{
		`stratix_errors_told_total{code="rate_limited"}`:                "3",
		`stratix_ratelimit_total{limit="client",result="disconnected"}`: "3",
		`stratix_connections_ended_total{cause="limited"}`:              "0",
		`stratix_published_total`:                                       "7",
	} {
		if got := r.metric(line); got != want {
			t.Errorf("%s is %q, want %q", line, got, want)
		}
	}
}

func TestWhatIsPublishedIsDelayedInItsOrder(t *testing.T) {
	r := rest{running: runGateway(t, map[string]string{"main.lua": `pipeline {
  stage.ratelimit { rate = 200, burst = 1, over = "delay", max_delay = "30s" }, stage.ring {},
}`}, func(c *serveCmd) { c.Shards = 2 })}
	d := r.document(t)
	b := mustDial(t, r.running, "b")
	const n = 20
	var several []string
	for i := range n {
		several = append(several, fmt.Sprintf(`{"to":"b","messageId":"m%03d","data":%d}`, i, i))
	}
	text := r.want(d, "?wait=delivered&timeout=30s", `{"messages":[`+strings.Join(several, ",")+`]}`, 200, `"results":[`)
	for i, one := range gjson.Get(text, "results").Array() {
		if one.Get("messageId").Str != fmt.Sprintf("m%03d", i) || one.Get("status").Str != "delivered" {
			t.Errorf("answer %d is %s", i, one)
		}
		b.must(t, fmt.Sprintf(`{"type":0,"seq":%d,"from":"api","messageId":"m%03d"`, i+1, i))
	}
	// A slow machine refills the bucket meanwhile.
	if got, _ := strconv.Atoi(r.metric(`stratix_ratelimit_total{limit="client",result="delayed"}`)); got < 1 || got >= n {
		t.Errorf("%d were delayed, want 1 to %d", got, n-1)
	}
	for _, line := range []string{`stratix_ratelimit_delayed_messages{limit="client"}`, `stratix_ratelimit_delayed_bytes{limit="client"}`} {
		if got := r.metric(line); got != "0" {
			t.Errorf("%s is %q at the end", line, got)
		}
	}
}

func TestADelayMayTakeLongerThanItsPublisherWaits(t *testing.T) {
	r := rest{running: runGateway(t, map[string]string{"main.lua": `pipeline {
  stage.ratelimit { rate = 0.2, burst = 1, over = "delay", max_delay = "30s" }, stage.ring {},
}`}, nil)}
	d := r.document(t)
	b := mustDial(t, r.running, "b")
	r.want(d, "", `{"to":"b","messageId":"m1","data":1}`, 200, `"status":"delivered"`)
	r.want(d, "?timeout=500ms", `{"to":"b","messageId":"m2","data":1}`, 504, `"code":"timeout"`)
	// The same again while the first is still delayed: it is delivered once.
	r.want(d, "?timeout=30s", `{"to":"b","messageId":"m2","data":1}`, 200, `"status":"delivered"`)
	r.want(d, "?from=other", `{"to":"b","messageId":"m3","data":1}`, 200, `"status":"delivered"`)
	b.must(t, `{"type":0,"seq":1,"from":"api","messageId":"m1"`)
	b.must(t, `{"type":0,"seq":2,"from":"api","messageId":"m2"`)
	b.must(t, `{"type":0,"seq":3,"from":"other","messageId":"m3"`)
}

func TestWhatIsPublishedGoesToAnUpstreamOrBecomesADeadLetter(t *testing.T) {
	s := newService(t)
	r := rest{running: runPosting(t, s, `queue = 1, batch = 1, concurrency = 1, retries = 0, timeout = "1m", breaker = 0, dead_letter = "group:ops"`)}
	d := r.document(t)
	ops := mustDial(t, r.running, "ops")
	if err := ops.send(`{"type":8,"groups":["ops"]}`); err != nil {
		t.Fatal(err)
	}
	ops.must(t, `{"type":1,"joined":["ops"]}`)
	const wait = "?wait=delivered&timeout=30s"
	message := func(id string) string { return fmt.Sprintf(`{"messageId":%q,"data":{"n":1}}`, id) }

	r.want(d, wait, message("m1"), 200, `{"messageId":"m1","stored":"memory","status":"delivered"}`)
	s.set(func() { s.faulty = 404 })
	r.want(d, wait, message("m2"), 409, `"code":"lost"`)
	letter, err := ops.next()
	if err != nil || !strings.HasPrefix(letter, `{"type":0,"seq":1,"data":{"upstream":"orders","reason":`) || !strings.Contains(letter, `"message":{"from":"api","messageId":"m2"`) {
		t.Errorf("the dead letter is %s, %v", letter, err)
	}
	// One that nobody waits for any more becomes a dead letter all the same.
	r.want(d, "", message("m3"), 200, `"status":"queued"`)
	ops.must(t, `{"type":0,"seq":2,"data":{"upstream":"orders"`)

	hold := make(chan struct{})
	s.set(func() { s.faulty, s.hold = 0, hold })
	for i := range 10 { // one is on its way, one waits
		if status, _ := r.publish("", message(fmt.Sprint("full", i))); status == 503 {
			break
		}
	}
	text := r.want(d, "", message("m4"), 503, `"code":"upstream_full"`)
	if gjson.Get(text, "retryAfter").Int() < 1 {
		t.Errorf("it does not say when to come again: %s", text)
	}
	d.check("GET", "/v1/status", 200, r.get("http://"+r.AdminAddr().String()+"/v1/status"))
	close(hold)
	r.waitFor("the upstream to take all", func(gateway.Status) bool { return r.upstream().Queued == 0 })
	if ids := s.ids(); len(ids) == 0 || ids[0] != "m1" {
		t.Errorf("posted %v", ids)
	}
}

func TestAPolicyByClaimsKnowsWhatIsPublishedByItsSender(t *testing.T) {
	r := rest{running: runGateway(t, map[string]string{"main.lua": `pipeline {
  stage.jwt { key = "` + jwtSecret + `", algorithms = { "HS256" } },
  function(msg) if msg:get("data.claim") then msg:reply(msg:claim("role") or "none") end end,
}
function on_policy(conn, action, kind, name)
  if conn:claim("role") == "admin" or conn:id() == "billing" then return true end
  return false, "admins only"
end`}, nil)}
	d := r.document(t)
	r.admits("b", "401 Unauthorized: {\"code\":\"no_token\"")
	b := r.admits("b"+bearer(t, jwtSecret, "b", "user"), "")
	admin := r.admits("ann"+bearer(t, jwtSecret, "ann", "admin"), "")
	if got := admin.ask(t, `{"type":0,"to":"b","messageId":"m1","data":1}`); !strings.HasPrefix(got, `{"type":1,"messageId":"m1"`) {
		t.Errorf("the admin got %s", got)
	}
	b.must(t, `{"type":0,"seq":1,"from":"ann"`)
	if got := b.ask(t, `{"type":0,"to":"ann","messageId":"m2","data":1}`); !strings.Contains(got, `"code":"forbidden"`) {
		t.Errorf("the user got %s", got)
	}
	r.want(d, "", `{"to":"b","data":1}`, 403, `"code":"forbidden"`)
	r.want(d, "", `{"data":{"claim":1}}`, 200, `"replies":["none"]`)
	// Nobody gets the claims of a client by publishing under its ClientID.
	r.want(d, "?from=ann", `{"to":"b","data":1}`, 403, `admins only`)
	r.want(d, "?from=billing", `{"to":"b","data":1}`, 200, `"status":"delivered"`)
	b.must(t, `{"type":0,"seq":2,"from":"billing"`)
}
