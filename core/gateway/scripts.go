package gateway

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/reload"
)

// scripts is the state of the scripts folder: what is live, and how the last
// attempts to change it went.
type scripts struct {
	mu       sync.Mutex // held while a generation is built and made live
	live     *core.Generation
	snapshot reload.Snapshot // of the live generation
	first    reload.Snapshot // of the folder, as it was at the start
	closed   bool            // nothing goes live any more
	retired  sync.WaitGroup  // generations whose stages are still to be stopped

	number atomic.Uint32 // of the last attempt to build a generation

	record sync.Mutex // guards what follows; taken for moments only
	last   Attempt
	result map[string]uint64 // attempts by result
	leaves map[uint32]*departure
	// Of the live generation:
	generation uint32
	since      time.Time
	hash       string
	stages     []string
	policy     bool
	lastGood   bool // it stands in for a folder that did not load
}

// departure counts the shards that have not let a generation go.
type departure struct {
	shards int
	gone   chan struct{}
}

// Attempt is one try to make the folder's content live.
type Attempt struct {
	At         time.Time `json:"at"`
	Trigger    string    `json:"trigger"` // start, save, signal, api
	Result     string    `json:"result"`  // live, unchanged, rejected
	Generation uint32    `json:"generation"`
	Millis     float64   `json:"millis"`
	Problems   []string  `json:"problems,omitempty"`
}

// The results of an attempt.
const (
	resultLive      = "live"
	resultUnchanged = "unchanged"
	resultRejected  = "rejected"
)

// firstGeneration loads the scripts folder, or else the last good generation.
func (g *Gateway) firstGeneration() (*core.Generation, error) {
	sc := &g.scripts
	sc.result = map[string]uint64{resultLive: 0, resultUnchanged: 0, resultRejected: 0}
	sc.leaves = map[uint32]*departure{}
	began := time.Now()
	snap, err := reload.Read(g.opt.Scripts)
	if err != nil {
		return nil, err
	}
	sc.first = snap
	gen, err := g.build(snap)
	if err == nil {
		g.wentLive(gen, snap, "start", began)
		return gen, nil
	}
	good, goodErr := readLastGood(g.opt.Data, g.dir)
	if goodErr != nil {
		if !errors.Is(goodErr, errNoLastGood) {
			err = errors.Join(err, goodErr)
		}
		return nil, err
	}
	began = time.Now()
	gen, goodErr = g.build(good.snapshot())
	if goodErr != nil {
		return nil, errors.Join(err, fmt.Errorf("the last good generation fails too: %w", goodErr))
	}
	g.log.Error("THE SCRIPTS FOLDER IS BROKEN: serving the last good generation instead; mend the folder and save",
		"scripts", g.dir, "saved", good.Saved)
	g.wentLive(gen, good.snapshot(), "start", began)
	g.rejected(gen.Number-1, "start", began, err)
	sc.lastGood = true
	return gen, nil
}

// build makes a generation and starts its new stages. The caller holds sc.mu or
// is alone.
func (g *Gateway) build(snap reload.Snapshot) (*core.Generation, error) {
	sc := &g.scripts
	gen, err := g.opt.Load(snap, sc.number.Add(1), g.env, sc.live)
	if err != nil {
		return nil, err
	}
	return gen, startStages(gen)
}

// Reload reads the scripts folder and makes its content live. trigger says who
// asked. After an error the live generation stays.
func (g *Gateway) Reload(trigger string) error {
	sc := &g.scripts
	sc.mu.Lock()
	defer sc.mu.Unlock()
	// Read under the lock: what a save makes live meanwhile must not be replaced
	// by what the folder held before.
	snap, err := reload.Read(g.opt.Scripts)
	if err != nil {
		g.rejected(sc.number.Load(), trigger, time.Now(), err)
		return err
	}
	return g.apply(snap, trigger)
}

// errClosed is what an attempt gets while the gateway shuts down.
var errClosed = errors.New("the gateway is shutting down")

// apply makes a snapshot live. The caller holds sc.mu.
func (g *Gateway) apply(snap reload.Snapshot, trigger string) error {
	sc := &g.scripts
	if sc.closed {
		return errClosed
	}
	began := time.Now()
	if snap.Hash == sc.snapshot.Hash {
		text := "scripts are unchanged"
		if sc.report().last.Result == resultRejected {
			text = "scripts are mended: the folder holds what is live"
		}
		sc.record.Lock()
		sc.lastGood = false // the folder holds it too
		sc.record.Unlock()
		g.note(Attempt{Trigger: trigger, Result: resultUnchanged, Generation: sc.live.Number}, began)
		g.log.Info(text, "generation", sc.live.Number, "trigger", trigger)
		return nil
	}
	gen, err := g.build(snap)
	if err != nil {
		g.rejected(sc.number.Load(), trigger, began, err)
		return err
	}
	old := sc.live
	gone := sc.expect(old.Number, g.opt.Shards)
	g.shards.Swap(gen)
	g.wentLive(gen, snap, trigger, began)
	sc.retired.Go(func() {
		<-gone
		g.retire(old)
	})
	return nil
}

// maxWarnings bounds the warnings of a save in the log.
const maxWarnings = 20

// wentLive notes that a generation is live and keeps it as the last good one.
func (g *Gateway) wentLive(gen *core.Generation, snap reload.Snapshot, trigger string, began time.Time) {
	sc := &g.scripts
	sc.live, sc.snapshot = gen, snap
	var stages []string
	for i := range gen.Programs[0].Pipeline.Len() {
		name, _ := gen.Programs[0].Pipeline.Stage(i)
		stages = append(stages, name)
	}
	hash, policy := fmt.Sprintf("%x", snap.Hash[:6]), gen.Programs[0].HasPolicy
	sc.record.Lock()
	changed := policy != sc.policy || sc.generation == 0
	sc.generation, sc.since, sc.stages, sc.hash, sc.policy = gen.Number, time.Now(), stages, hash, policy
	sc.lastGood = false
	sc.record.Unlock()
	took := g.note(Attempt{Trigger: trigger, Result: resultLive, Generation: gen.Number}, began)
	g.log.Info("scripts are live", "generation", gen.Number, "trigger", trigger, "took", took.String(), "stages", len(stages), "hash", hash)
	for i, w := range gen.Warnings {
		if i == maxWarnings {
			g.log.Warn("scripts have more warnings: stratix check lists them all", "warnings", len(gen.Warnings), "generation", gen.Number)
			break
		}
		g.log.Warn("scripts may not do what is meant", "warning", w, "generation", gen.Number)
	}
	if changed && !policy {
		g.log.Warn("scripts have no on_policy hook: every client may send to every other and join every group",
			"script", filepath.Join(g.dir, reload.Main))
	}
	if err := writeLastGood(g.opt.Data, g.dir, snap); err != nil {
		g.log.Error("the last good generation was not kept on disk: a restart with broken scripts could not boot it", "error", err)
	}
}

// rejected notes that the attempt with this number failed, a log line for each
// problem.
func (g *Gateway) rejected(number uint32, trigger string, began time.Time, err error) {
	problems := lines(err)
	g.note(Attempt{Trigger: trigger, Result: resultRejected, Generation: number, Problems: problems}, began)
	for _, p := range problems {
		g.log.Error("scripts rejected: what is live stays", "problem", p, "trigger", trigger)
	}
}

// note records an attempt and returns how long it took.
func (g *Gateway) note(a Attempt, began time.Time) time.Duration {
	took := time.Since(began)
	a.At, a.Millis = time.Now(), float64(took.Microseconds())/1000
	sc := &g.scripts
	sc.record.Lock()
	defer sc.record.Unlock()
	sc.result[a.Result]++
	sc.last = a
	return took
}

// watchScripts makes each save live until ctx ends.
func (g *Gateway) watchScripts(ctx context.Context) error {
	folder := reload.Folder{Dir: g.opt.Scripts, Log: g.log}
	err := folder.Watch(ctx, g.scripts.first,
		func(snap reload.Snapshot) {
			g.scripts.mu.Lock()
			defer g.scripts.mu.Unlock()
			_ = g.apply(snap, "save") // noted there
		},
		func(err error) { g.rejected(g.scripts.number.Load(), "save", time.Now(), err) })
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("watch %s: %w", g.opt.Scripts, err)
	}
	return nil
}
