package rehearse

import (
	"log/slog"

	"github.com/stratix-gateway/stratix/core"
)

// Env is what the stages of one generation are opened with that is rehearsed: a
// State of its own, and nothing of a gateway's. It is for one goroutine.
func Env(log *slog.Logger) *core.Env {
	states := map[string]any{}
	return &core.Env{
		Shards: 1, Log: log, Ring: core.NewRing(),
		Disk: func(core.DiskSettings) error { return nil },
		State: func(name string, make func() any) any {
			if _, ok := states[name]; !ok {
				states[name] = make()
			}
			return states[name]
		},
	}
}
