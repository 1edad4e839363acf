package gateway

import (
	"context"
	"net/http"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/ruling"
	"github.com/stratix-gateway/stratix/core/server"
	"github.com/stratix-gateway/stratix/core/shard"
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
	before := g.admitters.Load() != nil && g.identifies()
	g.admitters.Store(&all)
	if before && !g.identifies() {
		g.log.Warn("scripts no longer want a token of every client: anybody can connect under any ClientID from now on")
	}
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

// renew asks those of them that take the token of a connected client.
func (g *Gateway) renew(ctx context.Context, h *core.Handshake, grant *core.Grant) error {
	taken := false
	for _, a := range *g.admitters.Load() {
		r, ok := a.(core.Renewer)
		if !ok {
			continue
		}
		if err := r.Renew(ctx, h, grant); err != nil {
			return err
		}
		taken = true
	}
	if !taken {
		return &core.Denial{Status: http.StatusNotImplemented, Code: ruling.NoRenewal.Code, Text: ruling.NoRenewal.Text}
	}
	grant.Since = h.Now.UnixMilli()
	return nil
}

// identifies reports whether nobody comes in without a token that says who it is.
func (g *Gateway) identifies() bool {
	for _, a := range *g.admitters.Load() {
		if r, ok := a.(core.Renewer); ok && r.Requires() {
			return true
		}
	}
	return false
}

// client is a client on its way from the server to its shard.
func client(c server.Client) shard.Client {
	return shard.Client{ID: c.ID, Remote: c.Remote, Deflate: c.Deflate, Reliable: c.Reliable, FD: c.FD, Socket: c.Socket, Early: c.Early, Place: c.Place, Grant: c.Grant}
}
