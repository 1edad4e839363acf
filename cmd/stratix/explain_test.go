package main

import (
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestExplainAndTail plays testdata/explain/*.txtar, each with a gateway of its
// own, whose flags the file's name begins with: all-, some- or none- of the
// messages leave a trace. The scripts have $STRATIX_ADMIN and two commands more:
//
//	say CLIENT FRAME   connects, sends the frame and waits for its answer
//	tails N            waits until N tails are open
func TestExplainAndTail(t *testing.T) {
	const main = `pipeline {
  function(msg)
    local kind = msg:get("data.kind")
    if kind == "drop" then return msg:drop("too old") end
    if kind == "fail" then error("on purpose") end
    if kind == "edit" then
      msg:set("data.seen", true)
      msg:priority(3)
    end
  end,
  stage.prefix { routes = { ["c"] = "sender" } },
  stage.ring {},
}`
	of := gatewayOf
	testscript.Run(t, testscript.Params{
		Deadline: time.Now().Add(patience),
		Dir:      "testdata/explain",
		Setup: func(env *testscript.Env) error {
			r := runGateway(t, map[string]string{"main.lua": main}, func(c *serveCmd) {
				c.ExplainBytes = 4 << 20
				switch name := env.Getenv("WORK"); {
				case strings.Contains(name, "script-all-"):
					c.ExplainRate, c.ExplainData = 1, 200
				case strings.Contains(name, "script-some-"):
					c.ExplainRate = 1 << 20
				}
			})
			env.Values["gateway"] = r
			env.Setenv("GORACE", "atexit_sleep_ms=10")
			env.Setenv("STRATIX_ADMIN", r.AdminAddr().String())
			env.Setenv("PUBLIC", r.Addr().String())
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"say": say,
			"tails": func(ts *testscript.TestScript, _ bool, args []string) {
				for end := time.Now().Add(patience); of(ts).metric("stratix_tails") != args[0]; {
					if time.Now().After(end) {
						ts.Fatalf("there are %s tails", of(ts).metric("stratix_tails"))
					}
				}
			},
		},
	})
}

func gatewayOf(ts *testscript.TestScript) *running { return ts.Value("gateway").(*running) }

// say is the command of that name.
func say(ts *testscript.TestScript, _ bool, args []string) {
	c, err := dialWS(gatewayOf(ts).Addr().String(), args[0])
	ts.Check(err)
	defer c.conn.Close()
	ts.Check(c.send(args[1]))
	for answer := `"type":0`; strings.Contains(answer, `"type":0`); {
		answer, err = c.next()
		ts.Check(err)
	}
}
