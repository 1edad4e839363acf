package core_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/coretest"
)

// steps prints a trace as in "n:next h:hold e:error".
func steps(t *core.Trace) string {
	var words []string
	for _, s := range t.Steps {
		word := s.Verdict.String()
		if s.Failed {
			word = "error"
		}
		words = append(words, s.Stage+":"+word)
	}
	return strings.Join(words, " ")
}

func TestATracedMessageTakesTheSameWay(t *testing.T) {
	f := func(letters string, want core.Verdict, wantErr error, wantSteps string) {
		t.Helper()
		p, plain := script(letters), script(letters)
		for range 64 {
			m := coretest.Message("ann", `1`)
			m.Trace = &core.Trace{}
			v, err := p.Run(m)
			if v != want || err != wantErr || m.Generation != 5 {
				t.Fatalf("%s: got %v, %v, generation %d", letters, v, err, m.Generation)
			}
			if got := steps(m.Trace); got != wantSteps {
				t.Fatalf("%s: steps %q, want %q", letters, got, wantSteps)
			}
			_, _ = plain.Run(coretest.Message("ann", `1`))
		}
		if tally(p) != tally(plain) {
			t.Errorf("%s: counted %q, without a trace %q", letters, tally(p), tally(plain))
		}
		for i := range p.Len() {
			_, got := p.Stage(i)
			if _, want := plain.Stage(i); got.Timed != want.Timed {
				t.Errorf("%s: stage %d timed %d messages, without a trace %d", letters, i, got.Timed, want.Timed)
			}
		}
	}
	f("", core.Done, nil, "")
	f("nn", core.Done, nil, "n:next n:next")
	f("ndn", core.Done, nil, "n:next d:done")
	f("nxn", core.Drop, nil, "n:next x:drop")
	f("nhn", core.Hold, nil, "n:next h:hold")
	f("nen", core.Drop, errStage, "n:next e:error")
}

func TestATraceShowsWhereAStagePanicked(t *testing.T) {
	p := script("npn")
	m := coretest.Message("ann", `1`)
	m.Trace = &core.Trace{}
	func() {
		defer func() { _ = recover() }()
		_, _ = p.Run(m)
	}()
	if got := steps(m.Trace); got != "n:next p:error" || p.At(m) != "p" {
		t.Errorf("steps %q, at %q", got, p.At(m))
	}
}

func TestATraceShowsWhatEachStageChangedAndTook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stages := []core.Stage{
			handle(func(m *core.Message) (core.Verdict, error) {
				time.Sleep(3 * time.Millisecond)
				m.Instructions += 40
				m.Data = []byte(`{"b":1}`)
				return core.Next, nil
			}),
			handle(func(m *core.Message) (core.Verdict, error) {
				m.Priority, m.TTL, m.Instructions = 7, 30, m.Instructions+2
				m.KeepIn(core.StorageDisk)
				m.Effects.Targets = append(m.Effects.Targets, core.Target{Kind: core.ToSender})
				return core.Next, nil
			}),
		}
		p := core.NewPipeline(1, []string{"slow", "quick"}, stages)
		m := coretest.Message("ann", `{"a":1}`)
		m.Trace = &core.Trace{}
		if _, err := p.Run(m); err != nil {
			t.Fatal(err)
		}
		f := func(got, want string) {
			t.Helper()
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
		look := func(l *core.Look) string {
			return fmt.Sprintf("%s targets=%d ttl=%d priority=%d storage=%v", l.Data, l.Targets, l.TTL, l.Priority, l.Storage)
		}
		f(look(&m.Trace.First), `{"a":1} targets=0 ttl=0 priority=0 storage=`)
		slow, quick := &m.Trace.Steps[0], &m.Trace.Steps[1]
		f(look(&slow.After), `{"b":1} targets=0 ttl=0 priority=0 storage=`)
		f(look(&quick.After), `{"b":1} targets=1 ttl=30 priority=7 storage=disk`)
		f(fmt.Sprint(slow.Spent, slow.Instructions, quick.Spent, quick.Instructions), "3ms 40 0s 2")
	})
}

func TestATraceGoesAlongWithAHeldMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := []byte(`{"a":1}`)
		stages := []core.Stage{
			handle(func(m *core.Message) (core.Verdict, error) { m.Detach(); return core.Hold, nil }),
			verdict(core.Next),
		}
		p := core.NewPipeline(1, []string{"held", "next"}, stages)
		m := coretest.Message("ann", "")
		m.Data = data
		scratch := &core.Trace{Number: 9}
		m.Trace = scratch
		if v, err := p.Run(m); v != core.Hold || err != nil {
			t.Fatal(v, err)
		}
		if m.Trace == scratch {
			t.Fatal("it still is the trace that the next message uses")
		}
		scratch.Reset()
		copy(data, `#######`) // the shard reads the next message into it
		time.Sleep(2 * time.Second)
		m.Priority = 4
		if v, err := p.Continue(m); v != core.Done || err != nil {
			t.Fatal(v, err)
		}
		tr := m.Trace
		held := &tr.Steps[0]
		if got := steps(tr); got != "held:hold next:next" || held.Held != 2*time.Second || held.After.Priority != 4 {
			t.Errorf("steps %q, held for %v, priority %d", got, held.Held, held.After.Priority)
		}
		if string(tr.First.Data) != `{"a":1}` || string(held.After.Data) != `{"a":1}` || tr.Number != 9 {
			t.Errorf("before %s, after %s, number %d", tr.First.Data, held.After.Data, tr.Number)
		}
	})
}

func TestATracedPipelineDoesNotAllocate(t *testing.T) {
	p := script("nnnnnnnn")
	m := coretest.Message("ann", `1`)
	var tr core.Trace
	coretest.AllocCeiling(t, 0, func() {
		tr.Reset()
		m.Trace = &tr
		_, _ = p.Run(m)
	})
}

func BenchmarkTracedPipelineOfEightStages(b *testing.B) {
	p := script("nnnnnnnn")
	m := coretest.Message("ann", `1`)
	var tr core.Trace
	b.ReportAllocs()
	for b.Loop() {
		tr.Reset()
		m.Trace = &tr
		_, _ = p.Run(m)
	}
}
