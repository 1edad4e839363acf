package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core/gateway"
	"github.com/stratix-gateway/stratix/core/metric"
)

const countingScript = `
local seen = stratix.metric.counter("seen_total", "Messages\nseen.")
local kinds = stratix.metric.counter("kinds_total", "Kinds.", { "kind" })
pipeline { function(msg)
  seen:inc()
  kinds:inc(1, { kind = msg:from() })
  msg:reply(stratix.kv.incr("count"))
end }
`

// A save leaves what scripts share alone, and takes out the metrics that it does
// not declare any more.
func TestSharedStateAndMetricsOutliveASave(t *testing.T) {
	r := runGateway(t, map[string]string{"main.lua": countingScript}, func(c *serveCmd) { c.Shards = 2 })
	f := func(client, want string) {
		t.Helper()
		c, err := dialWS(r.Addr().String(), client)
		if err != nil {
			t.Fatal(err)
		}
		defer c.conn.Close()
		if err := c.send(`{"type":0,"messageId":"x","data":1}`); err != nil {
			t.Fatal(err)
		}
		got, err := c.next()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(got, `"data":`+want+`,`) {
			t.Errorf("%s got %s, want %s", client, got, want)
		}
	}
	metric := func(name, want string) {
		t.Helper()
		if got := r.metric(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	f("client-1", "1")
	f("client-2", "2") // another shard, as like as not
	save(t, filepath.Join(r.scripts, "main.lua"), "-- saved\n"+countingScript)
	r.waitFor("the save", func(st gateway.Status) bool { return st.Scripts.Generation == 2 })
	f("client-1", "3")
	metric("stratix_script_seen_total", "3")
	metric("stratix_kv_entries", "1")
	metric(`stratix_kv_calls_total{call="write"}`, "3")

	admin := r.get("http://" + r.AdminAddr().String() + "/metrics")
	for _, want := range []string{
		"# HELP stratix_script_seen_total Messages\\nseen.\n# TYPE stratix_script_seen_total counter\nstratix_script_seen_total 3\n",
		"stratix_script_kinds_total{kind=\"client-1\"} 2\n",
	} {
		if !strings.Contains(admin, want) {
			t.Errorf("no %q in:\n%s", want, admin)
		}
	}
	// A label may name a client; the public page names none.
	public := r.get("http://" + r.Addr().String() + "/metrics")
	if strings.Contains(public, "client-1") || !strings.Contains(public, "stratix_script_seen_total 3") {
		t.Errorf("the public page:\n%s", public)
	}

	// A save that is rejected changes nothing.
	save(t, filepath.Join(r.scripts, "main.lua"), `local c = stratix.metric.gauge("other", "Other.") pipeline { stage.nothing {} }`)
	r.waitFor("the rejection", func(st gateway.Status) bool { return st.Scripts.Last.Result == "rejected" })
	metric("stratix_script_seen_total", "3")
	metric("stratix_script_other", "")
	save(t, filepath.Join(r.scripts, "main.lua"), `local c = stratix.metric.gauge("other", "Other.") c:set(5) pipeline {}`)
	r.waitFor("the next save", func(st gateway.Status) bool { return st.Scripts.Generation == 4 })
	metric("stratix_script_other", "5")
	r.waitFor("the metric to go", func(gateway.Status) bool { return r.metric("stratix_script_seen_total") == "" })
}

// The script of the README's part on shared state does what its comments say.
func TestTheSharedStateOfTheReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "### Shared state and helpers")
	_, rest, _ = strings.Cut(rest, "```lua\n")
	script, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("the README has no script there")
	}
	t.Setenv("ORDERS_GROUP", "orders")
	r := runGateway(t, map[string]string{"main.lua": script, "lib/badwords.lua": `return { "spam" }`},
		func(c *serveCmd) { c.ScriptEnv = []string{"ORDERS_GROUP"} })
	c, err := dialWS(r.Addr().String(), "desk-ny-1")
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	f := func(data, want string) {
		t.Helper()
		if err := c.send(`{"type":0,"messageId":"m","to":"desk-ny-1","data":` + data + `}`); err != nil {
			t.Fatal(err)
		}
		got, err := c.next()
		if err != nil || !strings.Contains(got, want) {
			t.Errorf("%s gets %s %v, want %s", data, got, err, want)
		}
		if strings.Contains(got, `"type":0`) { // the acknowledgement follows
			if _, err := c.next(); err != nil {
				t.Fatal(err)
			}
		}
	}
	f(`{"id":"a","text":"no Spam, please"}`, `"data":{"id":"a","text":"no ***, please","region":"new-york","tags":[],"note":null}`)
	f(`{"id":"a","text":"again"}`, `"error":"seen before"`)
	f(`{"id":"b","text":"1234-5678-9012-3456"}`, `no card numbers`)
	for i := range 97 {
		f(fmt.Sprintf(`{"id":"c%d"}`, i), `"type":0`)
	}
	f(`{"id":"d"}`, `too many`)
	if got := r.get("http://" + r.AdminAddr().String() + "/metrics"); !strings.Contains(got, `stratix_script_filtered_total{why="words"} 1`) {
		t.Error(got)
	}
}

// The names of the gateway's own metrics are not free for scripts.
func TestReservedNamesAreThoseOfTheGateway(t *testing.T) {
	r := runGateway(t, map[string]string{"main.lua": "pipeline {}"}, nil)
	page, reserved := r.get("http://"+r.AdminAddr().String()+"/metrics"), map[string]bool{}
	for _, name := range metric.Reserved {
		reserved[name] = true
	}
	for line := range strings.Lines(page) {
		if rest, ok := strings.CutPrefix(line, "# TYPE "+metric.Prefix); ok {
			name, _, _ := strings.Cut(rest, " ")
			if !reserved[name] {
				t.Errorf("%s%s is missing in metric.Reserved", metric.Prefix, name)
			}
			delete(reserved, name)
		}
	}
	for name := range reserved {
		t.Errorf("metric.Reserved has %s, which the gateway does not", name)
	}
}
