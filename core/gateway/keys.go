package gateway

import (
	"context"
	"time"

	"github.com/stratix-gateway/stratix/core/server"
)

// keysEvery is how often the file of keys is looked at: so long a revoked key is
// good at the most.
const keysEvery = time.Second

// keyring is the keys of the API for the server; nil if there are none.
func (g *Gateway) keyring() server.Keyring {
	if g.opt().Keys == nil {
		return nil
	}
	return g.opt().Keys
}

// watchKeys uses what the file of keys holds as soon as that changes.
func (g *Gateway) watchKeys(ctx context.Context) {
	if g.opt().Keys == nil {
		return
	}
	tick := time.NewTicker(keysEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_, _ = g.ReloadKeys() // noted there
		}
	}
}

// ReloadKeys reads the file of keys now, and reports whether it holds others.
func (g *Gateway) ReloadKeys() (changed bool, err error) {
	if g.opt().Keys == nil {
		return false, nil
	}
	g.keys.Lock()
	defer g.keys.Unlock()
	changed, err = g.opt().Keys.Reload()
	switch {
	case err != nil:
		if text := err.Error(); text != g.keysError {
			g.keysError = text
			g.log.Error("the keys cannot be read: those from before stay good, also revoked ones", "error", err)
		}
	case changed || g.keysError != "":
		g.keysError = ""
		g.log.Info("the keys are read again", "keys", g.opt().Keys.Len())
	}
	return changed, err
}
