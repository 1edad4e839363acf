package gateway

import (
	"context"

	"github.com/stratix-gateway/stratix/core"
)

// askFrom makes gen the generation whose Admitters decide on clients from now on.
// A canary's are never asked: its share of the clients is that of the live ones.
func (g *Gateway) askFrom(gen *core.Generation) {
	var all []core.Admitter
	for _, s := range gen.Stages {
		if a, ok := s.Stage.(core.Admitter); ok {
			all = append(all, a)
		}
	}
	g.admitters.Store(&all)
}

// admit asks the Admitters of the live generation one after the other.
func (g *Gateway) admit(ctx context.Context, h *core.Handshake, grant *core.Grant) error {
	for _, a := range *g.admitters.Load() {
		if err := a.Admit(ctx, h, grant); err != nil {
			return err
		}
	}
	return nil
}
