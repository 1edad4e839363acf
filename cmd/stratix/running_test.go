package main

import (
	"net"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestCommandsThatAskAGateway plays testdata/running/*.txtar, each with a
// gateway of its own. The scripts have $STRATIX_ADMIN, which the commands use,
// $PUBLIC, $SCRIPTS, the folder of the gateway, and $NOBODY, where nobody
// listens.
func TestCommandsThatAskAGateway(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Deadline: time.Now().Add(patience),
		Dir:      "testdata/running",
		Setup: func(env *testscript.Env) error {
			r := runGateway(t, map[string]string{"main.lua": "pipeline { function(msg) msg:to('a') end }"}, nil)
			free, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			env.Setenv("GORACE", "atexit_sleep_ms=10")
			env.Setenv("NOBODY", free.Addr().String())
			env.Setenv("STRATIX_ADMIN", r.AdminAddr().String())
			env.Setenv("PUBLIC", r.Addr().String())
			env.Setenv("SCRIPTS", r.scripts)
			return free.Close()
		},
	})
}
