package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stratix-gateway/stratix/core/reload"
)

// forget notes that a snapshot must not be served at a start.
func (g *Gateway) forget(snap reload.Snapshot, why string) {
	g.scripts.past.takenBack(snap, why)
	g.keepHistory("it was not kept on disk that the scripts were taken back: a restart would serve them")
}

// keepHistory has the disk follow what has gone live or was taken back, and says
// problem where it does not. Nobody waits for it but the first generation, and a
// shutdown: sc.mu, which the caller holds, is what a rollback needs.
func (g *Gateway) keepHistory(problem string) {
	keep := func() {
		if err := g.scripts.past.keep(); err != nil {
			g.log.Error(problem, "error", err)
		}
	}
	if g.shards == nil {
		keep()
		return
	}
	g.scripts.retired.Go(keep)
}

// errNothingBefore is what a rollback to nothing gets.
var errNothingBefore = errors.New("no other generation that was good is kept")

// former is what comes back where the live generation fails: what has proved itself
// before it, else the last good one; nil for none. The caller holds sc.mu.
func (sc *scripts) former() *past {
	if t := sc.trial; t != nil {
		if p := sc.past.find(t.before); p != nil && p.Bad == "" {
			return p
		}
	}
	return sc.past.good(sc.snapshot.Hash)
}

// dropCanary takes the canary back and notes why. The caller holds sc.mu.
func (g *Gateway) dropCanary(why string) {
	sc := &g.scripts
	began, t := time.Now(), sc.candidate
	g.endCanary()
	sc.record.Lock()
	sc.lastGood = true // the folder holds something else
	sc.record.Unlock()
	g.note(&Attempt{Trigger: "rollback", Result: resultTakenBack, Generation: t.generation.Number, TakenBack: t.generation.Number, Problems: []string{why}}, began)
	g.forget(t.snapshot, why)
}

// rollBack makes former content live again. The caller holds sc.mu.
func (g *Gateway) rollBack(to *past, why string) error {
	sc := &g.scripts
	if to == nil {
		return errNothingBefore
	}
	began := time.Now()
	snap := to.snapshot()
	p := &passage{Attempt: Attempt{Trigger: "rollback", Result: resultTakenBack, Problems: []string{why}, TakenBack: sc.live.Number, Restored: to.number}}
	p.Generation = sc.number.Add(1)
	gen, err := g.load(p, snap, sc.live)
	if err == nil {
		err = g.startStep(context.Background(), p, gen)
	}
	if err != nil {
		return err
	}
	g.endCanary()
	old, bad := sc.live, sc.snapshot
	gone := sc.expect(old.Number, g.opt().Shards)
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
	if sc.closed {
		return errClosed
	}
	const why = "taken back by an operator"
	if t := sc.candidate; t != nil && name == "" {
		g.log.Warn("the scripts on trial are taken back: all clients have the generation before", "generation", t.generation.Number, "live", sc.live.Number)
		g.dropCanary(why)
		sc.rollbacks++
		return nil
	}
	to := sc.former()
	if name != "" {
		var err error
		if to, err = sc.past.named(name); err != nil {
			return err
		}
		if to.Hash == sc.snapshot.Hash {
			return fmt.Errorf("generation %q is live already, as %d", name, sc.live.Number)
		}
	}
	if err := g.rollBack(to, why); err != nil {
		return err
	}
	sc.rollbacks++
	return nil
}

// Past is a generation as GET /v1/generations shows it.
type Past struct {
	Number uint32    `json:"number,omitempty"` // in this life of the process
	Former []uint32  `json:"former,omitempty"` // those that it had before
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
		one := Past{Number: p.number, Former: p.former, Hash: fmt.Sprintf("%x", p.Hash[:6]), Since: p.Saved, State: "good", Reason: p.Bad}
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
