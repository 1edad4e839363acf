package coretest_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/coretest"
)

// failing records what a test would have failed with.
type failing struct {
	testing.TB
	problems []string
}

func (f *failing) Helper()           {}
func (f *failing) Error(args ...any) { f.problems = append(f.problems, fmt.Sprint(args...)) }
func (f *failing) Errorf(format string, args ...any) {
	f.problems = append(f.problems, fmt.Sprintf(format, args...))
}
func (f *failing) Fatal(args ...any) { f.Error(args...); runtime.Goexit() }
func (f *failing) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}

// problems runs a test that is expected to fail and returns what it says.
func problems(t *testing.T, test func(testing.TB)) string {
	f := &failing{TB: t}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		test(f)
	}()
	<-ended
	return strings.Join(f.problems, "\n")
}

func wantProblem(t *testing.T, want string, test func(testing.TB)) {
	t.Helper()
	if got := problems(t, test); !strings.Contains(got, want) || want == "" && got != "" {
		t.Errorf("got %q, want %q", got, want)
	}
}

// handle is a stage made of a function.
type handle func(*core.Message) (core.Verdict, error)

func (h handle) Handle(m *core.Message) (core.Verdict, error) { return h(m) }

func TestRunStageHoldsStagesToTheirContract(t *testing.T) {
	f := func(want string, stage handle) {
		t.Helper()
		wantProblem(t, want, func(tb testing.TB) {
			m := coretest.Message("ann", `{"a":1}`)
			m.To = []byte(`"bob"`)
			coretest.RunStage(tb, stage, m)
		})
	}
	f("", func(m *core.Message) (core.Verdict, error) { m.Data = []byte(`2`); return core.Next, nil })
	f("", func(m *core.Message) (core.Verdict, error) { return m.DropFor("spam"), nil })
	f("handle: broken", func(*core.Message) (core.Verdict, error) { return core.Next, errors.New("broken") })
	f("7 is no verdict", func(*core.Message) (core.Verdict, error) { return 7, nil })
	f("dropped without a code", func(*core.Message) (core.Verdict, error) { return core.Drop, nil })
	f(`"\"bob\"" became "\"rob\""`, func(m *core.Message) (core.Verdict, error) { m.To[1] = 'r'; return core.Next, nil })
}

func TestRunStageReturnsTheVerdict(t *testing.T) {
	for _, want := range []core.Verdict{core.Next, core.Done, core.Hold} {
		stage := handle(func(*core.Message) (core.Verdict, error) { return want, nil })
		if got := coretest.RunStage(t, stage, coretest.Message("ann", "1")); got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

// lived notes what is done to a stage.
type lived struct {
	handle
	life *[]string
}

func (l lived) ForShard(i int) core.Stage {
	*l.life = append(*l.life, fmt.Sprint("shard ", i))
	return l
}

func (l lived) Start(ctx context.Context) error {
	*l.life = append(*l.life, fmt.Sprint("start ", ctx.Err()))
	return nil
}

func (l lived) Stop(ctx context.Context) error {
	*l.life = append(*l.life, fmt.Sprint("stop ", ctx.Err()))
	return nil
}

var life []string

func init() {
	core.Register(core.Plugin{Name: "lived", Open: func(c core.Config, env *core.Env) (core.Stage, error) {
		if name, ok := c.Values["file"].(string); ok {
			data, err := env.ReadFile(name)
			if err != nil {
				return nil, err
			}
			life = append(life, "read "+string(data))
		}
		return lived{life: &life}, nil
	}})
}

func TestOpenGivesAStageItsWholeLife(t *testing.T) {
	life = nil
	t.Run("in a test", func(t *testing.T) {
		if _, ok := coretest.Open(t, "lived", map[string]any{"file": "a"}, map[string]string{"a": "text"}).(lived); !ok {
			t.Error("not the stage that the plugin opened")
		}
	})
	if want := []string{"read text", "shard 0", "start <nil>", "stop <nil>"}; !slices.Equal(life, want) {
		t.Errorf("got %v, want %v", life, want)
	}
}

func TestRefusalIsTheErrorOfOpen(t *testing.T) {
	if err := coretest.Refusal(t, "lived", map[string]any{"file": "b"}, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	wantProblem(t, "stage.lived opens with map[]", func(tb testing.TB) { coretest.Refusal(tb, "lived", map[string]any{}, nil) })
	wantProblem(t, `no plugin "unheard"`, func(tb testing.TB) { coretest.Refusal(tb, "unheard", nil, nil) })
	wantProblem(t, "open: open b: file does not exist", func(tb testing.TB) {
		coretest.Open(tb, "lived", map[string]any{"file": "b"}, nil)
	})
}

func TestEnvMakesAStateOnce(t *testing.T) {
	env := coretest.Env(t, nil)
	made := 0
	f := func(name string, want int) {
		t.Helper()
		if got := env.State(name, func() any { made++; return made }); got != want {
			t.Errorf("%s: got %v, want %d", name, got, want)
		}
	}
	f("ring", 1)
	f("disk", 2)
	f("ring", 1)
}

func TestEnvLendsWhatIsKept(t *testing.T) {
	env := coretest.Env(t, nil)
	if got := env.Ring.Messages.Load(); got != core.DefaultRingMessages {
		t.Errorf("the ring holds %d messages", got)
	}
	if err := env.Disk(core.DefaultDiskSettings()); err != nil {
		t.Errorf("disk: %v", err)
	}
	if coretest.Env(t, nil).Ring == env.Ring {
		t.Error("two gateways share a ring")
	}
}

func TestOpenInLendsTheGivenEnv(t *testing.T) {
	life = nil
	env := coretest.Env(t, nil)
	env.ReadFile = func(string) ([]byte, error) { return []byte("given"), nil }
	coretest.OpenIn(t, env, "lived", map[string]any{"file": "a"})
	if want := []string{"read given", "shard 0", "start <nil>"}; !slices.Equal(life, want) {
		t.Errorf("got %v, want %v", life, want)
	}
}

var sink []byte

func TestAllocCeiling(t *testing.T) {
	calls := 0
	wantProblem(t, "", func(tb testing.TB) { coretest.AllocCeiling(tb, 1, func() { calls++; sink = make([]byte, 64) }) })
	if calls == 0 {
		t.Error("f did not run")
	}
	if calls > 1 { // not under the race detector
		wantProblem(t, "1 allocations a run, want at most 0", func(tb testing.TB) {
			coretest.AllocCeiling(tb, 0, func() { sink = make([]byte, 64) })
		})
	}
}

func TestFencesAreTheBlocksOfOneLanguage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "README.md")
	text := "```lua\none\n```\ntext\n```json\n{}\n```\n\n```lua\ntwo\nthree\n```\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(language string, want ...string) {
		t.Helper()
		if got := coretest.Fences(t, file, language); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", language, got, want)
		}
	}
	f("lua", "one\n", "two\nthree\n")
	f("json", "{}\n")
	wantProblem(t, "no block of go", func(tb testing.TB) { coretest.Fences(tb, file, "go") })
}

func TestStagesReadsLiteralSettings(t *testing.T) {
	f := func(source string, want ...coretest.Stage) {
		t.Helper()
		if got := coretest.Stages(t, source); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %#v\nwant %#v", source, got, want)
		}
	}
	type v = map[string]any
	f("-- nothing\n")
	f(`stage.ring {}`, coretest.Stage{Name: "ring", Values: v{}})
	f(`stage.ring { messages = 1000, bytes = "512MiB", strict = true, loose = false, low = -1.5 } -- said`,
		coretest.Stage{Name: "ring", Values: v{"messages": 1000.0, "bytes": "512MiB", "strict": true, "loose": false, "low": -1.5}})
	f("stage.a { -- first\n list = { \"x\", {}, { [\"k-\"] = { deep = \"--\" }, }; } },\nstage.b {}",
		coretest.Stage{Name: "a", Values: v{"list": []any{"x", []any(nil), v{"k-": v{"deep": "--"}}}}},
		coretest.Stage{Name: "b", Values: v{}})
}

func TestStagesRefusesWhatIsNotLiteral(t *testing.T) {
	f := func(source, want string) {
		t.Helper()
		wantProblem(t, want, func(tb testing.TB) { coretest.Stages(tb, source) })
	}
	f(`pipeline {}`, "want stage")
	f(`stage.a`, "want a table")
	f(`stage.a "x"`, "want a table")
	f(`stage.a { "x" }`, "want settings with names")
	f(`stage.a { x = y }`, "want a literal value")
	f(`stage.a { x = - "y" }`, "want a literal value")
	f(`stage.a { x = 1 `, "want , or }")
	f(`stage.a { x 1 }`, "want =")
	f(`stage.a { [1] = 1 }`, "want a name in quotes")
	f(`stage.a { x = 1, "y" }`, "a table with and without names")
	f(`stage.a { x = "unclosed }`, "not terminated")
}
