package core

import (
	"bytes"
	"time"
)

// Trace is the way of one message through its pipeline: what each stage said,
// took and left behind. A message that has one takes a loop of its own, which
// looks at the clock and at the message around each stage. It belongs to whom
// the message belongs to; its byte slices live as long as the message's.
type Trace struct {
	// Number names the trace where it is kept; 0 until it is.
	Number uint64
	// First is the message as it came to the first stage.
	First Look
	// Steps are the stages that it came to, in order.
	Steps []Step

	held time.Time // when the last step said Hold
}

// Step is what one stage did with a traced message.
type Step struct {
	Stage        string // metric label
	Verdict      Verdict
	Failed       bool          // Handle returned an error or panicked
	Spent        time.Duration // in Handle
	Held         time.Duration // from Hold to its going on
	Instructions int           // of Lua
	After        Look          // the message as the stage left it
}

// Look is what a stage can change of a message. Data and Headers are never
// written into, only replaced.
type Look struct {
	Data, Headers                   []byte
	Targets, Replies, Joins, Leaves int // how many
	TTL                             uint32
	Priority                        uint8
	Storage                         Storage
}

// look is m as it is now.
func (m *Message) look() Look {
	e := &m.Effects
	return Look{
		Data: m.Data, Headers: m.Headers,
		Targets: len(e.Targets), Replies: len(e.Replies), Joins: len(e.Joins), Leaves: len(e.Leaves),
		TTL: m.TTL, Priority: m.Priority, Storage: m.Storage,
	}
}

// Reset makes t an empty trace that keeps its steps' memory.
func (t *Trace) Reset() {
	clear(t.Steps)
	*t = Trace{Steps: t.Steps[:0]}
}

// detached is a copy of t that owns all its bytes.
func (t *Trace) detached() *Trace {
	c := *t
	c.Steps = append(make([]Step, 0, len(t.Steps)+4), t.Steps...)
	c.First.Data, c.First.Headers = cloneBytes(t.First.Data), cloneBytes(t.First.Headers)
	from, to := &t.First, &c.First
	for i := range c.Steps {
		after := &c.Steps[i].After
		after.Data = cloneUnless(after.Data, from.Data, to.Data)
		after.Headers = cloneUnless(after.Headers, from.Headers, to.Headers)
		from, to = &t.Steps[i].After, after
	}
	return &c
}

// cloneUnless is a copy of b, or the copy of what b was cloned from before.
func cloneUnless(b, before, copied []byte) []byte {
	if bytes.Equal(b, before) {
		return copied
	}
	return cloneBytes(b)
}

func cloneBytes(b []byte) []byte { return append([]byte(nil), b...) }

// runTraced is Continue for a message with a Trace. It is a loop of its own, as
// runTimed is: a message without one does not pay for it.
func (p *Pipeline) runTraced(m *Message) (Verdict, error) {
	p.runs++
	timed := p.runs%sampleEvery == 0
	t := m.Trace
	if len(t.Steps) > 0 {
		t.Resumed(m)
	} else {
		t.First = m.look()
	}
	for i := m.at + 1; i < len(p.stages); i++ {
		s := &p.stages[i]
		m.at = i
		// Until the stage has returned it has failed: it may panic.
		t.Steps = append(t.Steps, Step{Stage: s.name, Verdict: Drop, Failed: true, After: t.last()})
		used, began := m.Instructions, time.Now()
		v, err := s.Handle(m)
		now := time.Now()
		t = m.Trace // Detach has made another one
		step := &t.Steps[len(t.Steps)-1]
		step.Spent = now.Sub(began)
		if timed {
			s.Spent += step.Spent
			s.Timed++
		}
		if err == nil && v == Hold {
			// From here on the message is somebody else's.
			step.Verdict, step.Failed = Hold, false
			t.held = now
			s.Verdicts[Hold]++
			return Hold, nil
		}
		step.Instructions = m.Instructions - used
		if err != nil {
			s.Errors++
			return Drop, err
		}
		step.Verdict, step.Failed, step.After = v&3, false, m.look()
		s.Verdicts[v&3]++
		if v != Next {
			return v, nil
		}
	}
	return Done, nil
}

// Resumed notes that m, whose trace t is, is not held any more.
func (t *Trace) Resumed(m *Message) {
	step := &t.Steps[len(t.Steps)-1]
	step.Held, step.After = time.Since(t.held), m.look()
}

// last is the message as the last stage left it.
func (t *Trace) last() Look {
	if n := len(t.Steps); n > 0 {
		return t.Steps[n-1].After
	}
	return t.First
}

// At returns the metric label of the stage that m has come to; "" before the
// first.
func (p *Pipeline) At(m *Message) string {
	if m.at < 0 || m.at >= len(p.stages) {
		return ""
	}
	return p.stages[m.at].name
}
