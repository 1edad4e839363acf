package shard

import (
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/trace"
)

// pulse is what a shard notes of sampled messages while somebody watches. It lives
// on what leaves a trace anyway: other messages pay nothing for it.
type pulse struct {
	began     time.Duration // of the turn, in the shard's life
	latencies Latencies
	begun     [pulseTraces]begun
	busy      busy
	program   *core.Program // the live one
	before    []core.Tally  // its stages' when it came to be that, or the watching began
	stages    []stageSamples
}

// pulseTraces bounds the sampled messages whose answer is waited for; of more the
// time is not known.
const pulseTraces = 1 << 10

// begun is when a message with a trace was read.
type begun struct {
	trace uint64 // number; 0 for none
	at    time.Duration
}

type stageSamples struct {
	samples, instructions uint64
	spent                 time.Duration
}

// StagePulse is what a stage of the live generation did since somebody watches, or
// since it is live.
type StagePulse struct {
	Name string // metric label
	core.Tally
	// Of the sampled messages:
	Samples, Instructions uint64
	Taken                 time.Duration
}

// Pulse is what all shards tell those who watch: Stats, and counts that began when
// somebody came to watch.
type Pulse struct {
	Stats
	Reliable  int       // connections
	Latencies Latencies // of sampled messages: from the turn they were read in to their answer
	Stages    []StagePulse
	Busy      []BusySender // the most active first
}

// Watch makes the shards note what a Pulse tells, until Unwatch. The calls of the
// two take turns.
func (set *Set) Watch() { set.each((*Shard).beginPulse) }

// Unwatch ends Watch.
func (set *Set) Unwatch() { set.each(func(s *Shard) { s.pulse = nil }) }

func (s *Shard) beginPulse() {
	s.pulse = &pulse{began: time.Since(s.began), busy: busy{at: map[string]int{}, last: s.elapsed}}
	s.pulse.goesLive(s.program)
	t := &s.tracer // what was passed by now is not what the next sample stands for
	if t.passing = s.untraced; t.open > 0 {
		t.passing = t.until
	}
}

// Pulse returns what the shards tell, with at most n busy senders; false after
// Stop.
func (set *Set) Pulse(n int) (sum Pulse, ok bool) {
	told := make(chan Pulse, len(set.all))
	set.each(func(s *Shard) { told <- s.tellPulse(n) })
	if len(told) < len(set.all) {
		return Pulse{}, false
	}
	sum.Stats.Stages = map[string]core.Tally{}
	for len(told) > 0 {
		p := <-told
		sum.add(&p)
	}
	sum.Busy = mostActive(sum.Busy, n)
	return sum, true
}

func (p *Pulse) add(o *Pulse) {
	switch { // a shard may be a generation ahead
	case o.Generation > p.Generation || p.Stages == nil:
		p.Stages = o.Stages
	case o.Generation == p.Generation:
		for i := range p.Stages {
			a, b := &p.Stages[i], &o.Stages[i]
			addTally(&a.Tally, &b.Tally)
			a.Samples += b.Samples
			a.Instructions += b.Instructions
			a.Taken += b.Taken
		}
	}
	p.Stats.Add(&o.Stats)
	p.Reliable += o.Reliable
	p.Latencies.Add(&o.Latencies)
	p.Busy = append(p.Busy, o.Busy...)
}

func (s *Shard) tellPulse(n int) Pulse {
	told := Pulse{Stats: s.counted(), Reliable: s.dir.reliable}
	p := s.pulse
	if p == nil {
		return told
	}
	told.Latencies = p.latencies
	p.busy.fade(s.elapsed)
	told.Busy = p.busy.most(n)
	told.Stages = make([]StagePulse, len(p.stages))
	for i := range told.Stages {
		st := &told.Stages[i]
		name, t := p.program.Pipeline.Stage(i)
		st.Name, st.Tally = name, *t
		subTally(&st.Tally, &p.before[i])
		st.Samples, st.Instructions, st.Taken = p.stages[i].samples, p.stages[i].instructions, p.stages[i].spent
	}
	return told
}

// goesLive begins the counts of the stages anew.
func (p *pulse) goesLive(program *core.Program) {
	n := program.Pipeline.Len()
	p.program, p.before, p.stages = program, make([]core.Tally, n), make([]stageSamples, n)
	for i := range p.before {
		_, t := program.Pipeline.Stage(i)
		p.before[i] = *t
	}
}

// sampled notes that m, which has a trace, was read and stands for so many.
func (p *pulse) sampled(m *core.Message, number uint64, messages int) {
	p.begun[slotOf(number)] = begun{number, p.began}
	p.busy.note(m.From.ID, messages, m.Size)
}

// slotOf is where the beginning of a trace is noted.
func slotOf(number uint64) uint64 { return number >> countAt % pulseTraces }

// decided notes what the pipeline and the routing did with a message; now is in
// the shard's life.
func (p *pulse) decided(m *core.Message, d *trace.Decision, now time.Duration) {
	if d.Outcome != trace.Accepted {
		p.busy.failed(m.From.ID)
	}
	t := m.Trace
	if t == nil || t.Number&placeMask != inSampled {
		return
	}
	held := false
	for i := range t.Steps {
		step := &t.Steps[i]
		held = held || step.Verdict == core.Hold || step.Held > 0
		if m.Held().Program == p.program && i < len(p.stages) {
			st := &p.stages[i]
			st.samples++
			st.instructions += uint64(step.Instructions)
			st.spent += step.Spent
		}
	}
	for i := range d.Targets {
		held = held || d.Targets[i].Kind == core.ToUpstream
	}
	switch {
	case held: // the time would be somebody else's
		p.begun[slotOf(t.Number)].trace = 0
	case d.Outcome != trace.Accepted:
		p.answered(t.Number, now)
	}
}

// answered notes that all is known of the message with this trace.
func (p *pulse) answered(number uint64, now time.Duration) {
	if b := &p.begun[slotOf(number)]; b.trace == number && number != 0 {
		p.latencies.note(now - b.at)
		b.trace = 0
	}
}
