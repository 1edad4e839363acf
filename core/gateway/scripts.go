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
	tried    [32]byte        // hash of what the folder held at the last attempt
	trial    *trial          // of the newest generation; nil when it has proved itself
	first    reload.Snapshot // of the folder, as it was at the start
	closed   bool            // nothing goes live any more
	retired  sync.WaitGroup  // generations whose stages are still to be stopped

	number atomic.Uint32 // of the last attempt to build a generation
	past   *history

	record sync.Mutex // guards what follows; taken for moments only
	last   Attempt
	result map[string]uint64 // attempts by result
	steps  map[string]stepTally
	leaves map[uint32]*departure
	// Of the live generation:
	generation uint32
	since      time.Time
	hash       string
	stages     []string
	open       []core.OpenStage
	policy     bool
	lastGood   bool // it stands in for a folder that holds something else
	warnings   []string
	canary     *Canary
}

// stepTally counts the passages through one step of the gate.
type stepTally struct {
	passed, failed uint64
	spent          time.Duration
}

// departure counts the shards that have not let a generation go.
type departure struct {
	shards int
	gone   chan struct{}
}

// firstGeneration loads the scripts folder, or else the last good generation.
func (g *Gateway) firstGeneration() (*core.Generation, error) {
	sc := &g.scripts
	sc.result, sc.steps, sc.leaves = map[string]uint64{}, map[string]stepTally{}, map[uint32]*departure{}
	snap, err := reload.Read(g.opt.Scripts)
	if err != nil {
		return nil, err
	}
	sc.first = snap
	var historyErr error
	if sc.past, historyErr = openHistory(g.opt.Data, g.dir); historyErr != nil {
		g.log.Error("what was live before cannot be read back", "error", historyErr)
	}
	began := time.Now()
	p := &passage{Attempt: Attempt{Trigger: "start"}}
	was := sc.past.find(snap.Hash)
	if was != nil && was.Bad != "" {
		err = fmt.Errorf("the folder holds what was taken back: %s", was.Bad)
	} else {
		var gen *core.Generation
		if gen, err = g.examine(p, snap); err == nil {
			g.wentLive(gen, snap, p, began)
			return gen, nil
		}
	}
	good := sc.past.good(snap.Hash)
	if good == nil {
		if sc.past.foreign != "" {
			err = errors.Join(err, fmt.Errorf("the last good generation in %s is of another folder (%s) and is not served", g.opt.Data, sc.past.foreign))
		}
		return nil, err
	}
	again := &passage{Attempt: Attempt{Trigger: "start"}}
	gen, goodErr := g.examine(again, good.snapshot())
	if goodErr != nil {
		return nil, errors.Join(err, fmt.Errorf("the last good generation fails too: %w", goodErr))
	}
	g.log.Error("THE SCRIPTS FOLDER IS BROKEN: serving the last good generation instead; mend the folder and save",
		"scripts", g.dir, "saved", good.Saved)
	g.wentLive(gen, good.snapshot(), again, time.Now())
	g.rejected(p, began, err)
	sc.lastGood = true
	return gen, nil
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
		g.rejected(&passage{Attempt: Attempt{Trigger: trigger, Generation: sc.number.Load()}}, time.Now(), err)
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
	again := snap.Hash == sc.tried
	sc.tried = snap.Hash
	if again && trigger == triggerSave && snap.Hash != sc.snapshot.Hash {
		return nil // the watcher is late: somebody has reloaded meanwhile, and it was rejected or taken back
	}
	began := time.Now()
	p := &passage{Attempt: Attempt{Trigger: trigger}}
	switch t := sc.trial; {
	case t != nil && t.canary && snap.Hash == t.snapshot.Hash:
		g.unchanged(p, began, t.generation.Number, "scripts are unchanged: they are on trial")
		return nil
	case snap.Hash == sc.snapshot.Hash:
		text := "scripts are unchanged"
		if sc.report().last.Result == resultRejected {
			text = "scripts are mended: the folder holds what is live"
		}
		g.endCanary()
		sc.record.Lock()
		sc.lastGood = false // the folder holds it too
		sc.record.Unlock()
		g.unchanged(p, began, sc.live.Number, text)
		return nil
	}
	var gen *core.Generation
	var err error
	if was := sc.past.find(snap.Hash); trigger == triggerSave && was != nil && was.Bad != "" {
		err = fmt.Errorf("this is what was taken back (%s): change it, or serve it all the same with stratix reload", was.Bad)
	} else {
		gen, err = g.examine(p, snap)
	}
	if err != nil {
		g.rejected(p, began, err)
		return err
	}
	if g.opt.Canary > 0 && g.opt.RollbackWindow > 0 {
		g.beginCanary(gen, snap, p, began)
		return nil
	}
	g.swap(gen, snap, p, began)
	return nil
}

func (g *Gateway) unchanged(p *passage, began time.Time, number uint32, text string) {
	p.Result, p.Generation = resultUnchanged, number
	g.note(&p.Attempt, began)
	g.log.Info(text, "generation", number, "trigger", p.Trigger)
}

// swap makes a generation live for all clients, and puts it on trial. The caller
// holds sc.mu.
func (g *Gateway) swap(gen *core.Generation, snap reload.Snapshot, p *passage, began time.Time) {
	sc := &g.scripts
	g.endCanary()
	old := sc.live
	base := g.shards.Toll(old.Number)
	gone := sc.expect(old.Number, g.opt.Shards)
	p.step("swap")
	g.shards.Swap(gen)
	p.end("ok", "")
	g.wentLive(gen, snap, p, began)
	g.beginTrial(&trial{generation: gen, snapshot: snap, base: base})
	g.letGo(old, gone)
}

// letGo stops the stages of a generation when all shards have let it go.
func (g *Gateway) letGo(old *core.Generation, gone <-chan struct{}) {
	g.scripts.retired.Go(func() {
		<-gone
		g.retire(old)
	})
}

// wentLive notes that a generation is live and keeps it.
func (g *Gateway) wentLive(gen *core.Generation, snap reload.Snapshot, p *passage, began time.Time) {
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
	sc.open = gen.Stages
	sc.generation, sc.since, sc.stages, sc.hash, sc.policy = gen.Number, time.Now(), stages, hash, policy
	sc.lastGood, sc.warnings = false, p.Warnings
	sc.record.Unlock()
	p.Result, p.Generation = resultLive, gen.Number
	took := g.note(&p.Attempt, began)
	g.log.Info("scripts are live", "generation", gen.Number, "trigger", p.Trigger, "took", took.String(),
		"stages", len(stages), "hash", hash, "gate", p.summary())
	g.tellOddities(p)
	if changed && !policy {
		g.log.Warn("scripts have no on_policy hook: every client may send to every other and join every group",
			"script", filepath.Join(g.dir, reload.Main))
	}
	if err := sc.past.wentLive(snap, gen.Number); err != nil {
		g.log.Error("the generation was not kept on disk: a restart with broken scripts could not boot it", "error", err)
	}
}

// watchScripts makes each save live until ctx ends.
func (g *Gateway) watchScripts(ctx context.Context) error {
	folder := reload.Folder{Dir: g.opt.Scripts, Log: g.log}
	err := folder.Watch(ctx, g.scripts.first,
		func(snap reload.Snapshot) {
			g.scripts.mu.Lock()
			defer g.scripts.mu.Unlock()
			_ = g.apply(snap, triggerSave) // noted there
		},
		func(err error) {
			g.rejected(&passage{Attempt: Attempt{Trigger: triggerSave, Generation: g.scripts.number.Load()}}, time.Now(), err)
		})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("watch %s: %w", g.opt.Scripts, err)
	}
	return nil
}
