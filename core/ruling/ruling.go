// Package ruling says what comes of a message when its pipeline has ended, and
// of a join: who is told what, and where the message goes. It does none of it.
// The shards act on it; a rehearsal only notes it, and so comes to the same.
package ruling

import (
	"errors"
	"strconv"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/wire"
)

// MaxGroups is how many groups one client may be in.
const MaxGroups = 256

// Stable error codes beside those of the wire package.
const (
	CodeNoRoute    = "no_route"
	CodeForbidden  = "forbidden"
	CodeStageError = "stage_error"
	CodeLimit      = "limit"
)

// Why says what kind of a refusal it is.
type Why uint8

// The kinds of refusals.
const (
	Malformed Why = iota + 1 // a target or a group is not well formed
	Forbidden                // the policy does not allow it
	TooMany                  // it is more than a bound allows
	NoRoute                  // there is nowhere to go
)

// Refusal is why a message or a join comes to nothing.
type Refusal struct {
	Why        Why
	Code, Text string // for the sender
	// Policy is the error of the policy hook, where it failed.
	Policy error
}

// ErrStage is what a sender is told of a failure that is not its business.
var ErrStage = &core.Rejection{Code: CodeStageError, Text: "the gateway failed on this message"}

// Failed is what the sender is told of a stage's error; known is false where
// that is ErrStage, and the error is for the log.
func Failed(err error) (r *core.Rejection, known bool) {
	if errors.As(err, &r) {
		return r, true
	}
	return ErrStage, false
}

// Dropped is what the sender of a message that a stage has ended is told.
func Dropped(m *core.Message) (code, reason string) {
	code, reason = m.Effects.Code, m.Effects.Reason
	if code == "" {
		code = core.CodeDropped
	}
	return code, reason
}

// TooManyGroups refuses a message or a join that would bring its sender into more
// groups than it may be in.
var TooManyGroups = &Refusal{Why: TooMany, Code: CodeLimit, Text: "a client may be in " + strconv.Itoa(MaxGroups) + " groups"}

var (
	tooManyTargets = &Refusal{Why: TooMany, Code: CodeLimit, Text: "a message may have " + strconv.Itoa(core.MaxTargets) + " targets"}
	noRoute        = &Refusal{Why: NoRoute, Code: CodeNoRoute, Text: "nothing in the pipeline routed this message, and it names no recipient"}
)

// Reader reads what clients name. It holds scratch space: one goroutine uses it
// at a time, and what it returns is valid until it is asked the next time.
type Reader struct {
	own     []core.Target
	groups  []string
	names   []byte // decoded
	refusal Refusal
}

// Targets says where a message goes that its pipeline has accepted: where that
// routed it, else (or beside that, with Effects.Own) where its sender wants it, as
// far as the policy of p allows.
// There are none for a message to the gateway itself: it has replies, joins or
// leaves. Names alias m.
func (r *Reader) Targets(m *core.Message, p *core.Program) ([]core.Target, *Refusal) {
	e := &m.Effects
	targets := e.Targets
	if len(targets) > core.MaxTargets {
		return nil, tooManyTargets
	}
	if m.To != nil && (e.Own || !e.Routed()) {
		var fault *wire.Fault
		targets, r.names, fault = wire.ParseTargets(m.To, r.own[:0], r.names[:0])
		r.own = targets[:0]
		if fault != nil {
			return nil, r.malformed(fault)
		}
		if refused := r.forbids(m, p, targets); refused != nil {
			return nil, refused
		}
		if e.Own {
			targets = append(targets, e.Targets...)
			r.own = targets[:0]
		}
		if len(targets) > core.MaxTargets {
			return nil, tooManyTargets
		}
	}
	return targets, nil
}

// Routed refuses a message that goes nowhere, and is not for the gateway itself.
func Routed(e *core.Effects, targets []core.Target) *Refusal {
	if len(targets)+len(e.Replies)+len(e.Joins)+len(e.Leaves) == 0 {
		return noRoute
	}
	return nil
}

// forbids asks the policy about each of the sender's own targets.
func (r *Reader) forbids(m *core.Message, p *core.Program, targets []core.Target) *Refusal {
	if !p.HasPolicy {
		return nil
	}
	for _, t := range targets {
		if refused, err := p.Hooks.MaySend(m.From, t); refused != "" || err != nil {
			return r.forbidden(refused, err)
		}
	}
	return nil
}

// Groups reads what a join or leave of from names, and asks the policy of p about
// each join. Names alias f.
func (r *Reader) Groups(from *core.Session, f *wire.Frame, p *core.Program) ([]string, *Refusal) {
	var fault *wire.Fault
	r.groups, r.names, fault = wire.ParseNames(f.Groups, r.groups[:0], r.names[:0])
	if fault != nil {
		return nil, r.malformed(fault)
	}
	if f.Type == wire.TypeJoin && p.HasPolicy {
		for _, g := range r.groups {
			if refused, err := p.Hooks.MayJoin(from, g); refused != "" || err != nil {
				return nil, r.forbidden(refused, err)
			}
		}
	}
	return r.groups, nil
}

func (r *Reader) malformed(fault *wire.Fault) *Refusal {
	r.refusal = Refusal{Why: Malformed, Code: fault.Code, Text: fault.Text}
	return &r.refusal
}

func (r *Reader) forbidden(refused string, err error) *Refusal {
	if err != nil {
		refused = "the gateway's policy failed"
	}
	r.refusal = Refusal{Why: Forbidden, Code: CodeForbidden, Text: refused, Policy: err}
	return &r.refusal
}
