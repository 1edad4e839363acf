package gateway

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/apikey"
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

// tokens says for the server what a token is good for; nil if none are taken.
func (g *Gateway) tokens() func(context.Context, string) (apikey.Holder, error) {
	if g.opt().Tokens == nil {
		return nil
	}
	return func(ctx context.Context, text string) (apikey.Holder, error) {
		return g.opt().Tokens.Check(ctx, text, time.Now())
	}
}

// startTokens begins to look after the keys of tokens, and does not wait for those
// that have an address.
func (g *Gateway) startTokens(ctx context.Context) error {
	if g.opt().Tokens == nil {
		return nil
	}
	if err := g.opt().Tokens.Start(ctx); err != nil {
		return fmt.Errorf("keys of the API's tokens: %w", err)
	}
	return nil
}

func (g *Gateway) stopTokens() {
	if g.opt().Tokens != nil {
		g.opt().Tokens.Stop()
	}
}

// refreshTokens has the keys of tokens looked at, and reports whether there are any.
func (g *Gateway) refreshTokens() bool {
	t := g.opt().Tokens
	if t != nil {
		t.Reload()
	}
	return t != nil
}

// ReloadKeys reads the file of keys now, and reports whether it holds others.
func (g *Gateway) ReloadKeys() (changed bool, err error) {
	if g.opt().Keys == nil {
		return false, nil
	}
	g.keys.Lock()
	defer g.keys.Unlock()
	before := g.opt().Keys.Keys()
	changed, err = g.opt().Keys.Reload()
	g.keysFailing.Store(err != nil)
	switch {
	case err != nil:
		if text := err.Error(); text != g.keysError {
			g.keysError = text
			g.log.Error("the keys cannot be read: those from before stay good, also revoked ones", "error", err)
		}
	case changed || g.keysError != "":
		g.keysError = ""
		args := []any{"keys", g.opt().Keys.Len()}
		added, revoked, other := g.opt().Keys.Keys().Since(before)
		for _, n := range []struct {
			what  string
			names []string
		}{{"added", added}, {"revoked", revoked}, {"changed", other}} {
			if len(n.names) > 0 {
				args = append(args, n.what, namesText(n.names))
			}
		}
		g.log.Info("the keys are read again", args...)
	}
	return changed, err
}

// failingKeys names the keys that cannot be fetched or read now: those of the API, of
// its tokens, and of the live generation's stages.
func (g *Gateway) failingKeys() []string {
	all := []string{}
	if g.keysFailing.Load() {
		all = append(all, "the file of --keys")
	}
	if t := g.opt().Tokens; t != nil {
		if name := t.Failing(); name != "" {
			all = append(all, "--api-jwks "+name)
		}
	}
	_, stages := g.scripts.openStages()
	for _, s := range stages {
		if r, is := s.Stage.(core.Refresher); is {
			if name := r.Failing(); name != "" {
				all = append(all, "stage."+s.Name+" "+name)
			}
		}
	}
	return all
}

// maxNamed bounds the names of keys in a line of the log.
const maxNamed = 20

func namesText(names []string) string {
	text := strings.Join(names[:min(len(names), maxNamed)], ", ")
	if more := len(names) - maxNamed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
