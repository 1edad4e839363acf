package disk

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/stratix-gateway/stratix/core"
)

// live is the stages that govern a gateway in the order in which they began to; its
// log has the settings of the last. It outlives generations: while one replaces
// another the stages of both are in it.
type live struct {
	mu     sync.Mutex // held while the log's settings change, too
	stages []*stage
	now    core.DiskSettings // that the log has
}

func (s *stage) live() *live {
	return s.env.State("disk", func() any { return &live{now: core.DefaultDiskSettings()} }).(*live)
}

// configure gives the log settings. The caller holds l.mu.
func (l *live) configure(s *stage, to core.DiskSettings) error {
	if err := s.env.Disk(to); err != nil {
		return err
	}
	l.now = to
	return nil
}

// Start gives the log the settings of s; a canary's wait until it is live for all. It
// fails where the gateway has no data folder.
func (s *stage) Start(ctx context.Context) error {
	if s.env.Disk == nil {
		return errors.New("the gateway lends no log")
	}
	if !core.IsCanary(ctx) {
		return s.Govern()
	}
	l := s.live()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.configure(s, l.now) // says whether there is a log
}

// Govern gives the log the settings of s.
func (s *stage) Govern() error {
	l := s.live()
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.stages); n > 0 && l.stages[n-1] == s {
		return nil
	}
	if err := l.configure(s, s.log); err != nil {
		return err
	}
	l.stages = append(slices.DeleteFunc(l.stages, func(o *stage) bool { return o == s }), s)
	return nil
}

// Stop gives the log back the settings of the stage that started before, where
// s has started last: its generation may have been refused. Without another
// stage they stay; what is still in the log is kept as it was asked for.
func (s *stage) Stop(context.Context) error {
	l := s.live()
	l.mu.Lock()
	defer l.mu.Unlock()
	at := slices.Index(l.stages, s)
	if at < 0 {
		return nil
	}
	l.stages = slices.Delete(l.stages, at, at+1)
	if at == 0 || at < len(l.stages) {
		return nil
	}
	return l.configure(s, l.stages[at-1].log)
}
