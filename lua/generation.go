// Package lua runs the operators' scripts: it compiles a folder of Lua files
// into a core.Generation whose Lua functions are stages and hooks. Each shard
// gets a VM of its own; only compiled code is shared.
package lua

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"reflect"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/wire"
)

// Options are what a scripts folder is loaded with.
type Options struct {
	// Number is the generation's.
	Number uint32
	// Shards is how many programs to build.
	Shards int
	// Budget is how many instructions a message may take; 0 means 100,000.
	Budget int
	// Env is lent to the stages, except for ReadFile: that reads the scripts
	// folder as this generation has it; what a stage reads while it opens is
	// part of what it was opened from. nil lends the log and the number of
	// shards only. stratix.kv and the metrics of scripts are its State of these
	// names; without it the generation has its own.
	Env *core.Env
	// ScriptEnv names the environment variables that scripts may read.
	ScriptEnv []string
	// Previous is the live generation or nil. A stage that was opened from the
	// same settings and files is taken over from it.
	Previous *core.Generation
	// Log takes what scripts log and how they fail; nil discards it.
	Log *slog.Logger
	// OnScriptError is called for every failed call, on the shard's goroutine,
	// with the stage or hook that failed; nil is allowed.
	OnScriptError func(stage string, e *ScriptError)
	// Now is the clock that scripts read, and its zone is theirs; nil is the
	// system's. Budgets of time go by the system's.
	Now func() time.Time
	// Seed makes math.random draw the same numbers each time; 0 draws others.
	Seed uint64
	// Step is called before each part of the loading with its name: compile, which
	// finds what cannot work, load, which runs main.lua and opens the stages, and
	// lint, which finds what is odd. nil is allowed.
	Step func(name string)
}

// load is what the VMs of one generation have in common. It does not change, but
// for what shared guards.
type load struct {
	number  uint32
	budget  int
	src     Sources
	main    *Chunk
	modules *modules
	shared  *shared
	log     *slog.Logger
	onError func(stage string, e *ScriptError)
	now     func() time.Time
	seed    uint64
}

// Load builds a generation from the files of a scripts folder: it compiles all
// of them but the tests, runs main.lua once for each shard, and opens the
// stages of its pipeline. It starts nothing. An error is Problems wherever the
// place is known.
func Load(src Sources, opt Options) (*core.Generation, error) {
	step := opt.Step
	if step == nil {
		step = func(string) {}
	}
	l := &load{src: src}
	step("compile")
	if err := l.compile(); err != nil {
		return nil, err
	}
	step("load")
	gen, in, err := l.assemble(opt)
	if err != nil {
		return nil, err
	}
	step("lint")
	for _, p := range l.warnings(in) {
		gen.Warnings = append(gen.Warnings, p.Pos+": "+p.Text)
	}
	return gen, nil
}

// assemble makes the generation of a folder that is compiled; first is the
// instance of its first shard.
func (l *load) assemble(opt Options) (gen *core.Generation, first *instance, err error) {
	l.set(opt)
	if first, err = l.instance(0, false); err != nil {
		return nil, nil, err
	}
	ups, err := l.openUpstreams(first)
	if err != nil {
		return nil, nil, err
	}
	gen = &core.Generation{Number: l.number}
	if gen.Stages, err = l.openAll(first.pipeline, opt); err != nil {
		return nil, nil, err
	}
	labels := labelsOf(first.pipeline)
	for shard := range opt.Shards {
		in := first
		if shard > 0 {
			if in, err = l.instance(shard, true); err != nil {
				return nil, nil, err
			}
			if err = sameShape(first.pipeline, in.pipeline); err != nil {
				return nil, nil, err
			}
			if err = sameUpstreams(first.upstreams, in.upstreams); err != nil {
				return nil, nil, err
			}
		}
		p := l.program(in, labels, gen.Stages)
		p.Upstreams = ups.Upstreams()
		gen.Programs = append(gen.Programs, p)
	}
	gen.Stages = l.withMetrics(gen.Stages)
	gen.Stages = withUpstreams(gen.Stages, ups, first.upstreams)
	return gen, first, nil
}

// set takes over what is not about the sources.
func (l *load) set(opt Options) {
	l.number, l.budget, l.log, l.onError = opt.Number, opt.Budget, opt.Log, opt.OnScriptError
	l.now, l.seed, l.shared = opt.Now, opt.Seed, newShared(opt)
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if l.now == nil {
		l.now = time.Now
	}
}

// compile compiles every file but the tests, also those that nothing requires.
func (l *load) compile() error {
	text, ok := l.src[mainFile]
	if !ok {
		return Problems{{mainFile, "the scripts folder has no " + mainFile}}
	}
	known := baseGlobals()
	maps.Copy(known, ownGlobals)
	main, problems := compile(mainFile, text, known)
	modules, more := compileModules(l.src, known)
	if problems = append(problems, more...); len(problems) > 0 {
		return Problems(problems)
	}
	l.main, l.modules = main, modules
	return nil
}

// instance makes a VM and runs main.lua in it. A muted one logs nothing until
// main.lua has run.
func (l *load) instance(shard int, muted bool) (*instance, error) {
	in := &instance{
		load: l, shard: shard, muted: muted, loading: true,
		boxes: newBoxes(), parser: wire.NewParser(),
		paths: map[string]*path{}, headers: map[string]*path{}, claims: map[string]*path{}, ttls: map[string]int64{},
	}
	in.encoder.in = in
	v := newVM(vmOptions{
		Budget: l.budget, Require: l.modules.find, Log: in.write, Open: in.install,
		Now: l.now, Random: l.random(shard),
	})
	if err := v.run(l.main); err != nil {
		return nil, asProblems(err)
	}
	v.freeze()
	in.loading, in.muted = false, false
	if in.defined == "" {
		return nil, Problems{{mainFile, "pipeline{...} is never called: a message would have nowhere to go"}}
	}
	if problems := in.findHooks(l.main); problems != nil {
		return nil, problems
	}
	if problems := in.openEnded(); problems != nil {
		return nil, problems
	}
	return in, nil
}

// random is the random source of a shard's VM.
func (l *load) random(shard int) *rand.Rand {
	if l.seed == 0 {
		return rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	return rand.New(rand.NewPCG(l.seed, uint64(shard)))
}

// asProblems makes Problems of a script's error that names its place.
func asProblems(err error) error {
	var e *ScriptError
	if errors.As(err, &e) && e.Pos != "" {
		return Problems{{e.Pos, e.Text}}
	}
	return fmt.Errorf("%s: %w", mainFile, err)
}

// program assembles one shard's share.
func (l *load) program(in *instance, labels []string, opened []core.OpenStage) *core.Program {
	r := &runner{load: l, shard: in.shard, in: in, tally: &core.ScriptTally{}, places: map[fault]*place{}}
	stages := make([]core.Stage, len(in.pipeline))
	for i, e := range in.pipeline {
		if e.fn != nil {
			stages[i] = &luaStage{run: r, at: i, label: labels[i]}
			continue
		}
		stages[i] = opened[0].Stage
		opened = opened[1:]
		if s, ok := stages[i].(core.Sharded); ok {
			stages[i] = s.ForShard(in.shard)
		}
	}
	return &core.Program{
		Generation: l.number,
		Pipeline:   core.NewPipeline(l.number, labels, stages),
		Hooks:      hookCalls{r},
		HasPolicy:  in.hooks.policy != nil,
		Script:     r.tally,
		Sample:     r.sample,
		SetBudget:  r.setBudget,
	}
}

// labelsOf names the entries of a pipeline; a name that is taken gets a number.
func labelsOf(pipeline []entry) []string {
	labels := make([]string, len(pipeline))
	uses := map[string]int{}
	for i, e := range pipeline {
		labels[i] = e.label()
		uses[e.label()]++
		if n := uses[e.label()]; n > 1 {
			labels[i] = fmt.Sprintf("%s#%d", e.label(), n)
		}
	}
	return labels
}

// sameShape checks that main.lua made the same pipeline again.
func sameShape(first, again []entry) error {
	for i, e := range first {
		if i == len(again) {
			return differs(e)
		}
		o := again[i]
		same := (e.fn == nil) == (o.fn == nil) && e.label() == o.label()
		if same && e.fn == nil {
			same = reflect.DeepEqual(e.spec.values, o.spec.values)
		}
		if !same {
			return differs(e)
		}
	}
	if len(again) > len(first) {
		return differs(again[len(first)])
	}
	return nil
}

func differs(e entry) error {
	pos := e.label()
	if e.spec != nil {
		pos = e.spec.pos
	}
	return Problems{{pos, "main.lua builds another pipeline each time it runs; each shard runs it once, and all must agree on this stage"}}
}
