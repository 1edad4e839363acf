package ring

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

// live is the stages that govern a gateway in the order in which they began to; its
// Ring has the bounds of the last. It outlives generations: while one replaces
// another the stages of both are in it.
type live struct {
	mu     sync.Mutex // held while the Ring's bounds change, too
	stages []*stage
}

func (s *stage) live() *live {
	return s.env.State("ring", func() any { return new(live) }).(*live)
}

// Start gives the gateway the bounds of s; a canary's wait until it is live for all.
func (s *stage) Start(ctx context.Context) error {
	if s.env.Ring == nil {
		return errors.New("the gateway lends no ring")
	}
	if core.IsCanary(ctx) {
		return nil
	}
	return s.Govern()
}

// Govern gives the gateway the bounds of s.
func (s *stage) Govern() error {
	l := s.live()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stages = slices.DeleteFunc(l.stages, func(o *stage) bool { return o == s })
	l.stages = append(l.stages, s)
	s.Bound(s.env.Ring)
	return nil
}

// Stop gives the gateway back the bounds of the stage that started before, or
// the default ones, where s governs: its generation may have been
// refused, or the stage taken out of the script.
func (s *stage) Stop(context.Context) error {
	l := s.live()
	l.mu.Lock()
	defer l.mu.Unlock()
	at := slices.Index(l.stages, s)
	if at < 0 {
		return nil
	}
	l.stages = slices.Delete(l.stages, at, at+1)
	switch {
	case at < len(l.stages):
		return nil
	case at > 0:
		l.stages[at-1].Bound(s.env.Ring)
	default:
		former := defaults()
		former.Bound(s.env.Ring)
	}
	return nil
}

// Bound sets r to the bounds. The shards may see some before the others.
func (s *settings) Bound(r *core.Ring) {
	r.Messages.Store(s.Messages)
	r.Bytes.Store(int64(s.Bytes))
	r.ClientMessages.Store(s.ClientMessages)
	r.ClientBytes.Store(int64(s.ClientBytes))
	r.SenderMessages.Store(s.SenderMessages)
	r.TTL.Store(int64(s.TTL / time.Second))
}
