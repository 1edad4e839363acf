package core_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/coretest"
)

// verdict is a stage that always answers the same.
type verdict core.Verdict

func (v verdict) Handle(*core.Message) (core.Verdict, error) { return core.Verdict(v), nil }

// handle is a stage made of a function.
type handle func(*core.Message) (core.Verdict, error)

func (h handle) Handle(m *core.Message) (core.Verdict, error) { return h(m) }

var errStage = errors.New("stage failed")

// script builds stages from letters: n(ext), d(one), x (drop), h(old), e(rror),
// p(anic). Their names are their letters.
func script(letters string) *core.Pipeline {
	var names []string
	var stages []core.Stage
	for _, l := range letters {
		names = append(names, string(l))
		switch l {
		case 'n':
			stages = append(stages, verdict(core.Next))
		case 'd':
			stages = append(stages, verdict(core.Done))
		case 'x':
			stages = append(stages, handle(func(m *core.Message) (core.Verdict, error) { return m.DropFor("x"), nil }))
		case 'h':
			stages = append(stages, handle(func(m *core.Message) (core.Verdict, error) { m.Detach(); return core.Hold, nil }))
		case 'e':
			stages = append(stages, handle(func(*core.Message) (core.Verdict, error) { return core.Next, errStage }))
		case 'p':
			stages = append(stages, handle(func(*core.Message) (core.Verdict, error) { panic("stage broke") }))
		}
	}
	return core.NewPipeline(5, names, stages)
}

// tally prints what each stage of p counted, as in "n:next=1 e:errors=1".
func tally(p *core.Pipeline) string {
	out := ""
	for i := range p.Len() {
		name, t := p.Stage(i)
		out += name + ":"
		for v, n := range t.Verdicts {
			if n > 0 {
				out += fmt.Sprintf("%v=%d", core.Verdict(v), n)
			}
		}
		if t.Errors > 0 {
			out += fmt.Sprintf("errors=%d", t.Errors)
		}
		out += " "
	}
	return out
}

func TestAMessagePassesTheStagesInOrder(t *testing.T) {
	f := func(letters string, want core.Verdict, wantErr error, wantTally string) {
		t.Helper()
		p := script(letters)
		// The 64th message takes the timed way, which must do the same.
		for run := 1; run <= 64; run++ {
			m := coretest.Message("ann", `1`)
			v, err := p.Run(m)
			if v != want || err != wantErr {
				t.Fatalf("%s, message %d: got %v, %v, want %v, %v", letters, run, v, err, want, wantErr)
			}
			if m.Generation != 5 {
				t.Fatalf("%s: generation %d", letters, m.Generation)
			}
			if run == 1 && tally(p) != wantTally {
				t.Errorf("%s: got %q, want %q", letters, tally(p), wantTally)
			}
		}
		last, timed := false, uint64(0)
		for i := range p.Len() {
			_, tl := p.Stage(i)
			total := tl.Errors
			for _, n := range tl.Verdicts {
				total += n
			}
			if total%64 != 0 || last && total != 0 {
				t.Errorf("%s: stage %d counted %d of 64 messages", letters, i, total)
			}
			last = tl.Verdicts[core.Next] == 0
			if timed = tl.Timed; timed != total/64 {
				t.Errorf("%s: stage %d timed %d messages", letters, i, timed)
			}
		}
	}
	f("", core.Done, nil, "")
	f("n", core.Done, nil, "n:next=1 ")
	f("nnn", core.Done, nil, "n:next=1 n:next=1 n:next=1 ")
	f("ndn", core.Done, nil, "n:next=1 d:done=1 n: ")
	f("nxn", core.Drop, nil, "n:next=1 x:drop=1 n: ")
	f("nhn", core.Hold, nil, "n:next=1 h:hold=1 n: ")
	f("nen", core.Drop, errStage, "n:next=1 e:errors=1 n: ")
}

func TestAHeldMessageGoesOnBehindItsStage(t *testing.T) {
	p := script("nhnhx")
	m := coretest.Message("ann", `1`)
	steps := []core.Verdict{core.Hold, core.Hold, core.Drop}
	for i, want := range steps {
		run := p.Continue
		if i == 0 {
			run = p.Run
		}
		if v, err := run(m); v != want || err != nil {
			t.Fatalf("step %d: got %v, %v, want %v", i, v, err, want)
		}
	}
	if got, want := tally(p), "n:next=1 h:hold=1 n:next=1 h:hold=1 x:drop=1 "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if m.Effects.Code != core.CodeDropped || m.Effects.Reason != "x" {
		t.Errorf("effects %+v", m.Effects)
	}
}

func TestAMessageHeldByTheLastStageIsDoneWhenItGoesOn(t *testing.T) {
	p := script("nh")
	m := coretest.Message("ann", `1`)
	if v, _ := p.Run(m); v != core.Hold {
		t.Fatalf("got %v", v)
	}
	if v, err := p.Continue(m); v != core.Done || err != nil {
		t.Errorf("got %v, %v", v, err)
	}
}

func TestAPanicIsCountedAgainstItsStage(t *testing.T) {
	p := script("npn")
	m := coretest.Message("ann", `1`)
	func() {
		defer func() {
			if recover() == nil {
				t.Fatal("the panic did not reach the caller")
			}
		}()
		_, _ = p.Run(m)
	}()
	if name := p.Failed(m); name != "p" {
		t.Errorf("blamed %q", name)
	}
	if got, want := tally(p), "n:next=1 p:errors=1 n: "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOneMessageIn64IsTimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		takes := func(d time.Duration) core.Stage {
			return handle(func(*core.Message) (core.Verdict, error) { time.Sleep(d); return core.Next, nil })
		}
		p := core.NewPipeline(1, []string{"quick", "slow"}, []core.Stage{takes(time.Millisecond), takes(time.Second)})
		m := coretest.Message("ann", `1`)
		for range 129 {
			if _, err := p.Run(m); err != nil {
				t.Fatal(err)
			}
		}
		f := func(stage int, want time.Duration) {
			t.Helper()
			if name, tl := p.Stage(stage); tl.Timed != 2 || tl.Spent != want {
				t.Errorf("%s: timed %d, spent %v, want 2 and %v", name, tl.Timed, tl.Spent, want)
			}
		}
		f(0, 2*time.Millisecond)
		f(1, 2*time.Second)
	})
}

func TestVerdictsHaveLabels(t *testing.T) {
	f := func(v core.Verdict, want string) {
		t.Helper()
		if got := v.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(core.Next, "next")
	f(core.Done, "done")
	f(core.Drop, "drop")
	f(core.Hold, "hold")
}

func TestAPipelineDoesNotAllocate(t *testing.T) {
	p := script("nnnnnnnn")
	m := coretest.Message("ann", `1`)
	coretest.AllocCeiling(t, 0, func() { _, _ = p.Run(m) })
}

func BenchmarkPipelineOfEightStages(b *testing.B) {
	p := script("nnnnnnnn")
	m := coretest.Message("ann", `1`)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = p.Run(m)
	}
}
