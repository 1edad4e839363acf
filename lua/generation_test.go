package lua

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

// fake is a Go stage that notes what it was opened with and where it runs.
type fake struct {
	settings struct {
		Rate  float64           `lua:"rate"`
		File  string            `lua:"file"`
		List  []string          `lua:"list"`
		Table map[string]string `lua:"table"`
	}
	text  string
	shard int
	seen  int
}

func (f *fake) Handle(m *core.Message) (core.Verdict, error) {
	f.seen++
	return core.Next, nil
}

func (f *fake) ForShard(shard int) core.Stage {
	s := *f
	s.shard = shard
	return &s
}

func init() {
	open := func(c core.Config, env *core.Env) (core.Stage, error) {
		s := &fake{}
		if err := c.Decode(&s.settings); err != nil {
			return nil, err
		}
		if s.settings.Rate < 0 {
			return nil, errors.New("the rate is negative")
		}
		if s.settings.File != "" {
			text, err := env.ReadFile(s.settings.File)
			if err != nil {
				return nil, c.Errorf("file", "%w", err)
			}
			s.text = string(text)
		}
		return s, nil
	}
	core.Register(core.Plugin{Name: "ratelimit", Doc: "A fake.", Open: open})
	core.Register(core.Plugin{Name: "prefix", Doc: "A fake.", Open: open})
}

func TestLoadBuildsAProgramForEachShard(t *testing.T) {
	gen := mustLoad(t, Options{Number: 12, Shards: 3}, "main.lua", `
local list = require "names"
pipeline {
  stage.ratelimit { rate = 5, list = list.all, table = { a = "b" } },
  function(msg) msg:to(list.all[stratix.shard + 1]) end,
  stage.prefix(),
}
function on_policy() return true end`, "names.lua", `return { all = { "a", "b", "c" } }`)
	if gen.Number != 12 || len(gen.Programs) != 3 || len(gen.Stages) != 2 {
		t.Fatalf("%+v", gen)
	}
	for shard, want := range []string{"a", "b", "c"} {
		p := gen.Programs[shard]
		if got := describe(newMessage(), p.Pipeline); got != "done client:"+want {
			t.Errorf("shard %d: %s", shard, got)
		}
		if p.Generation != 12 || p.Pipeline.Generation != 12 || !p.HasPolicy || p.Script.Calls != 1 || p.Script.Instructions < 5 {
			t.Errorf("shard %d: %+v %+v", shard, p, p.Script)
		}
		var names []string
		for i := range p.Pipeline.Len() {
			name, _ := p.Pipeline.Stage(i)
			names = append(names, name)
		}
		if got := strings.Join(names, " "); got != "ratelimit main.lua:5 prefix" {
			t.Errorf("labels: %s", got)
		}
	}
	s := gen.Stages[0]
	opened := s.Stage.(*fake).settings
	if s.Name != "ratelimit" || s.Pos != "main.lua:4" || opened.Rate != 5 || fmt.Sprint(opened.List, opened.Table) != "[a b c] map[a:b]" {
		t.Errorf("%+v", s)
	}
}

func TestRepeatedNamesAreTold(t *testing.T) {
	gen := mustLoad(t, Options{}, "main.lua", "local f = function() end\npipeline { stage.prefix(), f, f, stage.prefix() }")
	var names []string
	for i := range gen.Programs[0].Pipeline.Len() {
		name, _ := gen.Programs[0].Pipeline.Stage(i)
		names = append(names, name)
	}
	if got := strings.Join(names, " "); got != "prefix main.lua:1 main.lua:1#2 prefix#2" {
		t.Error(got)
	}
	if gen.Stages[0].Stage == gen.Stages[1].Stage {
		t.Error("two stages share one Stage")
	}
}

func TestLoadNamesThePlace(t *testing.T) {
	f := func(want string, files ...string) {
		t.Helper()
		_, err := tryLoad(Options{Shards: 2}, files...)
		var problems Problems
		if err == nil || err.Error() != want || !errors.As(err, &problems) {
			t.Errorf("%q:\n got %v\nwant %s", files[1], err, want)
		}
	}
	ok := "pipeline {}\n"
	f("main.lua: the scripts folder has no main.lua", "other.lua", ok)
	f("main.lua: pipeline{...} is never called: a message would have nowhere to go", "main.lua", "local x = 1")
	f("main.lua:2: pipeline is called a second time; the first is at main.lua:1", "main.lua", ok+ok)
	f("main.lua:1: pipeline takes a table of functions and stages, not a function", "main.lua", "pipeline(function() end)")
	f("main.lua:1: item 2 of the pipeline is a string; it takes functions and stages", "main.lua", `pipeline { function() end, "x" }`)
	f("main.lua:1: item 1 of the pipeline is a built-in function; write function(msg) ... end", "main.lua", `pipeline { print }`)
	f("main.lua:1: item 1 of the pipeline is nil", "main.lua", `pipeline { nil, function() end }`)
	f(`main.lua:1: the pipeline is a list; it has no key "x"`, "main.lua", `pipeline { function() end, x = 1 }`)
	f(`main.lua:4: unknown stage "ratelimt"; did you mean "ratelimit"?`, "main.lua", "pipeline {\n\n\n  stage.ratelimt { rate = 1 },\n}")
	f(`main.lua:1: stage.prefix takes a table of settings, not a string`, "main.lua", `pipeline { stage.prefix "x" }`)
	f(`main.lua:1: stage.prefix takes settings by name, as in stage.prefix { key = value }`, "main.lua", `pipeline { stage.prefix {1} }`)
	f(`main.lua:1: stage.prefix.file: a setting is a string, a number, a boolean or a table, not a function`, "main.lua", `pipeline { stage.prefix { file = print } }`)
	f(`main.lua:1: stage.prefix.list: the key x does not fit; settings are lists or tables with names, not both in one`, "main.lua", `pipeline { stage.prefix { list = { 1, x = 2 } } }`)
	f("main.lua:3: stage.ratelimit: unknown key \"rte\"; did you mean \"rate\"?\nmain.lua:5: stage.prefix: the rate is negative",
		"main.lua", "pipeline {\n  stage.ratelimit {\n    rte = 5,\n  },\n  stage.prefix { rate = -1 },\n}")
	f("main.lua:1: stage.prefix: file: read routes.json: file does not exist", "main.lua", `pipeline { stage.prefix { file = "routes.json" } }`)
	f(`main.lua:2: unknown hook "on_conect"; did you mean "on_connect"?`, "main.lua", ok+"function on_conect() end")
	f(`main.lua:2: the hook on_tick is not a function of the scripts`, "main.lua", ok+"on_tick = 5")
	f("main.lua:1: oh no", "main.lua", `error("oh no")`)
	f("main.lua:1: instruction budget of 10000000 exceeded", "main.lua", `while true do end`)
}

func TestLoadNamesProblemsOfModules(t *testing.T) {
	f := func(pos string, files ...string) {
		t.Helper()
		_, err := tryLoad(Options{}, files...)
		if err == nil || !strings.HasPrefix(err.Error(), pos+": ") {
			t.Errorf("%q: %v", files, err)
		}
	}
	ok := "pipeline {}\n"
	f("main.lua:2", "main.lua", ok+"x = = 1")
	f("main.lua:2", "main.lua", ok+"prnt(1)")
	f("unused.lua:3", "main.lua", ok, "unused.lua", "\n\nlocal = 5")
	f("deep/unused.lua:1", "main.lua", ok, "deep/unused.lua", "return nothing")
	f("main.lua:1", "main.lua", `local m = require "missing"`)
	if _, err := tryLoad(Options{}, "main.lua", ok, "main_test.lua", "this is not loaded"); err != nil {
		t.Error(err)
	}
}

// The shards must agree on the pipeline.
func TestPipelinesThatDifferAreRefused(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		_, err := tryLoad(Options{Shards: 2}, "main.lua", body)
		if err == nil || err.Error() != want+": main.lua builds another pipeline each time it runs; each shard runs it once, and all must agree on this stage" {
			t.Errorf("%s: %v", body, err)
		}
	}
	f("local list = { stage.prefix() }\nif stratix.shard == 1 then list[2] = stage.ratelimit() end\npipeline(list)", "main.lua:2")
	f("local list = { stage.prefix() }\nif stratix.shard == 1 then list[1] = nil end\npipeline(list)", "main.lua:1")
	f("pipeline {\nstage.prefix { rate = stratix.shard } }", "main.lua:2")
	f("local a = function() end\nlocal b = function() end\nif stratix.shard == 1 then a = b end\npipeline { a }", "main.lua:1")
}

func TestStagesOutliveGenerations(t *testing.T) {
	const main = `pipeline { stage.ratelimit { rate = 5 }, stage.prefix { file = "routes.json" } }`
	first := mustLoad(t, Options{}, "main.lua", main, "routes.json", "{}")
	f := func(what string, wantSame [2]bool, files ...string) {
		t.Helper()
		next := mustLoad(t, Options{Previous: first, Number: 8}, files...)
		for i := range wantSame {
			if same := next.Stages[i].Stage == first.Stages[i].Stage; same != wantSame[i] {
				t.Errorf("%s: %s taken over: %v", what, next.Stages[i].Name, same)
			}
		}
	}
	f("nothing changed", [2]bool{true, true}, "main.lua", main, "routes.json", "{}")
	f("another file", [2]bool{true, true}, "main.lua", main, "routes.json", "{}", "x.lua", "return 1")
	f("a comment", [2]bool{true, true}, "main.lua", "\n\n"+main, "routes.json", "{}")
	f("the routes", [2]bool{true, false}, "main.lua", main, "routes.json", `{"a":"b"}`)
	f("the settings", [2]bool{false, true}, "main.lua", strings.Replace(main, "5", "6", 1), "routes.json", "{}")
	moved := mustLoad(t, Options{Previous: first}, "main.lua", "\n\n"+main, "routes.json", "{}")
	if got := moved.Stages[0].Pos; got != "main.lua:3" {
		t.Errorf("a stage that moved is at %s", got)
	}
}

func TestTopLevelLogsOnce(t *testing.T) {
	log, out := logLines()
	gen := mustLoad(t, Options{Shards: 4, Log: log}, "main.lua", `
log.info("routes loaded", { count = 3, name = "x", list = { 1, 2 } })
print("plain")
pipeline { function() log.warn("seen") end }`)
	describe(newMessage(), gen.Programs[3].Pipeline)
	want := `level=INFO msg="routes loaded" count=3 name=x list=[1,2] script=main.lua:2 generation=7
level=INFO msg=plain script=main.lua:3 generation=7
level=WARN msg=seen script=main.lua:4 generation=7
`
	if out.String() != want {
		t.Errorf("log:\n%s", out)
	}
}

func TestPipelineIsForLoading(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		if got := failure(t, newMessage(), body); got != "main.lua:3: "+want {
			t.Errorf("%s: %s", body, got)
		}
	}
	f(`pipeline {}`, `pipeline can only be called while the scripts load`)
	f(`stage.prefix()`, `stage.prefix can only be used while the scripts load`)
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		mustLoad(b, Options{Shards: 2}, "main.lua", filterAndRoute, "names.lua", "return {}")
	}
}
