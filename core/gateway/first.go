package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/reload"
)

// firstGeneration loads the scripts folder, or else the last good generation.
func (g *Gateway) firstGeneration() (*core.Generation, error) {
	sc := &g.scripts
	sc.result, sc.steps, sc.leaves = map[string]uint64{}, map[string]stepTally{}, map[uint32]*departure{}
	snap, err := reload.Read(g.opt().Scripts)
	if err != nil {
		return nil, err
	}
	sc.first = snap
	var historyErr error
	if sc.past, historyErr = openHistory(g.opt().Data, g.dir); historyErr != nil {
		g.log.Error("what was live before cannot be read back", "error", historyErr)
	}
	began := time.Now()
	p := &passage{Attempt: Attempt{Trigger: "start"}}
	gate := g.opt().Gate
	was := sc.past.find(snap.Hash)
	if was != nil && was.Bad == "" {
		gate = GateLoad // it was live; that its tests are slow today is no reason to serve something older
	}
	what := "IS BROKEN"
	good := sc.past.good(snap.Hash)
	refused := sc.past.whyRefused(snap.Hash)
	switch {
	case was != nil && was.Bad != "":
		what = "HOLDS WHAT WAS TAKEN BACK"
		err = fmt.Errorf("the folder holds what was taken back (%s): mend it", was.Bad)
	case refused != "" && good != nil && g.opt().Gate >= GateShadow:
		what = "HOLDS WHAT THE SHADOW RUN HAS REFUSED"
		err = fmt.Errorf("the folder holds what was refused (%s): mend it, or serve it all the same with stratix reload --gate test", refused)
	default:
		var gen *core.Generation
		if gen, err = g.firstOf(p, snap, gate); err == nil {
			g.wentLive(gen, snap, p, began)
			return gen, nil
		}
	}
	if good == nil {
		if sc.past.foreign != "" {
			err = errors.Join(err, fmt.Errorf("the last good generation in %s is of another folder (%s) and is not served", g.opt().Data, sc.past.foreign))
		}
		return nil, err
	}
	again := &passage{Attempt: Attempt{Trigger: "start"}}
	gen, goodErr := g.firstOf(again, good.snapshot(), GateLoad)
	if goodErr != nil {
		return nil, errors.Join(err, fmt.Errorf("the last good generation fails too: %w", goodErr))
	}
	g.log.Error("THE SCRIPTS FOLDER "+what+": serving the last good generation instead; mend the folder and save",
		"scripts", g.dir, "saved", good.Saved)
	g.wentLive(gen, good.snapshot(), again, time.Now())
	g.rejected(p, began, err)
	sc.lastGood = true
	return gen, nil
}

// firstOf is a snapshot as the first generation, with its stages started.
func (g *Gateway) firstOf(p *passage, snap reload.Snapshot, gate Gate) (*core.Generation, error) {
	gen, err := g.examine(p, snap, gate, nil, reload.Snapshot{})
	if err == nil {
		err = g.startStep(core.ForFirst(context.Background()), p, gen)
	}
	return gen, err
}
