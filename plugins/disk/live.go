package disk

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// live is the started stages of a gateway in the order of their starts; its log
// has the settings of the last. It outlives generations: while one replaces
// another the stages of both are in it.
type live struct {
	mu     sync.Mutex // held while the log's settings change, too
	stages []*stage
}

func (s *stage) live() *live {
	return s.env.State("disk", func() any { return new(live) }).(*live)
}

// Start gives the log the settings of s. It fails where the gateway has no data
// folder.
func (s *stage) Start(context.Context) error {
	if s.env.Disk == nil {
		return errors.New("the gateway lends no log")
	}
	l := s.live()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := s.env.Disk(s.log); err != nil {
		return err
	}
	l.stages = append(l.stages, s)
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
	return s.env.Disk(l.stages[at-1].log)
}
