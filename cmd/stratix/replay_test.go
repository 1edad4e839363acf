package main

import (
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/stratix-gateway/stratix/core/reload"
	"github.com/stratix-gateway/stratix/core/traffic"
	"github.com/stratix-gateway/stratix/lua"
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

func TestATestThatIsWrittenOfAMessageHasItsMomentAndItsSendersClaims(t *testing.T) {
	files := map[string][]byte{"main.lua": []byte(`pipeline { function(msg)
  msg:set("data.at", stratix.now())
  if msg:claim("role") ~= "admin" then return msg:reject("forbidden", "for admins") end
  msg:to_group(msg:claim("groups.0"))
end }`)}
	f := recordedFlags{}
	f.Budget = 100_000
	side, err := f.side(reload.Snapshot{Files: files})
	if err != nil {
		t.Fatal(err)
	}
	in := traffic.Input{
		From: "ann", Time: 1795587926728, ID: []byte(`"m1"`), Data: []byte(`{"x":1}`),
		Claims: []byte(`{"sub":"ann","role":"admin","groups":["ops"],"none":{}}`),
	}
	d := side.Decide(&in)
	test := luaTest(&in, &d)
	files["written_test.lua"] = []byte(test)
	results, err := lua.RunTests(t.Context(), lua.Sources(files), lua.TestOptions{Budget: f.Budget}, nil)
	if err != nil || len(results) != 1 || results[0].Outcome != lua.TestPassed {
		t.Errorf("%v %+v of\n%s", err, results, test)
	}
}
