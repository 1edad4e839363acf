package main

import (
	"strings"
	"testing"
	"time"
)

// someLive is a period as the gateway writes it.
const someLive = `{"ts":1795559233228,"uptime":61,"period":1,"version":"1","readiness":"ready","connections":{"open":2,"refused":{"full":3,"draining":1}},` +
	`"rates":{"received":120.4,"dropped":1,"rejected":0.5},"latency":{"samples":7,"p50":12.5,"p90":20,"p99":99,"max":200},"verdicts":{},` +
	`"stages":[{"name":"prefix","place":"main.lua:3","next":3,"time":1.5,"instructions":null}],"top":[{"client":"a\u001b[2J","messages":9.9}],` +
	`"pending":{"messages":4,"clients":[{"client":"b","messages":4}]},"memory":{"rss":1048576,"heap":1024},"cpu":0.5,"gaps":{"expired":3},"deadLettersLost":1,"upstreams":[{"name":"orders","lost":1,"expired":1}],` +
	`"generation":{"number":7,"state":"trial","lastGood":6,"standsIn":true},"gate":{"result":"rejected","problems":["main.lua:1: no"]}}` + "\n"

func TestAPeriodIsAScreenOrALine(t *testing.T) {
	f := func(c topCmd, screen bool, in string, wants ...string) {
		t.Helper()
		var out strings.Builder
		err := c.show(strings.NewReader(in), &out, screen)
		if c.Once && err != nil || !c.Once && err != errTopEnded {
			t.Errorf("it ends with %v", err)
		}
		got := strings.TrimSpace(out.String())
		for _, want := range wants {
			if !strings.Contains(got, want) {
				t.Errorf("%q lacks %q", got, want)
			}
		}
		if ours := strings.NewReplacer(goHome, "", clearLine, "", clearRest, "").Replace(got); strings.ContainsRune(ours, '\x1b') {
			t.Errorf("%q drives the terminal", ours)
		}
	}
	at := time.UnixMilli(1795559233228).Local().Format(time.TimeOnly)
	f(topCmd{}, false, "\n"+someLive+"\n"+someLive,
		at+"  ready  2 open  120/s received  0/s delivered  1.5/s came to nothing  p99 99 us  4 waiting  LOST SINCE THE START: 3 expired, 2 given up for upstream orders, 1 dead letter(s) that reached nobody  generation 7 (trial)\n"+at)
	page := []string{
		"gateway       READY, version 1, up 1m1s, at " + at, "connections   2 open (0 reliable), 0 mailboxes, 0 upgraded, 4 refused", "on trial; THE FOLDER HOLDS SOMETHING ELSE",
		"last attempt  REJECTED", "lost          SINCE THE START: 3 expired, 2 given up", "main.lua:1: no", "p50 12, p90 20, p99 99, max 200, of 7 sampled", `a\u001b[2J`, "1.0 MiB memory, 1.0 KiB heap, 50% of a core",
	}
	f(topCmd{Once: true}, true, someLive+someLive, page...)
	f(topCmd{}, true, someLive, goHome, clearLine+"\n", clearRest, "prefix  3.0")
	f(topCmd{JSON: true}, true, someLive, strings.TrimSpace(someLive)[:20])
	f(topCmd{}, false, `{"ts":1795559233228,"readiness":"recovering"}`, at+"  recovering")
	f(topCmd{Once: true}, false, `{"ts":1795559233228,"readiness":"recovering","uptime":3}`, "gateway  RECOVERING, version , up 3s")
	if err := (&topCmd{}).show(strings.NewReader("{"), &strings.Builder{}, false); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("a broken line: %v", err)
	}
}
