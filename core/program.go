package core

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
