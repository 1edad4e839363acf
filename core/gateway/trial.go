package gateway

import (
	"context"
	"errors"
	"fmt"
	"math"
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
	share      float64   // of the clients that have a canary
	before     [32]byte  // the hash of what has proved itself: it comes back where this fails ...
	base       core.Toll // ... and what that has cost
	window     time.Duration
	passage    *passage // of a canary, for when it goes live
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

// trialEnd is when the trial of a live generation ends.
type trialEnd struct {
	generation uint32
	until      time.Time
}

// newTrial is the trial of what is about to replace the live generation. While that
// is on trial itself, it has proved nothing: then both are measured by the same.
// The caller holds sc.mu.
func (g *Gateway) newTrial(gen *core.Generation, snap reload.Snapshot) *trial {
	sc := &g.scripts
	t := &trial{generation: gen, snapshot: snap, window: g.opt().RollbackWindow}
	if of := sc.trial; of != nil {
		t.before, t.base = of.before, of.base
	} else {
		t.before, t.base = sc.snapshot.Hash, g.shards.Toll(sc.live.Number)
	}
	return t
}

// beginTrial watches a generation for a while, in place of the one before. The
// caller holds sc.mu.
func (g *Gateway) beginTrial(t *trial) {
	sc := &g.scripts
	at := &sc.trial
	if t.canary {
		at = &sc.candidate
	}
	if *at != nil {
		(*at).stop()
	}
	*at = nil
	if t.window <= 0 || !t.canary && t.snapshot.Hash == t.before {
		return // nothing is on trial, or it has proved itself already
	}
	ctx, cancel := context.WithTimeout(context.Background(), t.window)
	t.stop = cancel
	*at = t
	if !t.canary {
		sc.record.Lock()
		sc.trialUntil = &trialEnd{t.generation.Number, time.Now().Add(t.window)}
		sc.record.Unlock()
	}
	sc.retired.Go(func() { g.watchTrial(ctx, t) })
}

// watchTrial looks at a generation until its time is over, or it fails.
func (g *Gateway) watchTrial(ctx context.Context, t *trial) {
	defer t.stop()
	tick := time.NewTicker(trialEvery)
	defer tick.Stop()
	warned := false
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
		switch why, missing := t.verdict(g.opt(), &toll); {
		case why == "":
		case missing == 0:
			g.takeBack(t, why)
			return
		case !warned:
			warned = true
			g.log.Warn("the scripts on trial fail, or are heavy, for too few clients to be taken back (--rollback-clients): look at them, or stratix rollback",
				"generation", t.generation.Number, "reason", why, "clients missing", missing)
		}
	}
}

// verdict is that of o on t, whose clients so far are in toll.
func (t *trial) verdict(o *Options, toll *core.Toll) (why string, missing int) {
	if t.canary { // about so many of them have it
		toll.Talkers = int(math.Round(t.share * float64(toll.Talkers)))
	}
	return o.verdict(toll, &t.base)
}

// heavy is how many instructions a message may take on trial.
func (o *Options) heavy() int { return int(o.RollbackInstructions * float64(o.Budget)) }

// verdict says why a generation is to be taken back, "" for no reason; and for how
// many clients more it would have to be so, since one alone must not decide on what
// all get. On_tick fails for all.
func (o *Options) verdict(toll, base *core.Toll) (why string, missing int) {
	// Where few clients say anything, more cannot be asked for.
	need := max(1, min(o.RollbackClients, toll.Talkers))
	before := failures(base)
	for i, now := range failures(toll) {
		if was := before[i]; now.n >= trialErrors && now.rate() > was.rate()+o.RollbackErrors {
			why = fmt.Sprintf("%d failures on %d %s; the generation before had %d on %d (--rollback-errors %g%%)",
				now.n, now.of, now.what, was.n, was.of, 100*o.RollbackErrors)
			missing = need - toll.Failing.Len()
			if missing <= 0 || now.what == ticks {
				return why, 0
			}
		}
	}
	least, _ := toll.P99()
	if was, below := base.P99(); toll.Messages >= trialMessages && least > o.heavy() && least > 2*was {
		why = fmt.Sprintf("1 message in 100 takes %d Lua instructions or more of a budget of %d; before, they stayed below %d (--rollback-instructions %g%%)",
			least, o.Budget, below, 100*o.RollbackInstructions)
		missing = max(0, need-toll.Heavy.Len())
	}
	return why, missing
}

// failing is how many of something have failed.
type failing struct {
	n, of uint64
	what  string
}

func (f failing) rate() float64 { return float64(f.n) / float64(max(1, f.of)) }

const ticks = "calls of on_tick"

// failures are what can fail. Of clients that come and say little it is on_connect,
// or another hook.
func failures(t *core.Toll) [4]failing {
	return [...]failing{
		{t.Failed, t.Messages, "messages"}, {t.Unmet, t.Connects, "connects"}, {t.Errors, t.Calls, "calls of Lua functions"}, {t.Missed, t.Ticks, ticks},
	}
}

// onTrial reports whether t has not ended. The caller holds sc.mu.
func (sc *scripts) onTrial(t *trial) bool {
	return !sc.closed && (sc.trial == t || sc.candidate == t)
}

// endTrial ends a trial that nothing speaks against. A canary goes live for all,
// and is on trial again: the share may have been of clients that said nothing.
func (g *Gateway) endTrial(t *trial) {
	sc := &g.scripts
	sc.mu.Lock()
	defer sc.mu.Unlock()
	switch {
	case !sc.onTrial(t):
	case t.canary:
		g.promote(t)
	default:
		sc.trial = nil
		text, toll := "the scripts have proved themselves", g.shards.Toll(t.generation.Number)
		if toll.Messages == 0 {
			text = "the trial of the scripts is over, and proves nothing: no message came"
		}
		g.log.Info(text, "generation", t.generation.Number, "window", t.window.String(), "messages", toll.Messages)
	}
}

// promote makes a canary live for all. The caller holds sc.mu.
func (g *Gateway) promote(t *trial) {
	sc := &g.scripts
	began := time.Now()
	p := &passage{Attempt: Attempt{Trigger: t.passage.Trigger, Warnings: t.passage.Warnings}}
	old, next := sc.live, g.newTrial(t.generation, t.snapshot)
	gone := sc.expect(old.Number, g.opt().Shards)
	p.step("swap")
	g.shards.Swap(t.generation)
	p.end("ok", "")
	if err := govern(t.generation); err != nil {
		g.log.Error("settings of the canary do not hold for all, though it is live", "generation", t.generation.Number, "error", err)
	}
	sc.candidate = nil
	sc.record.Lock()
	sc.canary = nil
	sc.record.Unlock()
	g.wentLive(t.generation, t.snapshot, p, began)
	g.beginTrial(next)
	g.letGo(old, gone)
}

// beginCanary gives a generation to the share of the clients that o says, for as long
// as it says. The caller holds sc.mu.
func (g *Gateway) beginCanary(o *Options, gen *core.Generation, snap reload.Snapshot, p *passage, began time.Time) {
	sc := &g.scripts
	g.endCanary()
	t := g.newTrial(gen, snap)
	t.canary, t.share, t.window, t.passage = true, o.Canary, o.RollbackWindow, p
	t.gone = sc.expect(gen.Number, g.opt().Shards)
	p.step("canary")
	g.shards.Canary(gen, o.Canary)
	p.end("ok", fmt.Sprintf("%g%% of the clients", 100*o.Canary))
	now := time.Now()
	c := &Canary{
		Generation: gen.Number, Hash: fmt.Sprintf("%x", snap.Hash[:6]), Share: o.Canary,
		Since: now.UTC(), Until: now.Add(t.window).UTC(),
	}
	sc.record.Lock()
	sc.canary = c
	sc.record.Unlock()
	p.Result = resultCanary
	took := g.note(&p.Attempt, began)
	g.log.Info("scripts are on trial: a share of the clients has them", "generation", gen.Number, "share", o.Canary,
		"window", t.window.String(), "trigger", p.Trigger, "took", took.String(), "hash", c.Hash, "gate", p.summary())
	g.tellOddities(p)
	g.beginTrial(t)
}

// endCanary takes the canary back, if there is one. The caller holds sc.mu.
func (g *Gateway) endCanary() {
	sc := &g.scripts
	t := sc.candidate
	if t == nil {
		return
	}
	t.stop()
	sc.candidate = nil
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
	switch {
	case !sc.onTrial(t):
		return
	case t.canary:
		g.log.Error("THE SCRIPTS ARE TAKEN BACK: their canary fails, and all clients have the generation before; mend them and save",
			"generation", t.generation.Number, "live", sc.live.Number, "reason", why)
		g.dropCanary(why)
		return
	}
	to := sc.former()
	sc.trial = nil
	if err := g.rollBack(to, why); err != nil {
		g.log.Error("the scripts fail, and stay live: what was live before cannot be served", "generation", t.generation.Number, "reason", why, "error", err)
	}
}
