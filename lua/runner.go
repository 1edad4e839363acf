package lua

import (
	"errors"
	"log/slog"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/wire"
	glua "github.com/yuin/gopher-lua"
)

// codeScriptError is what a sender gets when a script failed on its message.
const codeScriptError = "script_error"

// errNoVM rejects everything after a VM broke and could not be made anew.
var errNoVM = &core.Rejection{Code: codeScriptError, Text: "the route script could not be restarted"}

// runner calls the Lua functions of one shard and generation, and survives
// what they do. It belongs to the shard's goroutine.
type runner struct {
	load  *load
	shard int
	in    *instance // replaced when its VM breaks
	tally *core.ScriptTally
	// client and message are what the running call is about, for the log; they
	// are read during the call only.
	client  string
	message []byte
	// places remembers what failed where; at most maxPlaces.
	places map[fault]*place
	// sampler notes where the instructions of calls go; nil while nobody asks.
	sampler *sampler
	budget  int // of a call; 0 is that of load
}

// fault is a way of failing: which stage or hook, where in which file, why.
type fault struct {
	label, pos string
	budget     bool
}

// place is the memory of one fault.
type place struct {
	text       string // for the sender
	logged     time.Time
	suppressed int // failures since then that were not logged
}

const (
	logEvery  = time.Second // at most one line a fault and shard
	maxPlaces = 1024
)

// call runs fn with a fresh budget and leaves nret results on the VM's stack.
// The error is a *core.Rejection; it is already logged and counted.
func (r *runner) call(label string, fn *glua.LFunction, nret int, args ...glua.LValue) error {
	_, err := r.callAfter(0, label, fn, nret, args...)
	return err
}

// callAfter is call with a budget of which spent instructions are used already.
// It returns how many are used now.
func (r *runner) callAfter(spent int, label string, fn *glua.LFunction, nret int, args ...glua.LValue) (used int, err error) {
	v := r.in.vm
	r.tally.Calls++
	if v.broken {
		r.tally.Errors++
		return spent, errNoVM
	}
	if r.sampler != nil {
		err = r.sampler.call(label, spent, fn, nret, args)
	} else {
		err = v.callAfter(spent, fn, nret, args...)
	}
	used = v.used()
	r.tally.Instructions += uint64(used - spent)
	if err != nil {
		return used, r.failed(label, err)
	}
	return used, nil
}

// failed counts and logs err and makes the VM anew when it broke.
func (r *runner) failed(label string, err error) *core.Rejection {
	var e *ScriptError
	if !errors.As(err, &e) {
		e = &ScriptError{Text: err.Error()}
	}
	r.tally.Errors++
	if e.Budget {
		r.tally.Overruns++
	}
	if e.Panic {
		r.tally.Panics++
	}
	p := r.place(label, e)
	if now := time.Now(); now.Sub(p.logged) >= logEvery {
		attrs := []any{"stage", label, "script", e.Pos, "error", e.Text}
		if r.client != "" {
			attrs = append(attrs, "client", r.client)
		}
		if r.message != nil {
			attrs = append(attrs, "message", string(wire.Unquote(nil, r.message)))
		}
		r.load.log.Error("script failed", append(attrs,
			"suppressed", p.suppressed, "generation", r.load.number, "shard", r.shard)...)
		p.logged, p.suppressed = now, 0
	} else {
		p.suppressed++
	}
	if r.load.onError != nil {
		r.load.onError(label, e)
	}
	if r.in.vm.broken {
		r.restart()
	}
	return &core.Rejection{Code: codeScriptError, Text: p.text, Cause: e}
}

func (r *runner) place(label string, e *ScriptError) *place {
	f := fault{label, e.Pos, e.Budget}
	p := r.places[f]
	if p == nil {
		if len(r.places) == maxPlaces {
			clear(r.places)
		}
		text := "the route script failed"
		if e.Budget {
			text = "the route script exceeded its instruction budget"
		}
		if e.Pos != "" {
			text += " at " + e.Pos
		}
		p = &place{text: text}
		r.places[f] = p
	}
	return p
}

// restart replaces the broken VM. Where that fails the broken one stays, and
// all calls are refused until the next generation.
func (r *runner) restart() {
	in, err := r.load.instance(r.shard, true)
	if err == nil {
		err = sameShape(r.in.pipeline, in.pipeline)
	}
	if err != nil {
		r.load.log.Error("script VM not restarted", slog.Any("error", err), slog.Int("shard", r.shard))
		return
	}
	r.in = in
	if r.budget > 0 {
		r.setBudget(r.budget)
	}
	if r.sampler != nil {
		r.sample(r.sampler.to)
	}
}

// setBudget is core.Program.SetBudget.
func (r *runner) setBudget(n int) { r.budget, r.in.vm.calls = n, n }

// sample is core.Program.Sample.
func (r *runner) sample(to *core.Samples) {
	r.sampler = nil
	if to != nil {
		r.sampler = newSampler(r.in, to)
	}
}
