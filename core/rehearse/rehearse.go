// Package rehearse runs messages through a generation with all effects withheld
// and says what was decided: for shadow runs, replays and diffs. A World lets
// them come true among made-up clients: for the tests of scripts. Neither opens
// a socket, a file or a log.
package rehearse

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/ruling"
	"github.com/stratix-gateway/stratix/core/traffic"
)

// Input is one message as a client sent it.
type Input = traffic.Input

// Rehearsal runs messages through one program. The program is its own: no shard
// runs it. One goroutine uses it at a time, but for Resume.
type Rehearsal struct {
	program *core.Program
	reader  ruling.Reader
	msg     *core.Message
	serial  uint32
	inputs  map[uint32]Input // of the messages that are held

	// Of the last message, where Trace is set.
	trace  bool
	before []core.Tally
	steps  []Step

	// waits says that delayed messages wait for Due; else they go on at once.
	waits   bool
	delayed []*core.Message // in the order in which they are due

	mu      sync.Mutex
	resumed []*core.Message // given back by their stages
}

// New makes a Rehearsal.
func New(p *core.Program) *Rehearsal {
	return &Rehearsal{program: p, msg: &core.Message{}, inputs: map[uint32]Input{}}
}

// Run decides on one message. The Decision owns its bytes, except for Data and
// Headers that nothing has edited: they are the input's.
func (r *Rehearsal) Run(in *Input) Decision {
	d, _ := r.run(in)
	return d
}

// run is Run; serial names the message in case it is held.
func (r *Rehearsal) run(in *Input) (d Decision, serial uint32) {
	m := r.msg
	m.Reset()
	m.From = &core.Session{ID: in.From, Remote: in.Remote, Grant: traffic.Grant(in.Claims)}
	m.ID, m.Data, m.Headers, m.To = in.ID, in.Data, in.Headers, in.To
	m.Size = in.Size
	if m.Size == 0 {
		m.Size = frameSize(in)
	}
	m.Time = in.Time
	m.TTL, m.Priority, m.Receipt = in.TTL, in.Priority, in.Receipt
	r.serial++
	m.Own(r, core.Held{Program: r.program, Serial: r.serial})
	return r.decide(m, in, false), r.serial
}

// Resume takes held messages back from a stage. It may be called from any
// goroutine.
func (r *Rehearsal) Resume(batch []*core.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.resumed = append(r.resumed, batch...)
}

// Due is when the first delayed message goes on, in milliseconds since 1970.
func (r *Rehearsal) Due() (millis int64, ok bool) {
	if len(r.delayed) == 0 {
		return 0, false
	}
	return r.delayed[0].Held().Until, true
}

// ResumeDue takes back the delayed messages that are due at a moment.
func (r *Rehearsal) ResumeDue(millis int64) {
	for len(r.delayed) > 0 && r.delayed[0].Held().Until <= millis {
		m := r.delayed[0]
		r.delayed = slices.Delete(r.delayed, 0, 1)
		m.EndDelay()
		r.Resume([]*core.Message{m})
	}
}

// delay keeps a delayed message for ResumeDue.
func (r *Rehearsal) delay(m *core.Message) {
	at := len(r.delayed)
	for at > 0 && r.delayed[at-1].Held().Until > m.Held().Until {
		at--
	}
	r.delayed = slices.Insert(r.delayed, at, m)
}

// Resumed calls f with the decision on each message that was held and that its
// stage has given back since, and with the order in which it was run: 1 for the
// first message. One that another stage holds now stays Held.
func (r *Rehearsal) Resumed(f func(order uint32, d Decision)) {
	r.mu.Lock()
	batch := r.resumed
	r.resumed = nil
	r.mu.Unlock()
	for _, m := range batch {
		serial := m.Held().Serial
		in := r.inputs[serial]
		delete(r.inputs, serial)
		f(serial, r.decide(m, &in, true))
	}
}

// decide runs the stages and rules on what they say, as a shard does.
func (r *Rehearsal) decide(m *core.Message, in *Input, again bool) Decision {
	p := r.program.Pipeline
	r.beginTrace()
	var v core.Verdict
	err := m.Held().Err
	if err == nil {
		v, err = r.runStages(m, again)
	}
	r.endTrace()
	d := Decision{Verdict: core.Drop, Instructions: m.Instructions}
	switch {
	case err != nil:
		d.Stage = stageOf(p, m)
		rejection, known := ruling.Failed(err)
		d.Code, d.Reason, d.Err = rejection.Code, rejection.Text, rejection.Cause
		if !known {
			d.Err = err
		}
	case v == core.Hold && m.Held().Until != 0 && !r.waits:
		m.EndDelay()
		return r.decide(m, in, true)
	case v == core.Hold:
		if m.Held().Until != 0 {
			r.delay(m)
		}
		d.Verdict, d.Stage, d.Held = v, stageOf(p, m), true
		r.inputs[m.Held().Serial] = *in
		if m == r.msg {
			r.msg = &core.Message{}
		}
	case v == core.Drop:
		d.Stage = stageOf(p, m)
		d.Code, d.Reason = ruling.Dropped(m)
		d.RetryAfter, d.Disconnect = m.Effects.RetryAfter, m.Effects.Disconnect
	default:
		r.accept(m, in, &d)
	}
	return d
}

// runStages is the border at which a panic in a stage is recovered: it fails this
// one message.
func (r *Rehearsal) runStages(m *core.Message, again bool) (v core.Verdict, err error) {
	p := r.program.Pipeline
	defer func() {
		if problem := recover(); problem != nil {
			name := p.Failed(m)
			v = core.Drop
			err = &core.Rejection{
				Code: ruling.ErrStage.Code, Text: ruling.ErrStage.Text,
				Cause: fmt.Errorf("stage %s panicked: %v", name, problem),
			}
		}
	}()
	if again {
		return p.Continue(m)
	}
	return p.Run(m)
}

// accept rules on a message that the pipeline accepted.
func (r *Rehearsal) accept(m *core.Message, in *Input, d *Decision) {
	p := r.program.Pipeline
	if at := p.Where(m); at >= 0 && at < p.Len()-1 {
		d.Stage, _ = p.Stage(at) // it skipped those that follow
	}
	targets, refusal := r.reader.Targets(m, r.program)
	e := &m.Effects
	if refusal == nil {
		refusal = ruling.Routed(e, targets)
	}
	if refusal != nil {
		d.refuse(refusal)
		return
	}
	d.Verdict = core.Done
	for _, t := range targets {
		d.Targets = append(d.Targets, core.Target{Kind: t.Kind, Name: strings.Clone(t.Name)})
	}
	for _, reply := range e.Replies {
		d.Replies = append(d.Replies, bytes.Clone(reply))
	}
	d.Joins, d.Leaves = slices.Clone(e.Joins), slices.Clone(e.Leaves)
	d.Data, d.DataEdited = part(m.Data, in.Data)
	d.Headers, d.HeadersEdited = part(m.Headers, in.Headers)
	d.Priority, d.TTL = m.Priority, m.TTL
	d.Storage, d.Overflow, d.Key = m.Storage, m.Overflow, string(m.ConflateKey)
}

// part is a part of a message after its pipeline: the input's own bytes, or a
// copy of others.
func part(now, sent []byte) (b []byte, edited bool) {
	if bytes.Equal(now, sent) && (now == nil) == (sent == nil) {
		return sent, false
	}
	return bytes.Clone(now), true
}

// stageOf is the label of the stage that m ended in.
func stageOf(p *core.Pipeline, m *core.Message) string {
	at := p.Where(m)
	if at < 0 {
		return ""
	}
	name, _ := p.Stage(at)
	return name
}

// frameSize is the length of a frame with what in holds, without white space.
func frameSize(in *Input) int {
	n := len(`{"type":0,"data":}`) + len(in.Data)
	field := func(name string, size int) {
		if size > 0 {
			n += len(`,"":`) + len(name) + size
		}
	}
	field("messageId", len(in.ID))
	field("to", len(in.To))
	field("headers", len(in.Headers))
	if in.Priority > 0 {
		field("priority", 1)
	}
	if in.TTL > 0 {
		field("ttl", len(fmt.Sprint(in.TTL)))
	}
	if in.Receipt {
		field("receipt", len("true"))
	}
	return n
}
