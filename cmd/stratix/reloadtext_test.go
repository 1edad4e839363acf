package main

import (
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core/gateway"
)

func TestAReloadSaysWhatHasComeOfIt(t *testing.T) {
	f := func(result string, generation uint32, canary *gateway.Canary, want string) {
		t.Helper()
		st := &gateway.Status{}
		st.Scripts.Generation, st.Scripts.Canary = 1, canary
		st.Scripts.Last = gateway.Attempt{Result: result, Generation: generation}
		if got := reloadText(st); !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", result, got, want)
		}
	}
	f("live", 1, nil, "generation 1 is live")
	f("unchanged", 1, nil, "unchanged: generation 1")
	tried := &gateway.Canary{Generation: 2, Share: 0.05}
	f("canary", 2, tried, "generation 2 is on trial: 5% of the clients have it")
	f("unchanged", 2, tried, "generation 2 is on trial") // the watcher was first
}
