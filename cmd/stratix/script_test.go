package main

import (
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	commands := logCommands()
	commands["stratix"] = func() { os.Exit(run(os.Args[1:])) }
	testscript.Main(m, commands)
}

// TestCommandLine plays testdata/*.txtar against the real binary.
func TestCommandLine(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Deadline: time.Now().Add(patience),
		Dir:      "testdata",
		Cmds:     map[string]func(*testscript.TestScript, bool, []string){"ready": awaitReady},
		Setup: func(env *testscript.Env) error {
			// A port that is free, and one that is taken until the script ends.
			free, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			taken, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			env.Defer(func() { _ = taken.Close() })
			env.Setenv("GORACE", "atexit_sleep_ms=10") // else each command sleeps a second at its end
			env.Setenv("FREE", free.Addr().String())
			env.Setenv("TAKEN", taken.Addr().String())
			return free.Close()
		},
	})
}

// awaitReady is the command "ready ADDRESS" of a script: a gateway that was
// started in the background takes clients.
func awaitReady(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ready ADDRESS")
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		resp, err := http.Get("http://" + args[0] + "/readyz")
		if err != nil {
			continue
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return
		}
	}
	ts.Fatalf("no gateway at %s is ready", args[0])
}
