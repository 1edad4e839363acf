package main

import (
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core/gateway"
)

// number is the value of a line of /metrics that must be there.
func (r *running) number(name string) float64 {
	r.t.Helper()
	v, err := strconv.ParseFloat(r.metric(name), 64)
	if err != nil {
		r.t.Fatalf("%s: %v", name, err)
	}
	return v
}

func TestMetricsShowWhatWaitsForAClientThatDoesNotRead(t *testing.T) {
	r := runGateway(t, map[string]string{"main.lua": "pipeline {}"}, nil)
	c, err := dialWS(r.Addr().String(), "busy")
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	slow, err := dialWS(r.Addr().String(), "slow")
	if err != nil {
		t.Fatal(err)
	}
	defer slow.conn.Close()
	_ = slow.conn.(*net.TCPConn).SetReadBuffer(4096)
	if n := r.number("stratix_queue_bytes"); n != 0 {
		t.Fatalf("%g bytes wait before anything was sent", n)
	}

	_ = c.conn.SetWriteDeadline(time.Now().Add(patience))
	message := fmt.Sprintf(`{"type":0,"messageId":"m","to":"slow","data":%q}`, strings.Repeat("x", 60<<10))
	for r.number("stratix_queue_bytes") == 0 {
		if err := c.send(message); err != nil {
			t.Fatal(err)
		}
	}
	// Past its bound the oldest are dropped, and the queue grows no more.
	for r.number(`stratix_undelivered_total{reason="drop_oldest"}`) == 0 {
		if err := c.send(message); err != nil {
			t.Fatal(err)
		}
	}
	r.waitFor("the gauge, which may be a second old, to show the full queue", func(gateway.Status) bool {
		return r.number("stratix_queue_bytes") >= 1<<19
	})
	if n := r.number("stratix_queue_bytes"); n > 1<<20 {
		t.Errorf("%g bytes wait in a full queue of 1 MiB", n)
	}

	_ = slow.conn.Close()
	r.waitFor("the queue to go with its client", func(st gateway.Status) bool {
		return st.Connections == 1 && r.number("stratix_queue_bytes") == 0
	})

	// Whoever has gone is offline.
	before := r.number(`stratix_undelivered_total{reason="offline"}`)
	if err := c.send(`{"type":0,"messageId":"late","to":"slow","data":1}`); err != nil {
		t.Fatal(err)
	}
	for text := ""; !strings.Contains(text, `"late"`); {
		if text, err = c.next(); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text, `"late"`) && !strings.Contains(text, `"offline"`) {
			t.Errorf("got %s, want offline", text)
		}
	}
	if n := r.number(`stratix_undelivered_total{reason="offline"}`); n != before+1 {
		t.Errorf("%g are offline, want %g", n, before+1)
	}
}

func TestMetricsMeasureScriptsStagesAndTurns(t *testing.T) {
	r := runGateway(t, map[string]string{"main.lua": `
pipeline {
  function(msg) for i = 1, 100 do msg:set("data.first", 1) msg:set("data.last", 1) end end,
  stage.prefix { routes = { ["c"] = "sender" } },
}`}, nil)
	c, err := dialWS(r.Addr().String(), "c1")
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	const messages = 200 // one in 64 is timed
	instructions := r.number("stratix_script_instructions_total")
	for n := range messages {
		if _, err := exchange(c, n); err != nil {
			t.Fatal(err)
		}
	}
	if grown := r.number("stratix_script_instructions_total") - instructions; grown < 200*messages {
		t.Errorf("%d messages took %g instructions, of at least 200 each", messages, grown)
	}
	for _, stage := range []string{"main.lua:3", "prefix"} {
		if s := r.number(fmt.Sprintf("stratix_stage_seconds_total{stage=%q}", stage)); s <= 0 {
			t.Errorf("%s took %g seconds", stage, s)
		}
	}

	// A histogram: ascending bounds, counts that never fall, all in the last.
	count, bound, below, total := 0, 0.0, 0.0, 0.0
	for line := range strings.Lines(r.get("http://" + r.Addr().String() + "/metrics")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		v, _ := strconv.ParseFloat(value, 64)
		if name == "stratix_loop_turn_seconds_count" {
			total = v
		}
		le, ok := strings.CutPrefix(name, `stratix_loop_turn_seconds_bucket{le="`)
		if !ok {
			continue
		}
		b, err := strconv.ParseFloat(strings.TrimSuffix(le, `"}`), 64)
		if err != nil || b <= bound || v < below {
			t.Errorf("%s after a bound of %g and a count of %g: %v", strings.TrimSpace(line), bound, below, err)
		}
		count, bound, below = count+1, b, v
	}
	if count < 2 || !math.IsInf(bound, 1) || total < messages || below != total {
		t.Errorf("%d buckets up to %g hold %g of %g turns", count, bound, below, total)
	}
	if s := r.number("stratix_loop_turn_seconds_sum"); s <= 0 {
		t.Errorf("all turns took %g seconds", s)
	}
}
