package shard

import (
	"fmt"
	"runtime/debug"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/ruling"
	"github.com/stratix-gateway/stratix/core/trace"
	"github.com/stratix-gateway/stratix/core/wire"
)

// codeUnsupported is the error code of what another kind of client may do.
const codeUnsupported = "unsupported"

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
	case wire.TypeRenew:
		s.newToken(c, f)
	}
}

// message runs a type 0 frame through the pipeline and commits what comes out.
func (s *Shard) message(c *session, f *wire.Frame, size int) {
	if !c.talks {
		c.talks = true
		s.talkers++
	}
	m := s.begun(&c.Session, f, size, core.Held{Program: s.programOf(c.ID), Slot: c.slot, Serial: c.serial})
	v, err := s.runStages(m.Held().Program.Pipeline, m, false)
	s.conclude(c, m, v, err)
}

// begun makes the shard's Message of a frame that no stage has seen.
func (s *Shard) begun(from *core.Session, f *wire.Frame, size int, h core.Held) *core.Message {
	m := s.msg
	m.Reset()
	m.From = from
	m.ID, m.Data, m.Headers, m.To = f.ID, f.Data, f.Headers, f.To
	m.Size = size
	m.Time = s.unixMillis
	m.TTL, m.Priority, m.Receipt = f.TTL, f.Priority, f.Receipt
	m.Own(s, h)
	s.recorder.Note(m)
	if s.untraced--; s.untraced == 0 {
		s.sample(m)
	}
	return m
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
			v, err = core.Drop, ruling.ErrStage
		}
	}()
	if again {
		return p.Continue(m)
	}
	return p.Run(m)
}

// conclude does what the pipeline decided. c is nil when the sender left while
// the message was held, and where the message was published.
func (s *Shard) conclude(c *session, m *core.Message, v core.Verdict, err error) {
	if v != core.Hold || err != nil {
		if t := &m.Held().Program.Toll; t.Count(m.Instructions, err != nil) {
			t.Blame(m.Instructions, err != nil, s.hashOf(m.From.ID))
		}
	}
	switch {
	case err != nil:
		s.count.Failed++
		rejection, known := ruling.Failed(err)
		if !known {
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
		} else {
			s.holdPublication(m)
		}
		if m.Held().Until != 0 {
			s.delay(m)
		}
	case v == core.Drop:
		code, reason := ruling.Dropped(m)
		outcome := trace.Rejected
		if code == core.CodeDropped {
			s.count.Filtered++
			outcome = trace.Dropped
		} else {
			s.count.Rejected++
		}
		s.rejected(c, m, outcome, code, reason)
		if m.Effects.Disconnect && c != nil {
			s.abandon(c, CloseLimited, reason, causeLimited)
		}
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
	after := int64(0)
	if outcome == trace.Rejected {
		after = m.Effects.RetryAfter
	}
	switch {
	case c == nil:
		s.tellPublisher(m.Held().Slot, m.Held().Serial, code, text, after)
	case after > 0 && c.state == open:
		s.countTold(code)
		s.text = wire.AppendRetry(s.text[:0], m.ID, code, text, after)
		s.send(c, s.text)
	default:
		s.tell(c, m.ID, code, text)
	}
	s.decided(m, trace.Decision{Outcome: outcome, Code: code, Reason: text})
}

// commit applies the effects of an accepted message and routes it.
func (s *Shard) commit(c *session, m *core.Message) {
	e := &m.Effects
	targets, refusal := s.reader.Targets(m, m.Held().Program)
	if refusal != nil {
		s.deny(c, m, refusal)
		return
	}
	own := !e.Routed() && m.To != nil
	if c == nil && m.Held().Slot >= publishedSlot {
		s.withoutSession(m)
	}
	if c != nil {
		if !s.dir.joinAll(c, e.Joins) {
			s.deny(c, m, ruling.TooManyGroups)
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
	if refusal := ruling.Routed(e, targets); refusal != nil {
		s.deny(c, m, refusal)
		return
	}
	s.count.Accepted++
	if len(targets) > 0 {
		if m.Trace != nil {
			s.decided(m, trace.Decision{Targets: targets, Own: own})
		}
		s.route(c, m, targets)
	} else {
		if m.Trace != nil {
			s.decided(m, trace.Decision{})
		}
		s.ackSelf(c, m) // it was for the gateway itself
	}
}

// deny counts a message that comes to nothing, and tells its sender.
func (s *Shard) deny(c *session, m *core.Message, r *ruling.Refusal) {
	s.refusal(r, m.From.ID, m.Held().Program)
	s.rejected(c, m, outcomes[r.Why], r.Code, r.Text)
}

// outcomes are what traces say of refusals.
var outcomes = [...]trace.Outcome{
	ruling.Malformed: trace.Malformed, ruling.Forbidden: trace.Forbidden, ruling.TooMany: trace.Rejected, ruling.NoRoute: trace.NoRoute,
}

// refusal counts what p has refused a client.
func (s *Shard) refusal(r *ruling.Refusal, id string, p *core.Program) {
	switch r.Why {
	case ruling.Malformed:
		s.count.Malformed++
	case ruling.Forbidden:
		s.count.Forbidden++
		if r.Policy != nil {
			s.count.HookErrors++
			p.Toll.Failing.Add(s.hashOf(id))
		}
	case ruling.TooMany:
		s.count.Rejected++
	case ruling.NoRoute:
		s.count.NoRoute++
	}
}

// ackSelf acknowledges a message that went to nobody but its sender: the ack
// stands behind it in the same stream.
func (s *Shard) ackSelf(c *session, m *core.Message) {
	told := c != nil && c.state == open && len(m.ID) > 0
	if told {
		s.text = wire.AppendAck(s.text[:0], m.ID, "memory", "delivered")
		s.send(c, s.text)
	}
	if c == nil {
		told = s.acknowledgePublisher(m.Held().Slot, m.Held().Serial, "memory", "delivered", wire.Counts{Delivered: 1}, false, false)
	}
	if m.Trace != nil {
		s.answered(m.Trace.Number, told, wire.Counts{Delivered: 1}, "memory", "delivered", "", "")
	}
}

// membership handles type 8 and 9 frames: all of the groups or none.
func (s *Shard) membership(c *session, f *wire.Frame) {
	p := s.programOf(c.ID)
	groups, refusal := s.reader.Groups(&c.Session, f, p)
	if refusal == nil && f.Type == wire.TypeJoin && !s.dir.joinAll(c, groups) {
		refusal = ruling.TooManyGroups
	}
	if refusal != nil {
		s.refusal(refusal, c.ID, p)
		s.tell(c, f.ID, refusal.Code, refusal.Text)
		return
	}
	if f.Type == wire.TypeLeave {
		for _, g := range groups {
			s.dir.leave(c, g)
		}
	}
	s.noteGroups(c)
	s.text = wire.AppendGroupsAck(s.text[:0], f.ID, f.Type, f.Groups)
	s.send(c, s.text)
}
