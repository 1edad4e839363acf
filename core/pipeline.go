package core

import "time"

// sampleEvery is how many messages pass between two whose stages are timed.
const sampleEvery = 64

// Pipeline is the sequence of stages of one generation on one shard. It
// belongs to that shard's goroutine, except for Tally, which others may read
// after the shard published it.
type Pipeline struct {
	Generation uint32
	stages     []step
	runs       uint32
	// Pending counts the messages that a stage of this pipeline holds.
	Pending int
}

type step struct {
	Stage
	Tally
	name string
}

// Tally counts what one stage of one shard's pipeline did.
type Tally struct {
	Verdicts [4]uint64     // by Verdict
	Errors   uint64        // Handle returned an error or panicked
	Timed    uint64        // messages that were timed (one in 64)
	Spent    time.Duration // the time they took in Handle
}

// NewPipeline makes the pipeline of one shard; names[i] is the metric label of
// stages[i].
func NewPipeline(generation uint32, names []string, stages []Stage) *Pipeline {
	p := &Pipeline{Generation: generation, stages: make([]step, len(stages))}
	for i, s := range stages {
		p.stages[i] = step{Stage: s, name: names[i]}
	}
	return p
}

// Run passes m through all stages. It returns Done when the pipeline accepted
// the message, Drop when a stage ended it (m.Effects says why), Hold when a
// stage keeps it, or the error of the stage that failed. A panic in a stage is
// the caller's to recover.
func (p *Pipeline) Run(m *Message) (Verdict, error) {
	m.Generation = p.Generation
	m.at = -1
	return p.Continue(m)
}

// Continue goes on after the stage that m was held by.
func (p *Pipeline) Continue(m *Message) (Verdict, error) {
	if m.Trace != nil {
		return p.runTraced(m)
	}
	p.runs++
	if p.runs%sampleEvery == 0 {
		return p.runTimed(m)
	}
	for i := m.at + 1; i < len(p.stages); i++ {
		s := &p.stages[i]
		m.at = i
		v, err := s.Handle(m)
		if err != nil {
			s.Errors++
			return Drop, err
		}
		s.Verdicts[v&3]++
		if v != Next {
			return v, nil
		}
	}
	return Done, nil
}

// runTimed is Continue with a look at the clock after each stage. It is a loop of
// its own: asking in the common one whether to look costs 4 ns of the 25 that
// eight stages take (BenchmarkPipelineOfEightStages).
func (p *Pipeline) runTimed(m *Message) (Verdict, error) {
	began := time.Now()
	for i := m.at + 1; i < len(p.stages); i++ {
		s := &p.stages[i]
		m.at = i
		v, err := s.Handle(m)
		now := time.Now()
		s.Spent += now.Sub(began)
		s.Timed++
		began = now
		if err != nil {
			s.Errors++
			return Drop, err
		}
		s.Verdicts[v&3]++
		if v != Next {
			return v, nil
		}
	}
	return Done, nil
}

// Len is the number of stages.
func (p *Pipeline) Len() int { return len(p.stages) }

// Stage returns the metric label and the tally of stage i.
func (p *Pipeline) Stage(i int) (name string, t *Tally) { return p.stages[i].name, &p.stages[i].Tally }

// Where returns the index of the stage that m ended in, or is held by; -1 where
// there is none.
func (p *Pipeline) Where(m *Message) int {
	if m.at >= len(p.stages) {
		return -1
	}
	return m.at
}

// Failed counts a panic against the stage that m was in and returns its name.
func (p *Pipeline) Failed(m *Message) string {
	name := p.At(m)
	if name != "" {
		p.stages[m.at].Errors++
	}
	return name
}
