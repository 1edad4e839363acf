package shard

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/trace"
	"github.com/stratix-gateway/stratix/core/wire"
)

// Stable error codes beside those of the wire package.
const (
	codeNoRoute     = "no_route"
	codeForbidden   = "forbidden"
	codeStageError  = "stage_error"
	codeUnsupported = "unsupported"
	codeLimit       = "limit"
)

// receive handles one text message of c.
func (s *Shard) receive(c *session, b []byte) {
	s.count.In++
	s.count.InBytes += uint64(len(b))
	f := &s.frame
	if fault := s.parser.Parse(b, f); fault != nil {
		s.count.Malformed++
		s.sendError(c, f.ID, fault.Code, fault.Text)
		s.traceFault(c, f, fault, len(b))
		return
	}
	if !c.begun && f.Type != wire.TypeHello {
		s.begin(c)
	}
	switch f.Type {
	case wire.TypeMessage:
		s.message(c, f, len(b))
	case wire.TypePing:
		s.text = wire.AppendPong(s.text[:0])
		s.send(c, s.text)
	case wire.TypeJoin, wire.TypeLeave:
		s.membership(c, f)
	case wire.TypePong:
		// It has moved c.seen.
	case wire.TypeAck:
		s.acknowledge(c, f)
	case wire.TypeHello:
		s.hello(c, f)
	}
}

// message runs a type 0 frame through the pipeline and commits what comes out.
func (s *Shard) message(c *session, f *wire.Frame, size int) {
	m := s.msg
	m.Reset()
	m.From = &c.Session
	m.ID, m.Data, m.Headers, m.To = f.ID, f.Data, f.Headers, f.To
	m.Size = size
	m.Time = s.unixMillis
	m.TTL, m.Priority, m.Receipt = f.TTL, f.Priority, f.Receipt
	m.Own(s, core.Held{Program: s.program, Slot: c.slot, Serial: c.serial})
	if s.untraced--; s.untraced == 0 {
		s.sample(m)
	}
	v, err := s.runStages(s.program.Pipeline, m, false)
	s.conclude(c, m, v, err)
}

// runStages is the border at which a panic in a stage is recovered: it is counted and
// fails this one message.
func (s *Shard) runStages(p *core.Pipeline, m *core.Message, again bool) (v core.Verdict, err error) {
	defer func() {
		if r := recover(); r != nil {
			s.count.Panics++
			stage := p.Failed(m)
			s.complain("a stage panicked: its message is rejected",
				"stage", stage, "generation", p.Generation, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			v, err = core.Drop, errStage
		}
	}()
	if again {
		return p.Continue(m)
	}
	return p.Run(m)
}

var errStage = &core.Rejection{Code: codeStageError, Text: "the gateway failed on this message"}

// conclude does what the pipeline decided. c is nil when the sender left while
// the message was held.
func (s *Shard) conclude(c *session, m *core.Message, v core.Verdict, err error) {
	switch {
	case err != nil:
		s.count.Failed++
		rejection := errStage
		if !errors.As(err, &rejection) {
			s.complain("a stage failed: its message is rejected", "error", err, "generation", m.Generation)
		}
		s.rejected(c, m, trace.Failed, rejection.Code, rejection.Text)
	case v == core.Hold:
		s.count.Held++
		m.Held().Program.Pipeline.Pending++
		if m == s.msg {
			s.msg = &core.Message{}
		}
		if c != nil {
			c.held = true
		}
	case v == core.Drop:
		code, reason := m.Effects.Code, m.Effects.Reason
		if code == "" {
			code = core.CodeDropped
		}
		outcome := trace.Rejected
		if code == core.CodeDropped {
			s.count.Filtered++
			outcome = trace.Dropped
		} else {
			s.count.Rejected++
		}
		s.rejected(c, m, outcome, code, reason)
	default:
		s.commit(c, m)
	}
}

// complain logs an error, at most one a second: a failing stage fails for every
// message. The metrics count them all.
func (s *Shard) complain(text string, attrs ...any) {
	if s.complained != 0 && s.wheel.now-s.complained < second {
		s.unsaid++
		return
	}
	s.opt.Log.Error(text, append(attrs, "suppressed", s.unsaid)...)
	s.complained, s.unsaid = max(1, s.wheel.now), 0
}

// tell sends an error to the sender if it is still there.
func (s *Shard) tell(c *session, id []byte, code, text string) {
	if c != nil && c.state == open {
		s.sendError(c, id, code, text)
	}
}

// rejected tells the sender of a message that it came to nothing, and writes that
// down.
func (s *Shard) rejected(c *session, m *core.Message, outcome trace.Outcome, code, text string) {
	s.tell(c, m.ID, code, text)
	s.decided(m, trace.Decision{Outcome: outcome, Code: code, Reason: text})
}

// commit applies the effects of an accepted message and routes it.
func (s *Shard) commit(c *session, m *core.Message) {
	e := &m.Effects
	targets := e.Targets
	if len(targets) > core.MaxTargets {
		s.count.Rejected++
		s.rejected(c, m, trace.Rejected, codeLimit, fmt.Sprintf("a message may have %d targets", core.MaxTargets))
		return
	}
	own := !e.Routed() && m.To != nil
	if own {
		var fault *wire.Fault
		targets, s.names, fault = wire.ParseTargets(m.To, s.own[:0], s.names[:0])
		s.own = targets[:0]
		if fault != nil {
			s.count.Malformed++
			s.rejected(c, m, trace.Malformed, fault.Code, fault.Text)
			return
		}
		if p := m.Held().Program; p.HasPolicy {
			if refused := s.forbids(p.Hooks, m.From, targets); refused != "" {
				s.count.Forbidden++
				s.rejected(c, m, trace.Forbidden, codeForbidden, refused)
				return
			}
		}
	}
	if c != nil {
		if !s.dir.joinAll(c, e.Joins) {
			s.count.Rejected++
			s.rejected(c, m, trace.Rejected, codeLimit, tooManyGroups)
			return
		}
		for _, g := range e.Leaves {
			s.dir.leave(c, g)
		}
		if len(e.Joins)+len(e.Leaves) > 0 {
			s.noteGroups(c)
		}
	}
	if len(e.Replies) > 0 && c != nil && c.state == open {
		for _, data := range e.Replies {
			s.body = wire.AppendReply(s.body[:0], m, data)
			s.giveSelf(c, s.body)
		}
	}
	switch {
	case len(targets) > 0:
		s.count.Accepted++
		if m.Trace != nil {
			s.decided(m, trace.Decision{Targets: targets, Own: own})
		}
		s.route(c, m, targets)
	case len(e.Replies)+len(e.Joins)+len(e.Leaves) > 0:
		s.count.Accepted++
		if m.Trace != nil {
			s.decided(m, trace.Decision{})
		}
		s.ackSelf(c, m) // it was for the gateway itself
	default:
		s.count.NoRoute++
		s.rejected(c, m, trace.NoRoute, codeNoRoute, "nothing in the pipeline routed this message, and it names no recipient")
	}
}

// forbids asks the policy hook about each of the sender's own targets.
func (s *Shard) forbids(hooks core.Hooks, from *core.Session, targets []core.Target) string {
	for _, t := range targets {
		refused, err := hooks.MaySend(from, t)
		if err != nil {
			s.count.HookErrors++
			return "the gateway's policy failed"
		}
		if refused != "" {
			return refused
		}
	}
	return ""
}

// ackSelf acknowledges a message that went to nobody but its sender: the ack
// stands behind it in the same stream.
func (s *Shard) ackSelf(c *session, m *core.Message) {
	told := c != nil && c.state == open && len(m.ID) > 0
	if told {
		s.text = wire.AppendAck(s.text[:0], m.ID, "memory", "delivered")
		s.send(c, s.text)
	}
	if m.Trace != nil {
		s.answered(m.Trace.Number, told, wire.Counts{Delivered: 1}, "memory", "delivered", "", "")
	}
}

// membership handles type 8 and 9 frames: all of the groups or none.
func (s *Shard) membership(c *session, f *wire.Frame) {
	var fault *wire.Fault
	s.groups, s.names, fault = wire.ParseNames(f.Groups, s.groups[:0], s.names[:0])
	if fault != nil {
		s.count.Malformed++
		s.sendError(c, f.ID, fault.Code, fault.Text)
		return
	}
	if f.Type == wire.TypeLeave {
		for _, g := range s.groups {
			s.dir.leave(c, g)
		}
		s.noteGroups(c)
		s.text = wire.AppendGroupsAck(s.text[:0], f.ID, f.Type, f.Groups)
		s.send(c, s.text)
		return
	}
	if s.program.HasPolicy {
		for _, g := range s.groups {
			refused, err := s.program.Hooks.MayJoin(&c.Session, g)
			if err != nil {
				s.count.HookErrors++
				refused = "the gateway's policy failed"
			}
			if refused != "" {
				s.count.Forbidden++
				s.sendError(c, f.ID, codeForbidden, refused)
				return
			}
		}
	}
	if !s.dir.joinAll(c, s.groups) {
		s.count.Rejected++
		s.tell(c, f.ID, codeLimit, tooManyGroups)
		return
	}
	s.noteGroups(c)
	s.text = wire.AppendGroupsAck(s.text[:0], f.ID, f.Type, f.Groups)
	s.send(c, s.text)
}

// tooManyGroups rejects more joins than a client has room for.
var tooManyGroups = fmt.Sprintf("a client may be in %d groups", MaxGroups)
