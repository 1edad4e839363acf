package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/reload"
)

// trial is the first time of a generation in front of clients: of all, or as a
// canary of a share of them. Where it fails much more than the one before did, it
// is taken back.
type trial struct {
	generation *core.Generation
	snapshot   reload.Snapshot
	canary     bool
	base       core.Toll // what the generation before has cost
	passage    *passage  // of a canary, for when it goes live
	stop       context.CancelFunc
	gone       <-chan struct{} // of a canary: closed when no shard uses it any more
}

// Canary is a generation that a share of the clients has before the others.
type Canary struct {
	Generation uint32    `json:"generation"`
	Hash       string    `json:"hash"`
	Share      float64   `json:"share"` // of the clients
	Since      time.Time `json:"since"`
	Until      time.Time `json:"until"` // when the others get it
}

const (
	// trialEvery is how often a generation on trial is looked at.
	trialEvery = 100 * time.Millisecond
	// trialErrors is how many messages must have failed before that counts, and
	// trialMessages how many must have been handled before their weight does.
	trialErrors   = 10
	trialMessages = 200
)

// beginTrial watches the newest generation for a while. The caller holds sc.mu.
func (g *Gateway) beginTrial(t *trial) {
	sc := &g.scripts
	if sc.trial != nil {
		sc.trial.stop()
	}
	sc.trial = nil
	if g.opt.RollbackWindow <= 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), g.opt.RollbackWindow)
	t.stop = cancel
	sc.trial = t
	sc.retired.Go(func() { g.watchTrial(ctx, t) })
}

// watchTrial looks at a generation until its time is over, or it fails.
func (g *Gateway) watchTrial(ctx context.Context, t *trial) {
	defer t.stop()
	tick := time.NewTicker(trialEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				g.endTrial(t)
			}
			return
		case <-tick.C:
		}
		toll := g.shards.Toll(t.generation.Number)
		if why := g.opt.verdict(&toll, &t.base); why != "" {
			g.takeBack(t, why)
			return
		}
	}
}

// verdict says why a generation is to be taken back; "" for no reason.
func (o *Options) verdict(toll, base *core.Toll) string {
	failed, rate := failures(toll)
	baseFailed, baseRate := failures(base)
	switch most := o.RollbackInstructions * float64(o.Budget); {
	case failed >= trialErrors && rate > baseRate+o.RollbackErrors:
		return fmt.Sprintf("%d failures on %d messages; the generation before had %d on %d (--rollback-errors %g%%)",
			failed, toll.Messages, baseFailed, base.Messages, 100*o.RollbackErrors)
	case toll.Messages >= trialMessages && float64(toll.P99()/2) > most && toll.P99() > 2*base.P99():
		return fmt.Sprintf("1 message in 100 takes more than %d Lua instructions of a budget of %d; before, they stayed below %d (--rollback-instructions %g%%)",
			toll.P99()/2, o.Budget, base.P99(), 100*o.RollbackInstructions)
	}
	return ""
}

// failures are the messages that failed and the hooks that did, and what part of
// all messages that is.
func failures(t *core.Toll) (n uint64, rate float64) {
	n = max(t.Failed, t.Errors)
	return n, float64(n) / float64(max(1, t.Messages))
}

// endTrial ends a trial that nothing speaks against. A canary goes live for all.
func (g *Gateway) endTrial(t *trial) {
	sc := &g.scripts
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.trial != t || sc.closed {
		return
	}
	sc.trial = nil
	if !t.canary {
		g.log.Info("the scripts have proved themselves", "generation", t.generation.Number, "window", g.opt.RollbackWindow.String())
		return
	}
	old := sc.live
	gone := sc.expect(old.Number, g.opt.Shards)
	g.shards.Swap(t.generation)
	sc.record.Lock()
	sc.canary = nil
	sc.record.Unlock()
	g.wentLive(t.generation, t.snapshot, &passage{Attempt: Attempt{Trigger: t.passage.Trigger, Steps: t.passage.Steps}}, time.Now())
	g.letGo(old, gone)
}

// beginCanary gives a generation to a share of the clients. The caller holds
// sc.mu.
func (g *Gateway) beginCanary(gen *core.Generation, snap reload.Snapshot, p *passage, began time.Time) {
	sc := &g.scripts
	g.endCanary()
	t := &trial{generation: gen, snapshot: snap, canary: true, base: g.shards.Toll(sc.live.Number), passage: p}
	t.gone = sc.expect(gen.Number, g.opt.Shards)
	p.step("canary")
	g.shards.Canary(gen, g.opt.Canary)
	p.end("ok", fmt.Sprintf("%g%% of the clients", 100*g.opt.Canary))
	now := time.Now()
	c := &Canary{
		Generation: gen.Number, Hash: fmt.Sprintf("%x", snap.Hash[:6]), Share: g.opt.Canary,
		Since: now.UTC(), Until: now.Add(g.opt.RollbackWindow).UTC(),
	}
	sc.record.Lock()
	sc.canary = c
	sc.record.Unlock()
	p.Result = resultCanary
	took := g.note(&p.Attempt, began)
	g.log.Info("scripts are on trial: a share of the clients has them", "generation", gen.Number, "share", g.opt.Canary,
		"window", g.opt.RollbackWindow.String(), "trigger", p.Trigger, "took", took.String(), "hash", c.Hash, "gate", p.summary())
	g.tellOddities(p)
	g.beginTrial(t)
}

// endCanary takes the canary back, if there is one. The caller holds sc.mu.
func (g *Gateway) endCanary() {
	sc := &g.scripts
	t := sc.trial
	if t == nil || !t.canary {
		return
	}
	t.stop()
	sc.trial = nil
	g.shards.EndCanary()
	sc.record.Lock()
	sc.canary = nil
	sc.record.Unlock()
	g.letGo(t.generation, t.gone)
}

// takeBack ends a trial that has failed: the generation before is live again.
func (g *Gateway) takeBack(t *trial, why string) {
	sc := &g.scripts
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.trial != t || sc.closed {
		return
	}
	if t.canary {
		g.endCanary()
		g.log.Error("THE SCRIPTS ARE TAKEN BACK: their canary fails, and all clients have the generation before; mend them and save",
			"generation", t.generation.Number, "live", sc.live.Number, "reason", why)
		g.note(&Attempt{Trigger: "rollback", Result: resultTakenBack, Generation: t.generation.Number, Problems: []string{why}}, time.Now())
		g.forget(t.snapshot, why)
		return
	}
	sc.trial = nil
	if err := g.rollBack(nil, why); err != nil {
		g.log.Error("the scripts fail, and stay live: what was live before cannot be served", "generation", t.generation.Number, "reason", why, "error", err)
	}
}

// forget notes that a snapshot must not be served at a start.
func (g *Gateway) forget(snap reload.Snapshot, why string) {
	if err := g.scripts.past.takenBack(snap, why); err != nil {
		g.log.Error("it was not kept on disk that the scripts were taken back: a restart would serve them", "error", err)
	}
}

// errNothingBefore is what a rollback to nothing gets.
var errNothingBefore = errors.New("no other generation that was good is kept")

// rollBack makes former content live again, that of to or of the last good
// generation before. The caller holds sc.mu.
func (g *Gateway) rollBack(to *past, why string) error {
	sc := &g.scripts
	if sc.closed {
		return errClosed
	}
	if to == nil {
		if to = sc.past.good(sc.snapshot.Hash); to == nil {
			return errNothingBefore
		}
	}
	began := time.Now()
	snap := to.snapshot()
	p := &passage{Attempt: Attempt{Trigger: "rollback", Problems: []string{why}}}
	p.Generation = sc.number.Add(1)
	gen, err := g.opt.Load(snap, LoadOptions{Number: p.Generation, Env: g.env, Previous: sc.live, Log: g.log, Step: p.step})
	if err == nil {
		err = startStages(gen)
	}
	if err != nil {
		return err
	}
	g.endCanary()
	old, bad := sc.live, sc.snapshot
	gone := sc.expect(old.Number, g.opt.Shards)
	p.step("swap")
	g.shards.Swap(gen)
	p.end("ok", "")
	if sc.trial != nil {
		sc.trial.stop()
		sc.trial = nil
	}
	g.log.Error("THE SCRIPTS ARE TAKEN BACK: what was live before is live again; mend them and save",
		"generation", old.Number, "reason", why, "live", gen.Number, "saved", to.Saved)
	g.wentLive(gen, snap, p, began)
	sc.record.Lock()
	sc.lastGood = true // the folder holds something else
	sc.result[resultLive]--
	sc.result[resultTakenBack]++
	sc.last.Result = resultTakenBack
	sc.record.Unlock()
	g.forget(bad, why)
	g.letGo(old, gone)
	return nil
}

// RollBack makes a former generation live on behalf of an operator: the one with
// this number or hash, or the last good one if name is "".
func (g *Gateway) RollBack(name string) error {
	sc := &g.scripts
	sc.mu.Lock()
	defer sc.mu.Unlock()
	const why = "taken back by an operator"
	if t := sc.trial; t != nil && t.canary && name == "" {
		g.endCanary()
		g.log.Warn("the scripts on trial are taken back: all clients have the generation before", "generation", t.generation.Number, "live", sc.live.Number)
		g.note(&Attempt{Trigger: "rollback", Result: resultTakenBack, Generation: t.generation.Number, Problems: []string{why}}, time.Now())
		g.forget(t.snapshot, why)
		return nil
	}
	var to *past
	if name != "" {
		var err error
		if to, err = sc.past.named(name); err != nil {
			return err
		}
		if to.Hash == sc.snapshot.Hash {
			return fmt.Errorf("generation %q is live already", name)
		}
	}
	return g.rollBack(to, why)
}

// Past is a generation as GET /v1/generations shows it.
type Past struct {
	Number uint32    `json:"number,omitempty"` // in this life of the process
	Hash   string    `json:"hash"`
	Since  time.Time `json:"since"` // when it went live last
	State  string    `json:"state"` // live, canary, good, bad
	Reason string    `json:"reason,omitempty"`
}

// Generations lists what is and was live, the newest first.
func (g *Gateway) Generations() []Past {
	sc := g.scripts.report()
	var all []Past
	if c := sc.canary; c != nil {
		all = append(all, Past{Number: c.Generation, Hash: c.Hash, Since: c.Since, State: "canary"})
	}
	for _, p := range g.scripts.past.list() {
		one := Past{Number: p.number, Hash: fmt.Sprintf("%x", p.Hash[:6]), Since: p.Saved, State: "good", Reason: p.Bad}
		switch {
		case p.number == sc.generation && p.number > 0:
			one.State = "live"
		case p.Bad != "":
			one.State = "bad"
		}
		all = append(all, one)
	}
	return all
}
