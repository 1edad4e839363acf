package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stratix-gateway/stratix/core/gateway"
)

// service is an upstream in the test process. Unless told otherwise it takes
// everything.
type service struct {
	*httptest.Server
	mu     sync.Mutex
	posted []posted
	faulty int           // this status for every post; 0 for none
	hold   chan struct{} // posts are answered when it is closed; nil for at once
	reply  string
}

// posted is an item of a post.
type posted struct {
	Event, From, MessageID, Reason string
	Data                           any
}

const hookKey = "a key of the tests"

func newService(t *testing.T) *service {
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, []byte(hookKey))
		fmt.Fprintf(mac, "%s.%s", r.Header.Get("Stratix-Timestamp"), body)
		if r.Header.Get("Stratix-Signature") != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
			t.Errorf("the signature is wrong: %v", r.Header)
		}
		var items []posted
		if err := json.Unmarshal(body, &items); err != nil {
			t.Errorf("%v in %s", err, body)
		}
		s.mu.Lock()
		hold := s.hold
		s.mu.Unlock()
		if hold != nil {
			select {
			case <-hold:
			case <-r.Context().Done():
				return
			}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.faulty != 0 {
			w.WriteHeader(s.faulty)
			return
		}
		s.posted = append(s.posted, items...)
		_, _ = io.WriteString(w, s.reply)
	}))
	t.Cleanup(s.Close)
	return s
}

// ids are the messageIds of what was taken so far, in order.
func (s *service) ids() (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.posted {
		if p.Event == "" {
			ids = append(ids, p.MessageID)
		}
	}
	return ids
}

func (s *service) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// runPosting starts a gateway that posts to s what has no recipient.
func runPosting(t *testing.T, s *service, settings string) *running {
	t.Helper()
	t.Setenv("HOOK_KEY", hookKey)
	return runGateway(t, map[string]string{"main.lua": postScript(s, settings, 1)}, func(c *serveCmd) { c.ScriptEnv = []string{"HOOK_KEY"} })
}

func postScript(s *service, settings string, version int) string {
	return fmt.Sprintf(`upstream "orders" { url = %q, secret_env = "HOOK_KEY", %s }
pipeline { function(msg)
  if not msg:get("to") then msg:set("data.version", %d) msg:to_upstream("orders") end
end }`, s.URL+"/hook", settings, version)
}

func mustDial(t *testing.T, r *running, id string) *wsClient {
	t.Helper()
	c, err := dialWS(r.Addr().String(), id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.conn.Close() })
	return c
}

func (c *wsClient) must(t *testing.T, want string) {
	t.Helper()
	got, err := c.next()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(got, want) {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

func order(i int) string {
	return fmt.Sprintf(`{"type":0,"messageId":"m%03d","data":{"n":%d},"receipt":true}`, i, i)
}

func (r *running) upstream() (st struct {
	State, Breaker, Last             string
	Queued, Delivered, Lost, Refused int
}) {
	for _, u := range r.status().Upstreams {
		st.State, st.Breaker, st.Last = u.State, u.Breaker, u.LastError
		st.Queued, st.Delivered, st.Lost, st.Refused = int(u.Queued), int(u.Delivered), int(u.Lost), int(u.Refused)
	}
	return st
}

func TestAMessageIsPostedAndAnswered(t *testing.T) {
	s := newService(t)
	s.reply = `{"replies":[{"from":"a","messageId":"m001","data":{"order":7}}]}`
	r := runPosting(t, s, `events = { "connect", "disconnect" }`)
	a := mustDial(t, r, "a")
	if err := a.send(order(1)); err != nil {
		t.Fatal(err)
	}
	a.must(t, `{"type":1,"messageId":"m001","stored":"memory","status":"queued"}`)
	a.must(t, `{"type":0,"seq":1,"messageId":"m001","data":{"order":7},"ts":`)
	a.must(t, `{"type":1,"messageId":"m001","stored":"memory","status":"delivered"}`)
	a.conn.Close()
	r.waitFor("the client's disconnect to be posted", func(gateway.Status) bool { return r.upstream().Delivered == 3 })
	s.set(func() {
		got := fmt.Sprint(s.posted)
		if want := `[{connect a   <nil>} { a m001  map[n:1 version:1]} {disconnect a  lost <nil>}]`; got != want && got != strings.Replace(want, "lost", "left", 1) {
			t.Errorf("posted %s", got)
		}
	})
	for name, want := range map[string]string{
		`stratix_upstream_messages_total{upstream="orders",result="delivered"}`: "3",
		`stratix_upstream_breaker{upstream="orders",state="closed"}`:            "1",
		`stratix_upstream_queued{upstream="orders"}`:                            "0",
		`stratix_upstream_replies_total{result="delivered"}`:                    "1",
		`stratix_upstream_retries_total{upstream="orders"}`:                     "0",
		`stratix_dead_letters_total{upstream="orders"}`:                         "0",
	} {
		if got := r.metric(name); got != want {
			t.Errorf("%s is %q, want %s", name, got, want)
		}
	}
	if got := r.metric(`stratix_upstream_post_seconds_count{upstream="orders"}`); got == "" || got == "0" {
		t.Errorf("%q posts were timed", got)
	}
}

func TestASaveKeepsWhatWaitsForAnUpstream(t *testing.T) {
	s := newService(t)
	s.hold = make(chan struct{})
	const settings = `timeout = "1m", batch = 5`
	r := runPosting(t, s, settings)
	a := mustDial(t, r, "a")
	const each = 20
	var want []string
	send := func(from int) {
		for i := from; i < from+each; i++ {
			want = append(want, fmt.Sprintf("m%03d", i))
			if err := a.send(order(i)); err != nil {
				t.Fatal(err)
			}
			a.must(t, fmt.Sprintf(`{"type":1,"messageId":"m%03d","stored":"memory","status":"queued"}`, i))
		}
	}
	send(0)
	save(t, filepath.Join(r.scripts, "main.lua"), postScript(s, settings, 2))
	r.waitFor("the save to be live", func(st gateway.Status) bool { return st.Scripts.Generation == 2 })
	send(each)
	if st := r.upstream(); st.Queued != 2*each || st.State != "live" {
		t.Errorf("%+v", st)
	}
	close(s.hold)
	for i := range 2 * each {
		a.must(t, fmt.Sprintf(`{"type":1,"messageId":"m%03d","stored":"memory","status":"delivered"}`, i))
	}
	if got := s.ids(); !slices.Equal(got, want) {
		t.Errorf("posted %v", got)
	}
	// Taken out: nothing waits, so it is gone at once.
	save(t, filepath.Join(r.scripts, "main.lua"), "pipeline {}")
	r.waitFor("the upstream to be gone", func(gateway.Status) bool { return r.upstream().State == "gone" })
}

func TestAnUpstreamThatHangsHoldsUpNobody(t *testing.T) {
	s := newService(t)
	s.hold = make(chan struct{})
	r := runPosting(t, s, `queue = 8, retries = 0, timeout = "200ms", dead_letter = "client:ops"`)
	a, b, ops := mustDial(t, r, "a"), mustDial(t, r, "b"), mustDial(t, r, "ops")
	full := 0
	for i := range 20 {
		if err := a.send(order(i)); err != nil {
			t.Fatal(err)
		}
		if err := b.send(fmt.Sprintf(`{"type":0,"messageId":"m%03d","to":"b","data":1}`, i)); err != nil {
			t.Fatal(err)
		}
		b.must(t, fmt.Sprintf(`{"type":0,"seq":%d,"from":"b"`, i+1)) // meanwhile
		b.must(t, fmt.Sprintf(`{"type":1,"messageId":"m%03d"`, i))
	}
	queued, lost := 0, 0
	for queued+full < 20 || lost < queued {
		got, err := a.next()
		switch {
		case err != nil:
			t.Fatal(err)
		case strings.Contains(got, `"code":"upstream_full"`):
			full++
		case strings.Contains(got, `"status":"queued"`):
			queued++
		case strings.Contains(got, `"code":"lost"`):
			lost++
		default:
			t.Fatal(got)
		}
	}
	if queued < 8 || full == 0 {
		t.Errorf("%d were queued and %d refused", queued, full)
	}
	for range lost {
		ops.must(t, "{\"type\":0,\"seq\":")
	}
	if st := r.upstream(); st.Lost != lost || st.Refused != full || st.Queued != 0 || st.Last != "no answer within 200ms" {
		t.Errorf("%+v; %d lost, %d refused", st, lost, full)
	}
	if !strings.Contains(r.log.String(), "messages for an upstream were given up") {
		t.Error("the log does not say that messages were given up")
	}
}

func TestAShutdownPostsWhatWaits(t *testing.T) {
	s := newService(t)
	s.faulty = 503
	r := runPosting(t, s, `backoff = "1ms", max_backoff = "50ms", retries = 1000, breaker = 0`)
	a := mustDial(t, r, "a")
	var want []string
	for i := range 30 {
		want = append(want, fmt.Sprintf("m%03d", i))
		if err := a.send(order(i)); err != nil {
			t.Fatal(err)
		}
		a.must(t, `{"type":1,`)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.stop()
	}()
	a.must(t, `{"type":6,`) // from here on it shuts down
	s.set(func() { s.faulty = 0 })
	<-done
	if got := s.ids(); !slices.Equal(got, want) {
		t.Errorf("posted %v", got)
	}
}

func TestAShutdownKeepsTheDeadLettersOfWhatWasKept(t *testing.T) {
	s := newService(t)
	s.faulty = 503
	t.Setenv("HOOK_KEY", hookKey)
	data := t.TempDir()
	script := map[string]string{"main.lua": fmt.Sprintf(`upstream "orders" { url = %q, secret_env = "HOOK_KEY", dead_letter = "client:ops" }
pipeline { stage.disk {}, function(msg) msg:to_upstream("orders") end }`, s.URL)}
	run := func() *running {
		return runGateway(t, script, func(c *serveCmd) { c.ScriptEnv, c.Data, c.DrainTimeout = []string{"HOOK_KEY"}, data, 1e9 })
	}
	r := run()
	a := mustDial(t, r, "a")
	for i := range 10 {
		if err := a.send(order(i)); err != nil {
			t.Fatal(err)
		}
		a.must(t, fmt.Sprintf(`{"type":1,"messageId":"m%03d","stored":"memory","status":"queued"}`, i))
	}
	a.conn.Close()
	r.stop()
	if !strings.Contains(r.log.String(), "upstreams did not take all messages in time") {
		t.Error("the log does not say that messages were given up")
	}
	ops := mustDial(t, run(), "ops")
	for i := range 10 {
		got, err := ops.next()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(got, `"upstream":"orders"`) || !strings.Contains(got, fmt.Sprintf(`"messageId":"m%03d"`, i)) || strings.HasPrefix(got, `{"type":0,"seq":1,"from"`) {
			t.Errorf("dead letter %d: %s", i, got)
		}
	}
}

func TestASaveWhosePostsCouldNotBeSignedIsRejected(t *testing.T) {
	s := newService(t)
	r := runGateway(t, map[string]string{"main.lua": "pipeline {}"}, func(c *serveCmd) { c.ScriptEnv = []string{"HOOK_KEY"} })
	save(t, filepath.Join(r.scripts, "main.lua"), "-- orders\n"+postScript(s, "", 1))
	st := r.waitFor("the save to be rejected", func(st gateway.Status) bool { return st.Scripts.Last.Result == "rejected" })
	want := `main.lua:2: upstreams: start: upstream "orders": secret_env: the environment variable HOOK_KEY is not set, and posts would not be signed`
	if got := strings.Join(st.Scripts.Last.Problems, "\n"); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
