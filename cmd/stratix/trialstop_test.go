package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core/gateway"
)

func TestAGatewayDoesNotWaitForATrialToStop(t *testing.T) {
	r := runGateway(t, map[string]string{"main.lua": stampScript(0)}, func(c *serveCmd) {
		c.RollbackWindow, c.RollbackErrors, c.RollbackInstructions = 2*patience, 0.05, 0.5
	})
	save(t, filepath.Join(r.scripts, "main.lua"), stampScript(1))
	r.waitFor("the save", func(st gateway.Status) bool { return st.Scripts.Generation == 2 })
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		r.stop()
	}()
	select {
	case <-stopped:
	case <-time.After(patience):
		t.Error("a gateway that is to end waits for the trial of its last save")
	}
}
