package main

import (
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScriptsAgainstTraffic plays testdata/traffic/*.txtar, each with a gateway of
// its own. The scripts have $STRATIX_ADMIN, $SCRIPTS, and $GATEWAY_DATA, the data
// folder of the gateway, and
//
//	say CLIENT FRAME   connects, sends the frame and waits for its answer
//	stop               ends the gateway
func TestScriptsAgainstTraffic(t *testing.T) {
	const main = `pipeline {
  function(msg)
    if msg:get("data.kind") == "late" then return msg:drop("too late") end
    msg:to_group("desk")
  end,
  stage.disk {},
  stage.ring {},
}`
	testscript.Run(t, testscript.Params{
		Deadline: time.Now().Add(patience),
		Dir:      "testdata/traffic",
		Setup: func(env *testscript.Env) error {
			data := t.TempDir()
			r := runGateway(t, map[string]string{"main.lua": main}, func(c *serveCmd) {
				gated(c)
				c.Data = data
			})
			env.Values["gateway"] = r
			env.Setenv("GORACE", "atexit_sleep_ms=10")
			env.Setenv("STRATIX_ADMIN", r.AdminAddr().String())
			env.Setenv("SCRIPTS", r.scripts)
			env.Setenv("GATEWAY_DATA", data)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"say":  say,
			"stop": func(ts *testscript.TestScript, _ bool, _ []string) { gatewayOf(ts).stop() },
		},
	})
}
