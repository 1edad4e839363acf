package shadow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/rehearse"
	"github.com/stratix-gateway/stratix/core/traffic"
)

type stage func(m *core.Message) (core.Verdict, error)

func (f stage) Handle(m *core.Message) (core.Verdict, error) { return f(m) }

// side is a pipeline of one stage.
func side(f stage) *Side {
	p := &core.Program{Generation: 1, Pipeline: core.NewPipeline(1, []string{"f"}, []core.Stage{f})}
	return &Side{Rehearsal: rehearse.New(p), Clock: &Clock{}}
}

func to(group string) stage {
	return func(m *core.Message) (core.Verdict, error) {
		m.Instructions = 10
		m.Effects.Targets = append(m.Effects.Targets, core.Target{Kind: core.ToGroup, Name: group})
		return core.Next, nil
	}
}

func messages(n int) (all []traffic.Input) {
	for i := range n {
		all = append(all, traffic.Input{From: fmt.Sprintf("c%d", i%3), ID: fmt.Appendf(nil, `"m%d"`, i), Data: []byte("1"), Time: int64(i)})
	}
	return all
}

func TestDifferencesAreCountedByTheirKinds(t *testing.T) {
	f := func(before, after stage, want ...string) {
		t.Helper()
		got := Compare(context.Background(), messages(300), side(before), side(after)).Lines()
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	f(to("desk"), to("desk"), "0 of 300 messages decided differently; 0 errors (before: 0); p99 instructions 10 -> 10")
	f(to("desk"), func(m *core.Message) (core.Verdict, error) {
		if m.From.ID == "c1" {
			return m.DropFor("no"), nil
		}
		return to("desk")(m)
	}, "100 of 300 messages decided differently; 0 errors (before: 0); p99 instructions 10 -> 10",
		"100: goes to group desk  ->  is refused: dropped: no  (c1 m1)")
	f(to("desk"), func(m *core.Message) (core.Verdict, error) {
		if m.Time == 7 {
			m.Data = []byte("2")
		}
		if m.Time == 9 {
			return core.Next, errors.New("main.lua:3: broken")
		}
		return to("desk")(m)
	}, "2 of 300 messages decided differently; 1 error (before: 0); p99 instructions 10 -> 10",
		"1: goes to group desk  ->  fails: main.lua:3: broken  (c0 m9)",
		"1: goes to group desk  ->  goes to group desk, with other content  (c1 m7)",
		"main.lua:3: broken (1 message)")
	// Each its own way.
	f(to("desk"), func(m *core.Message) (core.Verdict, error) { return to(string(m.ID))(m) },
		append([]string{"300 of 300 messages decided differently; 0 errors (before: 0); p99 instructions 10 -> 10"},
			`1: goes to group desk  ->  goes to group "m0"  (c0 m0)`, `1: goes to group desk  ->  goes to group "m1"  (c1 m1)`,
			`1: goes to group desk  ->  goes to group "m10"  (c1 m10)`, `1: goes to group desk  ->  goes to group "m100"  (c1 m100)`,
			`1: goes to group desk  ->  goes to group "m101"  (c2 m101)`, `295: in other ways`)...)
}

func TestOnlyNewErrorsAreNew(t *testing.T) {
	fails := func(at int64) stage {
		return func(m *core.Message) (core.Verdict, error) {
			if m.Time < at {
				return core.Next, errors.New("x")
			}
			return to("desk")(m)
		}
	}
	r := Compare(context.Background(), messages(100), side(fails(10)), side(fails(30)))
	if r.OldErrors != 10 || r.Errors != 30 || r.NewErrors != 20 || r.Differ != 20 {
		t.Errorf("got %+v", r)
	}
}

func TestAComparisonEndsWithItsTime(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r := Compare(ctx, messages(100), side(to("a")), side(to("b")))
	if r.Messages != 0 || !strings.Contains(r.Lines()[0], "of 100 there was no time for more") {
		t.Errorf("got %q", r.Lines())
	}
}

func TestBothSidesSeeTheTimeOfTheMessage(t *testing.T) {
	s := side(to("a"))
	s.Decide(&traffic.Input{Time: 1795559233228, Data: []byte("1")})
	if got := s.Clock.Now().UnixMilli(); got != 1795559233228 {
		t.Errorf("the clock shows %d", got)
	}
}

func TestAComparisonEndsWithItsTimeHoweverSlowTheMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := side(func(m *core.Message) (core.Verdict, error) {
			time.Sleep(400 * time.Millisecond)
			return to("desk")(m)
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		r := Compare(ctx, messages(300), side(to("desk")), slow)
		if r.Messages != 3 || time.Since(began) > 2*time.Second {
			t.Errorf("%d messages in %v", r.Messages, time.Since(began))
		}
	})
}
