package profile

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"github.com/stratix-gateway/stratix/core"
)

// sampled is a profile of two shards and two generations.
func sampled() *Profile {
	spin := core.Frame{Function: "spin", File: "main.lua", Line: 3, Start: 1}
	stage := core.Frame{Function: "main.lua:8", File: "main.lua", Line: 9, Start: 8}
	rep := core.Frame{Function: "string.rep"}
	again := spin
	again.Line = 4
	return &Profile{
		Began: time.Unix(1_790_000_000, 0), Took: 2 * time.Second, Folder: "/etc/routes",
		Shards: []*core.Samples{
			{Stacks: []*core.Stack{
				{Generation: 7, Stage: "main.lua:8", Frames: []core.Frame{spin, stage}, Samples: 50},
				{Generation: 7, Stage: "main.lua:8", Frames: []core.Frame{rep, stage}, Samples: 20},
			}, Lost: 5},
			{Stacks: []*core.Stack{
				{Generation: 7, Stage: "main.lua:8", Frames: []core.Frame{spin, stage}, Samples: 10},
				{Generation: 8, Stage: "main.lua:8", Frames: []core.Frame{spin, stage}, Samples: 5},
				{Generation: 8, Stage: "on;tick", Frames: []core.Frame{spin, again, again}, Samples: 10},
			}},
		},
	}
}

func text(t *testing.T, p *Profile, f Format) string {
	t.Helper()
	var b bytes.Buffer
	if err := p.Write(&b, f); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTheTableSharesOutTheInstructions(t *testing.T) {
	const want = `2s on 2 shard(s), generation 7, 8: about 99700 Lua instructions (100 samples, one for each 997)
5 samples are in no table: there were too many different stacks

   self  total  instructions  line
  75.0%  75.0%         74775  main.lua:3
  20.0%  85.0%         19940  main.lua:9
   0.0%  10.0%             0  main.lua:4

   self  total  instructions  function
  75.0%  75.0%         74775  main.lua:1 spin
  20.0%  20.0%         19940  string.rep
   0.0%  85.0%             0  main.lua:8

  share  instructions  stage or hook
  85.0%         84745  main.lua:8
  10.0%          9970  on;tick
`
	if got := text(t, sampled(), Table); got != want {
		t.Errorf("got:\n%s", got)
	}
	empty := &Profile{Shards: []*core.Samples{{}}, Took: time.Second}
	if got := text(t, empty, Table); !strings.HasPrefix(got, "no samples in 1s: ") {
		t.Errorf("without samples: %s", got)
	}
}

func TestTheTableIsBounded(t *testing.T) {
	p := &Profile{Shards: []*core.Samples{{}}}
	for i := range 100 {
		f := core.Frame{Function: "f", File: "main.lua", Line: i + 1, Start: i + 1}
		p.Shards[0].Stacks = append(p.Shards[0].Stacks, &core.Stack{Stage: "s", Frames: []core.Frame{f}, Samples: 1})
	}
	got := text(t, p, Table)
	if strings.Count(got, "\n") > 80 || strings.Count(got, "70 more") != 2 || !strings.Contains(got, "70.0%") {
		t.Errorf("got:\n%s", got)
	}
}

func TestFoldedStacksBeginWithTheirStage(t *testing.T) {
	const want = `main.lua:8;main.lua:8 (main.lua:9);spin (main.lua:3) 65
main.lua:8;main.lua:8 (main.lua:9);string.rep 20
on,tick;spin (main.lua:4);spin (main.lua:4);spin (main.lua:3) 10
(no room) 5
`
	if got := text(t, sampled(), Folded); got != want {
		t.Errorf("got:\n%s", got)
	}
}

func TestThePprofFileIsValid(t *testing.T) {
	p, err := profile.ParseData([]byte(text(t, sampled(), Pprof)))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.CheckValid(); err != nil {
		t.Error(err)
	}
	var samples, instructions int64
	for _, s := range p.Sample {
		samples, instructions = samples+s.Value[0], instructions+s.Value[1]
	}
	if samples != 100 || instructions != 99700 || p.Period != 997 || p.DurationNanos != 2e9 {
		t.Errorf("%d samples of %d instructions: %v", samples, instructions, p)
	}
	files := map[string]bool{}
	for _, f := range p.Function {
		files[f.Name+" "+f.Filename] = true
	}
	if !files["spin /etc/routes/main.lua"] || !files["string.rep "] || !files["(no room) "] || len(files) != 4 {
		t.Errorf("the functions are %v", files)
	}
}

func TestFormats(t *testing.T) {
	f := func(name string, want Format, failure string) {
		t.Helper()
		got, err := ParseFormat(name)
		if err != nil && err.Error() != failure || err == nil && (failure != "" || got != want) {
			t.Errorf("%q: %v %v", name, got, err)
		}
	}
	f("table", Table, "")
	f("folded", Folded, "")
	f("pprof", Pprof, "")
	f("svg", 0, `format "svg": it is one of table, folded, pprof`)
	f("", 0, `format "": it is one of table, folded, pprof`)
}

type full struct{}

var errFull = errors.New("full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestAReportThatFindsNoRoomIsAnError(t *testing.T) {
	for _, f := range []Format{Table, Folded, Pprof} {
		if err := sampled().Write(full{}, f); !errors.Is(err, errFull) {
			t.Errorf("format %d: %v", f, err)
		}
	}
}
