package jwt

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/token"
)

// shared is one stage's view of a key set with an address.
type shared struct {
	url        string
	algorithms []string
	env        *core.Env
	set        *remote // from Start on
}

// remote is a key set that stages use.
type remote struct {
	*token.Remote
	users int // stages; guarded by remotes.mu
}

// firstAgain is when a key set that was not there at the start is asked for again.
const firstAgain = time.Second

// remotes are the key sets that the gateway looks after, by address. Stages of
// several generations share one, so that a save does not lose its keys.
type remotes struct {
	mu    sync.Mutex // held while a first fetch runs: only Start and Stop take it
	byURL map[string]*remote
}

func (s *shared) remotes() *remotes {
	return s.env.State("jwt", func() any { return &remotes{byURL: map[string]*remote{}} }).(*remotes)
}

// Start gets the keys, unless another stage has them already.
func (s *shared) Start(ctx context.Context) error {
	all := s.remotes()
	all.mu.Lock()
	defer all.mu.Unlock()
	r := all.byURL[s.url]
	if r == nil {
		r = &remote{Remote: token.NewRemote(s.url, nil, s.env.Log)}
		switch err := r.Start(ctx); {
		case err != nil && core.IsFirst(ctx):
			// An issuer that is away must not keep a gateway down that was restarted meanwhile.
			s.env.Log.Error("THE KEY SET CANNOT BE FETCHED: the gateway starts without it, and every token is refused with 503 until it is there", "jwks", s.url, "error", err)
			r.StartEmpty(firstAgain)
		case err != nil:
			return fmt.Errorf("jwks %s: %w", s.url, err)
		}
	}
	switch keys := r.Keys(); {
	case len(keys) == 0 && core.IsFirst(ctx):
	case len(keys) == 0: // the live stage began without
		return fmt.Errorf("jwks %s: it has not been fetched yet: save again when the issuer answers", s.url)
	case !keys.Serve(s.algorithms):
		if r.users == 0 {
			r.Stop()
		}
		return fmt.Errorf("jwks %s: none of its keys fits any of the algorithms", s.url)
	}
	all.byURL[s.url] = r
	r.users++
	s.set = r
	return nil
}

// Stop ends the looking after the keys with their last stage.
func (s *shared) Stop() {
	if s.set == nil {
		return
	}
	all := s.remotes()
	all.mu.Lock()
	defer all.mu.Unlock()
	if s.set.users--; s.set.users == 0 {
		delete(all.byURL, s.url)
		s.set.Stop()
	}
}

// Reload has the set fetched soon, unless it was a moment ago.
func (s *shared) Reload() {
	if s.set != nil {
		s.set.Reload()
	}
}

// Failing names the set while it cannot be fetched.
func (s *shared) Failing() string {
	if s.set == nil {
		return ""
	}
	return s.set.Failing()
}

// Find returns the keys with this kid.
func (s *shared) Find(ctx context.Context, id, algorithm string) ([]any, error) {
	if s.set == nil {
		return nil, fmt.Errorf("jwks %s has not been fetched", s.url)
	}
	return s.set.Find(ctx, id, algorithm)
}
