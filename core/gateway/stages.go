package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

// stageTime bounds the start, and the stop, of a generation's stages.
const stageTime = 10 * time.Second

// openStages are the number and the stages of the live generation.
func (sc *scripts) openStages() (uint32, []core.OpenStage) {
	sc.record.Lock()
	defer sc.record.Unlock()
	return sc.generation, sc.open
}

// startStages counts gen as a user of its stages and starts those that had
// none. After an error nothing of it is left.
func startStages(ctx context.Context, gen *core.Generation) error {
	ctx, cancel := context.WithTimeout(ctx, stageTime)
	defer cancel()
	for i, s := range gen.Stages {
		s.Life.Generations++
		starter, ok := s.Stage.(core.Starter)
		if !ok || s.Life.Generations > 1 {
			continue
		}
		if err := starter.Start(ctx); err != nil {
			s.Life.Generations--
			return errors.Join(fmt.Errorf("%s: %s: start: %w", s.Pos, named(s), err), stopStages(gen.Stages[:i]))
		}
	}
	return nil
}

// govern lets the stages of what was a canary set what holds for all clients.
func govern(gen *core.Generation) error {
	var errs []error
	for _, s := range gen.Stages {
		if governor, ok := s.Stage.(core.Governor); ok {
			if err := governor.Govern(); err != nil {
				errs = append(errs, fmt.Errorf("%s: %s: %w", s.Pos, named(s), err))
			}
		}
	}
	return errors.Join(errs...)
}

// stopStages ends a generation's use of its stages and stops those that have no
// user left, the last ones first.
func stopStages(stages []core.OpenStage) error {
	ctx, cancel := context.WithTimeout(context.Background(), stageTime)
	defer cancel()
	var errs []error
	for i := len(stages) - 1; i >= 0; i-- {
		s := stages[i]
		s.Life.Generations--
		stopper, ok := s.Stage.(core.Stopper)
		if !ok || s.Life.Generations > 0 {
			continue
		}
		if err := stopper.Stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: stop: %w", s.Pos, named(s), err))
		}
	}
	return errors.Join(errs...)
}

// named is how errors call a stage, or what else lives with a generation: that was
// opened from nothing.
func named(s core.OpenStage) string {
	if s.Key == "" {
		return s.Name
	}
	return "stage." + s.Name
}

// expect prepares for the departure of a generation from all shards.
func (sc *scripts) expect(generation uint32, shards int) <-chan struct{} {
	sc.record.Lock()
	defer sc.record.Unlock()
	d := &departure{shards: shards, gone: make(chan struct{})}
	sc.leaves[generation] = d
	return d.gone
}

// released is called by each shard when it has let a generation go.
func (sc *scripts) released(generation uint32) {
	sc.record.Lock()
	defer sc.record.Unlock()
	d := sc.leaves[generation]
	if d == nil {
		return
	}
	if d.shards--; d.shards == 0 {
		delete(sc.leaves, generation)
		close(d.gone)
	}
}

// retire lets go of a generation that no shard uses any more.
func (g *Gateway) retire(old *core.Generation) {
	sc := &g.scripts
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if err := stopStages(old.Stages); err != nil {
		g.log.Error("a stage of an old generation did not stop cleanly", "generation", old.Number, "error", err)
	}
}

// freeze keeps everything as it is: it waits for what is going live at the moment,
// later attempts fail, and trials end without a verdict.
func (sc *scripts) freeze() {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.closed = true
	for _, t := range []*trial{sc.trial, sc.candidate} {
		if t != nil {
			t.stop()
		}
	}
}

// close lets go of all generations, after freeze and after the shards have
// stopped.
func (sc *scripts) close() error {
	sc.record.Lock()
	for n, d := range sc.leaves { // their shards will not report any more
		delete(sc.leaves, n)
		close(d.gone)
	}
	sc.record.Unlock()
	sc.retired.Wait()
	sc.mu.Lock()
	defer sc.mu.Unlock()
	var err error
	if sc.candidate != nil {
		err = stopStages(sc.candidate.generation.Stages)
	}
	return errors.Join(err, stopStages(sc.live.Stages))
}
