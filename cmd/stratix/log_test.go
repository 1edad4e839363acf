package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core/gateway"
)

func TestTheLogSumsUpEachPeriod(t *testing.T) {
	r := runGateway(t, map[string]string{"main.lua": stampScript(1)}, func(c *serveCmd) { c.Summary = 20 * time.Millisecond })
	logged := func(what, line string) {
		t.Helper()
		pattern := regexp.MustCompile(line)
		r.waitFor(what, func(gateway.Status) bool { return pattern.MatchString(r.log.String()) })
	}
	logged("a line of a gateway at rest", `level=INFO msg=summary connections=0 in_per_s=0 out_per_s=0 errors=0 told_errors=0 undelivered=0 queued=0 pending=0 oldest=0s generation=1\n`)
	c, err := dialWS(r.Addr().String(), "c1")
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	for n := range 100 {
		if _, err := exchange(c, n); err != nil {
			t.Fatal(err)
		}
	}
	logged("a line that counts them", `msg=summary connections=1 in_per_s=[1-9]\d* out_per_s=[1-9]\d* .*generation=1\n`)
	save(t, r.scripts+"/main.lua", "pipeline {")
	logged("a line that tells of the broken save", `msg=summary connections=1 .*generation=1 scripts="the last save was rejected"\n`)
	save(t, r.scripts+"/main.lua", stampScript(2))
	logged("a quiet line of the mended scripts", `msg=summary connections=1 in_per_s=0 out_per_s=0 .*generation=3\n`)
}

func TestAnAddressThatOthersReachIsWarnedOfUnlessThatIsMeant(t *testing.T) {
	f := func(listen string, meant, want bool) {
		t.Helper()
		r := runGateway(t, map[string]string{"main.lua": "pipeline {}"}, func(c *serveCmd) { c.Listen, c.InsecureOpen = listen, meant })
		r.stop() // all that a start logs is in the log now
		warned := false
		for line := range strings.Lines(r.log.String()) {
			warned = warned || strings.Contains(line, "level=WARN") && strings.Contains(line, "UNDER ANY CLIENTID") &&
				strings.Contains(line, "--insecure-open") && strings.Contains(line, r.Addr().String())
		}
		if warned != want {
			t.Errorf("listening on %s, meant: %t: warned is %t, want %t; log:\n%s", listen, meant, warned, want, r.log)
		}
	}
	f("0.0.0.0:0", false, true)
	f(":0", false, true)
	f("0.0.0.0:0", true, false)
	f(":0", true, false)
	f("127.0.0.1:0", false, false)
}
