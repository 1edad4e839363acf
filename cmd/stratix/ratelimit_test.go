package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/stratix-gateway/stratix/core/gateway"
)

// limited is a script with these stages before an echo.
func limited(stages string) string {
	return "pipeline { " + stages + ", function(msg) msg:to_sender() end }\n"
}

// answers sends so many messages at once and returns what comes of each: its data,
// or the code of the error.
func answers(t *testing.T, c *wsClient, n int) string {
	t.Helper()
	for i := range n {
		if err := c.send(fmt.Sprintf(`{"type":0,"data":%d}`, i)); err != nil {
			t.Fatal(err)
		}
	}
	var all []string
	for range n {
		text, err := c.next()
		if err != nil {
			t.Fatal(err)
		}
		if code := gjson.Get(text, "code").Str; code != "" {
			if wait := gjson.Get(text, "retryAfter").Int(); wait < 1 || wait > 1_000_000 {
				t.Errorf("the wait is %d ms: %s", wait, text)
			}
			all = append(all, code)
		} else {
			all = append(all, gjson.Get(text, "data").Raw)
		}
	}
	return strings.Join(all, " ")
}

func TestASaveChangesARateForTheBucketsThereAre(t *testing.T) {
	const name = "rate_limited"
	r := runGateway(t, map[string]string{"main.lua": limited("stage.ratelimit { rate = 0.001, burst = 2 }")}, func(c *serveCmd) { c.Shards = 2 })
	a, err := dialWS(r.Addr().String(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer a.conn.Close()
	f := func(want string) {
		t.Helper()
		if got := answers(t, a, 3); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	f("0 1 " + name)
	f(name + " " + name + " " + name)
	generation := uint32(1)
	change := func(stages string) {
		t.Helper()
		generation++
		save(t, filepath.Join(r.scripts, "main.lua"), limited(stages))
		r.waitFor("the save", func(st gateway.Status) bool { return st.Scripts.Generation == generation })
	}
	change("stage.ratelimit { rate = 0.002, burst = 2 }")
	f(name + " " + name + " " + name)
	change("stage.ratelimit { rate = 0.002, burst = 3 }")
	f("0 " + name + " " + name)
	change("stage.ratelimit { rate = 100000, burst = 1000 }")
	f("0 1 2")
	for _, m := range []struct{ line, want string }{
		{`stratix_ratelimit_total{limit="client",result="rejected"}`, "9"},
		{`stratix_ratelimit_buckets{limit="client"}`, "1"},
		{`stratix_stage_messages_total{stage="ratelimit",verdict="next"}`, "6"},
		{`stratix_stage_messages_total{stage="ratelimit",verdict="drop"}`, "9"},
	} {
		if got := r.metric(m.line); got != m.want {
			t.Errorf("%s is %q, want %q", m.line, got, m.want)
		}
	}
}

// Clients of one bucket send more than it lets through, and saves change the rate
// meanwhile: every message comes back, each client's in their order, and no sooner
// than the fastest of the rates allows.
func TestDelayedMessagesKeepTheirOrderUnderLoad(t *testing.T) {
	const clients, each, burst = 8, 300, 20
	const fastest = 4000
	stages := func(rate int) string {
		return limited(fmt.Sprintf(`stage.ratelimit { per = "prefix", prefix = "c", rate = %d, burst = %d, over = "delay", max_delay = "30s" }`, rate, burst))
	}
	onEach := func(transport string) {
		r := runGateway(t, map[string]string{"main.lua": stages(fastest)}, func(c *serveCmd) { c.Shards, c.Transport = 2, transport })
		began := time.Now()
		var all sync.WaitGroup
		for i := range clients {
			c, err := dialWS(r.Addr().String(), fmt.Sprint("c", i))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.conn.Close() })
			all.Go(func() {
				for j := range each {
					if err := c.send(fmt.Sprintf(`{"type":0,"data":%d}`, j)); err != nil {
						t.Error(err)
						return
					}
				}
			})
			all.Go(func() {
				for j := range each {
					text, err := c.next()
					if err != nil {
						t.Error(err)
						return
					}
					if got := gjson.Get(text, "data").Raw; got != fmt.Sprint(j) {
						t.Errorf("client %d got %s, want %d", i, text, j)
						return
					}
				}
			})
		}
		for i := range uint32(2) {
			save(t, filepath.Join(r.scripts, "main.lua"), stages(fastest-1000*int(i)-1000))
			r.waitFor("the save", func(st gateway.Status) bool { return st.Scripts.Generation == i+2 })
		}
		all.Wait()
		if took := time.Since(began); took < time.Second*(clients*each-burst)/fastest {
			t.Errorf("%s: %d messages took %v, which is faster than %d a second", transport, clients*each, took, fastest)
		}
		for _, line := range []string{`stratix_ratelimit_delayed_messages{limit="prefix"}`, `stratix_ratelimit_delayed_bytes{limit="prefix"}`} {
			if got := r.metric(line); got != "0" {
				t.Errorf("%s is %q at the end", line, got)
			}
		}
		if got := r.metric(`stratix_ratelimit_total{limit="prefix",result="delayed"}`); got == "" || got == "0" {
			t.Errorf("%q messages were delayed", got)
		}
	}
	onEach("auto")
	onEach("goroutine")
}

func TestWhoExceedsItsRateIsDisconnectedAndKeptOut(t *testing.T) {
	r := runGateway(t, map[string]string{"main.lua": limited(
		`stage.ratelimit { rate = 0.001, burst = 3, over = "disconnect", connect_rate = 0.001, connect_burst = 3 }`) +
		`function on_disconnect(conn, why) log.info("gone", { why = why }) end`}, nil)
	addr := r.Addr().String()
	a, err := dialWS(addr, "a")
	if err != nil {
		t.Fatal(err)
	}
	defer a.conn.Close()
	if got := answers(t, a, 4); got != "0 1 2 rate_limited" {
		t.Errorf("got %s", got)
	}
	if _, err := a.next(); err != io.EOF {
		t.Errorf("the connection goes on: %v", err)
	}
	// Its bucket has outlived the connection.
	again, err := dialWS(addr, "a")
	if err != nil {
		t.Fatal(err)
	}
	defer again.conn.Close()
	if got := answers(t, again, 1); got != "rate_limited" {
		t.Errorf("after it came back: %s", got)
	}
	b, err := dialWS(addr, "b") // the third connection from here
	if err != nil {
		t.Fatal(err)
	}
	defer b.conn.Close()
	_, err = dialWS(addr, "c")
	if err == nil || !strings.Contains(err.Error(), "429") || !strings.Contains(err.Error(), `"code":"rate_limited"`) {
		t.Errorf("the fourth connection: %v", err)
	}
	for line, want := range map[string]string{
		`stratix_connections_ended_total{cause="limited"}`:               "2",
		`stratix_upgrades_refused_total{reason="rate_limited"}`:          "1",
		`stratix_ratelimit_total{limit="client",result="disconnected"}`:  "2",
		`stratix_ratelimit_total{limit="client",result="refused"}`:       "1",
		`stratix_stage_messages_total{stage="ratelimit",verdict="drop"}`: "2",
	} {
		if got := r.metric(line); got != want {
			t.Errorf("%s is %q, want %q", line, got, want)
		}
	}
	if n := strings.Count(r.log.String(), "why=limited"); n != 2 {
		t.Errorf("on_disconnect was told of %d", n)
	}
}
