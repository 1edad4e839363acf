package gateway

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stratix-gateway/stratix/core/reload"
)

// reloadFor is a reload on behalf of an operator, through the gate of that name, or
// the gateway's own for "".
func (g *Gateway) reloadFor(gate string) error {
	if gate == "" {
		return g.Reload("api")
	}
	through, ok := ParseGate(gate)
	if !ok {
		return fmt.Errorf("there is no gate %q: it is one of %s", gate, strings.Join(Gates, ", "))
	}
	return g.ReloadThrough("api", through)
}

// watchScripts makes each save live until ctx ends.
func (g *Gateway) watchScripts(ctx context.Context) error {
	folder := reload.Folder{Dir: g.opt.Scripts, Log: g.log}
	err := folder.Watch(ctx, g.scripts.first,
		func(snap reload.Snapshot) {
			g.scripts.gate.Lock()
			defer g.scripts.gate.Unlock()
			_ = g.apply(snap, triggerSave, g.opt.Gate) // noted there
		},
		func(err error) {
			g.rejected(&passage{Attempt: Attempt{Trigger: triggerSave, Generation: g.scripts.number.Load()}}, time.Now(), err)
		})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("watch %s: %w", g.opt.Scripts, err)
	}
	return nil
}
