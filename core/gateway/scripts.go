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
	gate sync.Mutex // held by the one snapshot that is on its way through the gate; taken before mu

	mu        sync.Mutex // held while a generation is made live or taken back; guards what follows
	tried     [32]byte   // hash of what the folder held at the last attempt
	live      *core.Generation
	snapshot  reload.Snapshot // of the live generation
	trial     *trial          // of the live generation; nil when it has proved itself
	candidate *trial          // of the canary; nil for none
	rollbacks int             // that operators asked for
	first     reload.Snapshot // of the folder, as it was at the start
	closed    bool            // nothing goes live any more
	retired   sync.WaitGroup  // generations whose stages are still to be stopped, and what is still to be kept of them

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
	trialUntil *trialEnd
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

// Reload reads the scripts folder and makes its content live. trigger says who
// asked. After an error the live generation stays.
func (g *Gateway) Reload(trigger string) error { return g.ReloadThrough(trigger, g.opt().Gate) }

// ReloadThrough is Reload through another gate, once.
func (g *Gateway) ReloadThrough(trigger string, gate Gate) error {
	sc := &g.scripts
	sc.gate.Lock()
	defer sc.gate.Unlock()
	// Read under the lock: what a save makes live meanwhile must not be replaced
	// by what the folder held before.
	snap, err := reload.Read(g.opt().Scripts)
	if err != nil {
		g.rejected(&passage{Attempt: Attempt{Trigger: trigger, Generation: sc.number.Load()}}, time.Now(), err)
		return err
	}
	return g.apply(snap, trigger, gate)
}

// errClosed is what an attempt gets while the gateway shuts down.
var errClosed = errors.New("the gateway is shutting down")

// errOverruled is what a save gets while which an operator asked for a rollback.
var errOverruled = errors.New("the scripts were rolled back meanwhile, and that stands: save again, or stratix reload")

// apply makes a snapshot live. The caller holds sc.gate.
func (g *Gateway) apply(snap reload.Snapshot, trigger string, gate Gate) error {
	sc := &g.scripts
	began := time.Now()
	p := &passage{Attempt: Attempt{Trigger: trigger}}
	sc.mu.Lock()
	if sc.closed {
		sc.mu.Unlock()
		return errClosed
	}
	again := snap.Hash == sc.tried
	sc.tried = snap.Hash
	if again && trigger == triggerSave && snap.Hash != sc.snapshot.Hash {
		sc.mu.Unlock()
		return nil // the watcher is late: somebody has reloaded meanwhile, and it was rejected or taken back
	}
	if was := sc.past.find(snap.Hash); trigger == triggerSave && was != nil && was.Bad != "" {
		defer sc.mu.Unlock()
		err := fmt.Errorf("this is what was taken back (%s): change it, or serve it all the same with stratix reload", was.Bad)
		g.rejected(p, began, err)
		return err
	}
	if g.known(p, snap, began) {
		sc.mu.Unlock()
		return nil
	}
	live, shown, rollbacks := sc.live, sc.snapshot, sc.rollbacks
	sc.mu.Unlock()
	gen, err := g.examine(p, snap, gate, live, shown)

	sc.mu.Lock()
	defer sc.mu.Unlock()
	switch {
	case sc.closed || errors.Is(err, errClosed):
		return errClosed
	case err != nil:
	case rollbacks != sc.rollbacks:
		err = errOverruled
	case live != sc.live: // its stages may have stopped
		gen, err = g.load(p, snap, sc.live)
	}
	o := g.opt()
	ctx, canary := context.Background(), o.Canary > 0 && o.RollbackWindow > 0
	if canary {
		ctx = core.ForCanary(ctx)
	}
	if err == nil {
		err = g.startStep(ctx, p, gen)
	}
	if err != nil {
		p.end("failed", "")
		g.rejected(p, began, err)
		g.remember(p, snap)
		return err
	}
	if canary {
		g.beginCanary(o, gen, snap, p, began)
		return nil
	}
	g.swap(gen, snap, p, began)
	return nil
}

// known reports whether a snapshot is what is live, or on trial as a canary, and
// notes the attempt then. The caller holds sc.mu.
func (g *Gateway) known(p *passage, snap reload.Snapshot, began time.Time) bool {
	sc := &g.scripts
	switch t := sc.candidate; {
	case t != nil && snap.Hash == t.snapshot.Hash:
		g.unchanged(p, began, t.generation.Number, "scripts are unchanged: they are on trial")
		return true
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
		return true
	}
	return false
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
	old, t := sc.live, g.newTrial(gen, snap)
	gone := sc.expect(old.Number, g.opt().Shards)
	p.step("swap")
	g.shards.Swap(gen)
	p.end("ok", "")
	g.wentLive(gen, snap, p, began)
	g.beginTrial(t)
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
	g.askFrom(gen)
	sc.past.wentLive(snap, gen.Number) // before anybody is told its number
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
	// After a rollback the folder holds something else, but where it is back to just that.
	sc.lastGood, sc.warnings = p.Result == resultTakenBack && snap.Hash != sc.tried, p.Warnings
	sc.record.Unlock()
	p.Generation = gen.Number
	if p.Result == "" {
		p.Result = resultLive
	}
	took := g.note(&p.Attempt, began)
	g.log.Info("scripts are live", "generation", gen.Number, "trigger", p.Trigger, "took", took.String(),
		"stages", len(stages), "hash", hash, "gate", p.summary())
	g.tellOddities(p)
	if changed && !policy {
		g.log.Warn("scripts have no on_policy hook: every client may send to every other and join every group",
			"script", filepath.Join(g.dir, reload.Main))
	}
	g.keepHistory("the generation was not kept on disk: a restart with broken scripts could not boot it")
}
