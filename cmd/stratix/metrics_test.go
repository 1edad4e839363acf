package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core/gateway"
)

var metricLine = regexp.MustCompile(`^([a-z_][a-z0-9_]*)(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? (\d|\+Inf|-)\S*$`)

var typeLine = regexp.MustCompile(`^# TYPE (stratix_[a-z_]+) (counter|gauge|histogram)$`)

func TestMetricsCountWhatHappenedAndNameNoClient(t *testing.T) {
	r := runGateway(t, map[string]string{"main.lua": `
pipeline {
  function(msg)
    local kind = msg:get("data.kind")
    if kind == "drop" then return msg:drop("no") end
    if kind == "reject" then return msg:reject("nope", "no") end
    if kind == "fail" then error("on purpose") end
    if kind == "loop" then while true do end end
  end,
  stage.prefix { routes = { ["m-"] = "sender" } },
}`}, nil)
	c, err := dialWS(r.Addr().String(), "m-secret-name")
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	f := func(kind string, answers int) {
		t.Helper()
		if err := c.send(fmt.Sprintf(`{"type":0,"messageId":"x","data":{"kind":%q}}`, kind)); err != nil {
			t.Fatal(err)
		}
		for range answers {
			if _, err := c.next(); err != nil {
				t.Fatal(err)
			}
		}
	}
	f("plain", 2)
	f("drop", 1)
	f("reject", 1)
	f("fail", 1)
	f("loop", 1)
	if err := c.send("{"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.next(); err != nil {
		t.Fatal(err)
	}

	for name, want := range map[string]string{
		`stratix_connections`:                                              "1",
		`stratix_messages_total{direction="in"}`:                           "6",
		`stratix_messages_total{direction="out"}`:                          "1",
		`stratix_verdicts_total{verdict="accepted"}`:                       "1",
		`stratix_verdicts_total{verdict="dropped"}`:                        "1",
		`stratix_verdicts_total{verdict="rejected"}`:                       "1",
		`stratix_verdicts_total{verdict="error"}`:                          "2",
		`stratix_verdicts_total{verdict="malformed"}`:                      "1",
		`stratix_stage_messages_total{stage="main.lua:3",verdict="drop"}`:  "2",
		`stratix_stage_messages_total{stage="main.lua:3",verdict="error"}`: "2",
		`stratix_stage_messages_total{stage="prefix",verdict="next"}`:      "1",
		`stratix_script_errors_total`:                                      "2",
		`stratix_script_overruns_total`:                                    "1",
		`stratix_generation`:                                               "1",
		`stratix_reloads_total{result="live"}`:                             "1",
		`stratix_ready`:                                                    "1",
	} {
		if got := r.metric(name); got != want {
			t.Errorf("%s is %q, want %s", name, got, want)
		}
	}

	public := r.get("http://" + r.Addr().String() + "/metrics")
	seen, family := map[string]bool{}, ""
	for line := range strings.Lines(public) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "# HELP ") {
			continue
		}
		if kind := typeLine.FindStringSubmatch(line); kind != nil {
			if family = kind[1]; seen[family+" as a family"] {
				t.Errorf("the lines of %s are not together", family)
			}
			seen[family+" as a family"] = true
			continue
		}
		if !strings.HasPrefix(line, family) {
			t.Errorf("%q stands below the type of %s", line, family)
		}
		if !metricLine.MatchString(line) {
			t.Errorf("not a metric: %q", line)
		}
		name := line[:strings.LastIndexByte(line, ' ')]
		if seen[name] {
			t.Errorf("written twice: %s", name)
		}
		seen[name] = true
	}
	if strings.Contains(public, "m-secret-name") || strings.Contains(public, "go_goroutines") {
		t.Error("the public metrics tell of a client or of the process")
	}
	if admin := r.get("http://" + r.AdminAddr().String() + "/metrics"); !strings.Contains(admin, "go_goroutines") {
		t.Error("the operators' metrics lack the process")
	}
	if log := r.log.String(); !strings.Contains(log, "main.lua:7") || !strings.Contains(log, "budget") {
		t.Errorf("the log does not name the places of the errors:\n%s", log)
	}
	r.waitFor("the count of messages", func(st gateway.Status) bool { return st.MessagesIn == 6 })
}

func TestWhatSendersAreToldIsCounted(t *testing.T) {
	r := runGateway(t, map[string]string{"main.lua": `pipeline { function(msg)
  local why = msg:get("data.why")
  if why == "code" then return msg:reject(msg:get("data.code"), "no") end
end }`}, nil)
	c, err := dialWS(r.Addr().String(), "c1")
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	say := func(frame string) {
		t.Helper()
		if err := c.send(frame); err != nil {
			t.Fatal(err)
		}
		if _, err := c.next(); err != nil {
			t.Fatal(err)
		}
	}
	say(`{"type":0,"messageId":"m1","to":{"group":"nobody"},"data":{}}`)
	say(`{"type":0,"messageId":"m2","to":{"prefix":"zz"},"data":{}}`)
	say(`{"type":0,"messageId":"m3","to":"away","data":{}}`)
	for i := range 100 {
		say(fmt.Sprintf(`{"type":0,"messageId":"r%d","data":{"why":"code","code":"code%d"}}`, i, i))
	}
	f := func(name, want string) {
		t.Helper()
		if got := r.metric(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	f(`stratix_undelivered_total{reason="offline"}`, "3")
	f(`stratix_errors_told_total{code="offline"}`, "3")
	f(`stratix_errors_told_total{code="code5"}`, "1")
	f(`stratix_errors_told_total{code="other"}`, "37") // 64 are counted one by one, on one shard
}

func TestEveryMetricSaysWhatItCounts(t *testing.T) {
	r := runGateway(t, map[string]string{"main.lua": `upstream "orders" { url = "http://127.0.0.1:1" }
pipeline { stage.disk {}, stage.ring {} }`}, gated)
	page := r.get("http://" + r.AdminAddr().String() + "/metrics")
	described, n := map[string]bool{}, 0
	for line := range strings.Lines(page) {
		words := strings.Fields(line)
		if len(words) > 3 && words[1] == "HELP" {
			described[words[2]] = true
		}
		if len(words) > 2 && words[1] == "TYPE" && strings.HasPrefix(words[2], "stratix_") {
			if n++; !described[words[2]] {
				t.Errorf("%s has no line of HELP", words[2])
			}
		}
	}
	if n < 60 {
		t.Errorf("there are only %d metrics:\n%s", n, page)
	}
}
