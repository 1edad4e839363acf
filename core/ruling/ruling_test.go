package ruling_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/coretest"
	"github.com/stratix-gateway/stratix/core/ruling"
	"github.com/stratix-gateway/stratix/core/wire"
)

// policy allows what is not called no, and fails on what is called fail.
type policy struct{}

func (policy) Connect(*core.Conn) error               { return nil }
func (policy) Disconnect(*core.Session, string) error { return nil }
func (policy) Tick(int64) error                       { return nil }
func (policy) MaySend(_ *core.Session, t core.Target) (string, error) {
	return policy{}.MayJoin(nil, t.Name)
}

func (policy) MayJoin(_ *core.Session, group string) (string, error) {
	switch group {
	case "no":
		return "not this one", nil
	case "fail":
		return "", errors.New("broken")
	}
	return "", nil
}

func TestTargetsAreThoseOfThePipelineOrElseTheSenders(t *testing.T) {
	var r ruling.Reader
	p := &core.Program{Hooks: policy{}, HasPolicy: true}
	f := func(to string, routed []core.Target, replies int, want string) {
		t.Helper()
		m := coretest.Message("a", "1")
		if to != "" {
			m.To = []byte(to)
		}
		m.Effects.Targets = routed
		m.Effects.Replies = make([][]byte, replies)
		targets, refusal := r.Targets(m, p)
		got := fmt.Sprint(targets)
		if refusal != nil {
			got = fmt.Sprint(refusal.Why, " ", refusal.Code, ": ", refusal.Text, " ", refusal.Policy)
		}
		if got != want {
			t.Errorf("to %s, routed to %v: got %s, want %s", to, routed, got, want)
		}
	}
	desk := []core.Target{{Kind: core.ToClient, Name: "desk"}}
	f("", nil, 0, "[]")
	f(`"b"`, nil, 0, "[{client b}]")
	f(`"b"`, desk, 0, "[{client desk}]")
	f(`"b"`, nil, 1, "[]")
	f(`"no"`, desk, 0, "[{client desk}]") // the policy is about what clients name
	f(`["b","no"]`, nil, 0, "2 forbidden: not this one <nil>")
	f(`"fail"`, nil, 0, "2 forbidden: the gateway's policy failed broken")
	f(`[7]`, nil, 0, `1 bad_message: to must be a ClientID, a list of them, {"prefix":"..."} or {"group":"..."} <nil>`)
	f("", slices.Repeat(desk, core.MaxTargets+1), 0, "3 limit: a message may have 1024 targets <nil>")
	p = &core.Program{Hooks: policy{}}
	f(`"no"`, nil, 0, "[{client no}]")
}

func TestTheSendersTargetsCanStayBesideThoseOfThePipeline(t *testing.T) {
	var r ruling.Reader
	p := &core.Program{Hooks: policy{}, HasPolicy: true}
	f := func(to string, routed []core.Target, want string) {
		t.Helper()
		m := coretest.Message("a", "1")
		if to != "" {
			m.To = []byte(to)
		}
		m.Effects.Targets, m.Effects.Own = routed, true
		targets, refusal := r.Targets(m, p)
		got := fmt.Sprint(targets)
		if refusal != nil {
			got = refusal.Code + ": " + refusal.Text
		}
		if got != want {
			t.Errorf("to %s, and %v: got %s, want %s", to, routed, got, want)
		}
	}
	desk := []core.Target{{Kind: core.ToClient, Name: "desk"}}
	f(`"b"`, desk, "[{client b} {client desk}]")
	f(`["b","c"]`, desk, "[{client b} {client c} {client desk}]")
	f(`"b"`, nil, "[{client b}]")
	f("", desk, "[{client desk}]")
	f(`["b","no"]`, desk, "forbidden: not this one") // the policy is asked all the same
	f(`[7]`, desk, `bad_message: to must be a ClientID, a list of them, {"prefix":"..."} or {"group":"..."}`)
	f(`"b"`, slices.Repeat(desk, core.MaxTargets), "limit: a message may have 1024 targets")
	f(`"b"`, slices.Repeat(desk, core.MaxTargets-1), fmt.Sprint(append([]core.Target{{Kind: core.ToClient, Name: "b"}}, slices.Repeat(desk, core.MaxTargets-1)...)))
}

func TestAPolicyIsAskedAboutJoinsOnly(t *testing.T) {
	var r ruling.Reader
	p := &core.Program{Hooks: policy{}, HasPolicy: true}
	f := func(kind int, groups, want string) {
		t.Helper()
		names, refusal := r.Groups(coretest.Session("a"), &wire.Frame{Type: kind, Groups: []byte(groups)}, p)
		got := fmt.Sprint(names)
		if refusal != nil {
			got = refusal.Code + ": " + refusal.Text
		}
		if got != want {
			t.Errorf("%d %s: got %s, want %s", kind, groups, got, want)
		}
	}
	f(wire.TypeJoin, `["x","y"]`, "[x y]")
	f(wire.TypeJoin, `["x","no"]`, "forbidden: not this one")
	f(wire.TypeJoin, `["fail"]`, "forbidden: the gateway's policy failed")
	f(wire.TypeLeave, `["no"]`, "[no]")
	f(wire.TypeJoin, `[]`, "bad_message: groups must be an array of strings that is not empty")
}

func TestARulingCostsNoAllocation(t *testing.T) {
	var r ruling.Reader
	p := &core.Program{Hooks: policy{}, HasPolicy: true}
	m := coretest.Message("a", "1")
	m.To = []byte(`["b","c"]`)
	coretest.AllocCeiling(t, 0, func() {
		if _, refusal := r.Targets(m, p); refusal != nil {
			t.Fatal(refusal.Text)
		}
	})
	m.Effects.Own, m.Effects.Targets = true, []core.Target{{Kind: core.ToGroup, Name: "audit"}}
	coretest.AllocCeiling(t, 0, func() {
		if targets, _ := r.Targets(m, p); len(targets) != 3 {
			t.Fatal(targets)
		}
	})
}

func TestAnErrorIsToldAsFarAsItIsTheSendersBusiness(t *testing.T) {
	f := func(err error, code string, known bool) {
		t.Helper()
		r, ok := ruling.Failed(err)
		if r.Code != code || ok != known {
			t.Errorf("%v: got %s, %v", err, r.Code, ok)
		}
	}
	f(errors.New("disk on fire"), "stage_error", false)
	f(&core.Rejection{Code: "quota", Text: "x"}, "quota", true)
	f(fmt.Errorf("stage: %w", &core.Rejection{Code: "quota", Text: "x"}), "quota", true)
}
