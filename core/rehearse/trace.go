package rehearse

import "github.com/stratix-gateway/stratix/core"

// Step is what one stage said to a message.
type Step struct{ Stage, Verdict string }

// Trace has Steps note what each stage says to a message.
func (r *Rehearsal) Trace() { r.trace = true }

// Steps are the stages that the last message went through, or went on through
// when it was given back. They are valid until the next message.
func (r *Rehearsal) Steps() []Step { return r.steps }

// The steps are read off the tallies that the pipeline keeps anyway: nobody else
// runs it.

func (r *Rehearsal) beginTrace() {
	if !r.trace {
		return
	}
	r.steps = r.steps[:0]
	p := r.program.Pipeline
	r.before = r.before[:0]
	for i := range p.Len() {
		_, t := p.Stage(i)
		r.before = append(r.before, *t)
	}
}

func (r *Rehearsal) endTrace() {
	if !r.trace {
		return
	}
	p := r.program.Pipeline
	for i := range r.before {
		name, t := p.Stage(i)
		if t.Errors != r.before[i].Errors {
			r.steps = append(r.steps, Step{name, "error"})
			continue
		}
		for v := core.Next; v <= core.Hold; v++ {
			if t.Verdicts[v] != r.before[i].Verdicts[v] {
				r.steps = append(r.steps, Step{name, v.String()})
			}
		}
	}
}
