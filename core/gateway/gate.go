package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/kv"
	"github.com/stratix-gateway/stratix/core/rehearse"
	"github.com/stratix-gateway/stratix/core/reload"
	"github.com/stratix-gateway/stratix/core/shadow"
)

// Gate says how far a snapshot of the scripts has to come before it goes live.
type Gate uint8

// The gates, each with the steps of the one before.
const (
	GateLoad   Gate = iota // it compiles, and main.lua runs
	GateTest               // its tests pass
	GateShadow             // it does not fail on what clients have sent of late
)

// Gates are the words for them, in this order.
var Gates = []string{"load", "test", "shadow"}

// ParseGate reads such a word; false if it is none.
func ParseGate(word string) (Gate, bool) {
	for i, w := range Gates {
		if w == word {
			return Gate(i), true
		}
	}
	return 0, false
}

// LoadOptions are what a snapshot is loaded with.
type LoadOptions struct {
	Number uint32
	Env    *core.Env
	// Previous is the generation whose stages are taken over where they are
	// unchanged; nil for none.
	Previous *core.Generation
	// Log takes what the scripts log.
	Log *slog.Logger
	// Now is the clock of the scripts, nil for the system's. Seed makes their random
	// numbers the same each time; 0 makes others.
	Now  func() time.Time
	Seed uint64
	// Step is called with the name of each part of the loading before it begins;
	// nil is allowed.
	Step func(name string)
}

// Loader builds a generation from a snapshot of the scripts folder.
type Loader func(snap reload.Snapshot, opt LoadOptions) (*core.Generation, error)

// Tester runs the tests in a snapshot. It says how many passed; the error is one
// line for each that failed.
type Tester func(ctx context.Context, snap reload.Snapshot) (passed int, err error)

// Step is one part of the way through the gate.
type Step struct {
	Name   string  `json:"name"`
	Result string  `json:"result"` // ok, failed
	Millis float64 `json:"millis"`
	Detail string  `json:"detail,omitempty"`
}

// String is the Step as the log says it.
func (s Step) String() string {
	text := fmt.Sprintf("%s %.0f ms", s.Name, s.Millis)
	if s.Result != "ok" {
		text = fmt.Sprintf("%s %s after %.0f ms", s.Name, strings.ToUpper(s.Result), s.Millis)
	}
	if s.Detail != "" {
		text += " (" + s.Detail + ")"
	}
	return text
}

// passage is the way of one snapshot through the gate.
type passage struct {
	Attempt
	began time.Time // of the step at hand
	name  string    // of that; "" before the first
}

// step ends the step at hand and begins another.
func (p *passage) step(name string) {
	p.end("ok", "")
	p.name, p.began = name, time.Now()
}

// end ends the step at hand.
func (p *passage) end(result, detail string) {
	if p.name == "" {
		return
	}
	millis := float64(time.Since(p.began).Microseconds()) / 1000
	p.Steps = append(p.Steps, Step{p.name, result, millis, detail})
	p.name = ""
}

// summary is all steps in one line.
func (p *passage) summary() string {
	texts := make([]string, len(p.Steps))
	for i, s := range p.Steps {
		texts[i] = s.String()
	}
	return strings.Join(texts, ", ")
}

const (
	stepShadow = "shadow"

	// testTime bounds all tests of a snapshot.
	testTime = 30 * time.Second
	// shadowTime bounds a shadow run: what it has come to then is what counts.
	shadowTime = time.Second
	// shadowLeast is how many messages a snapshot must newly fail on to be refused.
	shadowLeast = 2
)

// examine takes a snapshot through the gate, as far as given. Live and shown are
// the live generation and its snapshot, as the caller has found them; nothing is
// locked that a rollback or a shutdown needs.
func (g *Gateway) examine(p *passage, snap reload.Snapshot, gate Gate, live *core.Generation, shown reload.Snapshot) (*core.Generation, error) {
	p.Generation = g.scripts.number.Add(1)
	gen, err := g.load(p, snap, live)
	if err == nil && gate >= GateTest && g.opt().Test != nil {
		p.step("test")
		err = g.test(p, snap)
	}
	if err == nil && gate >= GateShadow && live != nil {
		p.step(stepShadow)
		err = g.shadow(p, snap, shown)
	}
	if err != nil {
		p.end("failed", "")
		return nil, err
	}
	p.end("ok", "")
	return gen, nil
}

// load loads a snapshot, whose stages may be those of previous.
func (g *Gateway) load(p *passage, snap reload.Snapshot, previous *core.Generation) (*core.Generation, error) {
	gen, err := g.opt().Load(snap, LoadOptions{Number: p.Generation, Env: g.env, Previous: previous, Log: g.log, Step: p.step})
	if err != nil {
		return nil, err
	}
	p.Warnings = gen.Warnings
	p.end("ok", plainCount(len(gen.Warnings), "warning"))
	return gen, nil
}

// startStep starts the stages of what has come through the gate; ctx is for the
// stages. The caller holds sc.mu or is alone.
func (g *Gateway) startStep(ctx context.Context, p *passage, gen *core.Generation) error {
	p.step("start")
	if err := startStages(ctx, gen); err != nil {
		p.end("failed", "")
		return err
	}
	p.end("ok", "")
	return nil
}

// plainCount is "2 warnings", and "" for none.
func plainCount(n int, word string) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func (g *Gateway) test(p *passage, snap reload.Snapshot) error {
	ctx, cancel := context.WithTimeout(g.ending, testTime)
	defer cancel()
	passed, err := g.opt().Test(ctx, snap)
	switch {
	case g.ending.Err() != nil:
		return errClosed
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the tests take longer than %v: --gate load leaves them out", testTime)
	case err != nil:
		return err
	}
	p.end("ok", fmt.Sprintf("%d passed", passed))
	return nil
}

// shadow runs what clients have sent of late through what is live, which is of
// shown, and through the snapshot.
func (g *Gateway) shadow(p *passage, snap, shown reload.Snapshot) error {
	inputs := g.shards.Recorded(g.opt().ShadowMessages)
	if len(inputs) == 0 {
		p.end("ok", "no messages yet")
		return nil
	}
	before, err := g.side(shown)
	if err != nil {
		return fmt.Errorf("shadow run: what is live does not load again: %w", err)
	}
	after, err := g.side(snap)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(g.ending, shadowTime)
	defer cancel()
	r := shadow.Compare(ctx, inputs, before, after)
	p.Shadow = r
	if r.NewErrors >= shadowLeast && float64(r.NewErrors) > g.opt().ShadowErrors*float64(r.Messages) {
		return fmt.Errorf("the shadow run fails on %d of %d messages that what is live does not fail on (--shadow-errors %g%%):\n%s",
			r.NewErrors, r.Messages, 100*g.opt().ShadowErrors, strings.Join(r.Problems, "\n"))
	}
	p.end("ok", r.Lines()[0])
	return nil
}

// side loads a snapshot for a shadow run. What scripts share is a copy of what they
// share now.
func (g *Gateway) side(snap reload.Snapshot) (*shadow.Side, error) {
	quiet := slog.New(slog.DiscardHandler)
	clock := &shadow.Clock{}
	clock.Set(time.Now().UnixMilli())
	env := rehearse.Env(quiet)
	env.State(kv.State, func() any { return g.kv.Clone() })
	gen, err := g.opt().Load(snap, LoadOptions{Number: 1, Env: env, Log: quiet, Now: clock.Now, Seed: 1})
	if err != nil {
		return nil, err
	}
	return &shadow.Side{Rehearsal: rehearse.New(gen.Programs[0]), Clock: clock}, nil
}
