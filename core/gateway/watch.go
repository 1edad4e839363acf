package gateway

import (
	"context"
	"fmt"
	"time"

	"github.com/stratix-gateway/stratix/core/reload"
)

// watchScripts makes each save live until ctx ends.
func (g *Gateway) watchScripts(ctx context.Context) error {
	folder := reload.Folder{Dir: g.opt().Scripts, Log: g.log}
	err := folder.Watch(ctx, g.scripts.first,
		func(snap reload.Snapshot) {
			g.scripts.gate.Lock()
			defer g.scripts.gate.Unlock()
			_ = g.apply(snap, triggerSave, g.opt().Gate) // noted there
		},
		func(err error) {
			g.rejected(&passage{Attempt: Attempt{Trigger: triggerSave, Generation: g.scripts.number.Load()}}, time.Now(), err)
		})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("watch %s: %w", g.opt().Scripts, err)
	}
	return nil
}
