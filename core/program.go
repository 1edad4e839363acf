package core

import "math/bits"

// Program is one shard's share of a generation.
type Program struct {
	Generation uint32
	Pipeline   *Pipeline
	Hooks      Hooks
	// HasPolicy reports whether the hooks decide on sends and joins; without it
	// everything is allowed and the shard does not ask.
	HasPolicy bool
	// Script counts what the shard's scripts did; nil when there are none. It is
	// written by the shard's goroutine only, and so is Toll.
	Script *ScriptTally
	Toll   Toll
	// Sample makes the shard's scripts note in to where their instructions go,
	// from the next call on; nil ends that. It is called by the shard's goroutine,
	// and nil where there are no scripts.
	Sample func(to *Samples)
	// SetBudget bounds the Lua instructions of the calls from the next one on. It is
	// called by the shard's goroutine, and nil where there are no scripts.
	SetBudget func(instructions int)
	// Upstreams are what messages can be posted to: few. It does not change.
	Upstreams []Upstream
}

// Upstream finds an upstream by its name; nil for none.
func (p *Program) Upstream(name string) *Upstream {
	for i := range p.Upstreams {
		if p.Upstreams[i].Name == name {
			return &p.Upstreams[i]
		}
	}
	return nil
}

// Toll is what the messages of one shard and generation cost it.
type Toll struct {
	Messages uint64 // that it has decided on
	Failed   uint64 // of these: a stage failed
	Errors   uint64 // calls of Lua functions that failed, hooks included ...
	Calls    uint64 // ... and how many there were
	Connects uint64 // of on_connect
	Unmet    uint64 // of these: it failed
	// Weights counts the messages by their Lua instructions: Weights[i] took less
	// than 2^i, and at least half of that.
	Weights [weights]uint64
}

const weights = 28

// Count counts a message that was decided on.
func (t *Toll) Count(instructions int, failed bool) {
	t.Messages++
	if failed {
		t.Failed++
	}
	t.Weights[min(bits.Len32(uint32(instructions)), weights-1)]++
}

// Add adds the toll of another shard.
func (t *Toll) Add(o *Toll) {
	t.Messages += o.Messages
	t.Failed += o.Failed
	t.Errors += o.Errors
	t.Calls += o.Calls
	t.Connects += o.Connects
	t.Unmet += o.Unmet
	for i, n := range o.Weights {
		t.Weights[i] += n
	}
}

// P99 is about how many instructions all but one in a hundred stay below: a power
// of two, or 0 for no message.
func (t *Toll) P99() int {
	above := uint64(0)
	for i := weights - 1; i >= 0; i-- {
		if above += t.Weights[i]; above*100 > t.Messages {
			return 1 << i
		}
	}
	return 0
}

// ScriptTally counts the calls of Lua functions of one shard and generation.
type ScriptTally struct {
	Calls        uint64 // stages and hooks
	Instructions uint64 // that the calls took
	Errors       uint64 // calls that failed, the following included
	Overruns     uint64 // calls that exceeded their budget
	Panics       uint64 // calls that broke the VM, which was made anew
}

// Generation is one loaded state of the scripts folder, ready to go live.
type Generation struct {
	Number   uint32
	Programs []*Program // one for each shard
	// Stages are the opened stages in pipeline order, for Start and Stop; the
	// Lua functions among them are not listed. Behind them may stand what else
	// lives as long as the generation.
	Stages []OpenStage
	// Warnings are what is probably not meant in the scripts, one line each with
	// its place: "main.lua:12: ...". They keep nothing from going live.
	Warnings []string
}

// OpenStage is a stage with what it was opened from. A later generation takes
// it over where it would be opened from the same: Key is equal then.
type OpenStage struct {
	Name, Pos, Key string
	Stage          Stage
	// Life is shared by all copies of one stage.
	Life *Life
}

// Life counts the generations that use a stage: the gateway starts the stage
// with the first and stops it when the last one is gone.
type Life struct{ Generations int }
