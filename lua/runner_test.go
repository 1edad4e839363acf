package lua

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stratix-gateway/stratix/core"
	glua "github.com/yuin/gopher-lua"
)

func TestFailuresRejectOnlyTheirMessage(t *testing.T) {
	log, out := logLines()
	gen := mustLoad(t, Options{Log: log, Budget: 5000}, "main.lua", `
pipeline { function(msg)
  local s = msg:get("data")
  if s == "loop" then while true do end end
  if s == "error" then local t = nil; return t.x end
  msg:to("bob")
end }`)
	p := gen.Programs[0]
	f := func(data, want string) {
		t.Helper()
		m := newMessage()
		m.Data = []byte(data)
		got := describe(m, p.Pipeline)
		if got = strings.TrimSuffix(got, " data="+data); got != want {
			t.Errorf("%s: %s", data, got)
		}
	}
	f(`"fine"`, `done client:bob`)
	f(`"error"`, `error script_error: the route script failed at main.lua:5`)
	f(`"loop"`, `error script_error: the route script exceeded its instruction budget at main.lua:4`)
	f(`"loop"`, `error script_error: the route script exceeded its instruction budget at main.lua:4`)
	f(`"fine"`, `done client:bob`)
	if s := *p.Script; s.Calls != 5 || s.Errors != 3 || s.Overruns != 2 || s.Panics != 0 || s.Instructions < 10000 {
		t.Errorf("%+v", s)
	}
	want := `level=ERROR msg="script failed" stage=main.lua:2 script=main.lua:5 error="attempt to index a non-table object(nil) with key 'x'" client=client-1 message=msg-1 suppressed=0 generation=7 shard=0
level=ERROR msg="script failed" stage=main.lua:2 script=main.lua:4 error="instruction budget of 5000 exceeded" client=client-1 message=msg-1 suppressed=0 generation=7 shard=0
`
	if out.String() != want {
		t.Errorf("log:\n%s", out)
	}
}

func TestTheSameFailureIsLoggedOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, out := logLines()
		p := mustLoad(t, Options{Log: log}, "main.lua", "pipeline { function() error('no') end }").Programs[0].Pipeline
		for range 4 {
			describe(newMessage(), p)
		}
		time.Sleep(logEvery)
		describe(newMessage(), p)
		const line = `level=ERROR msg="script failed" stage=main.lua:1 script=main.lua:1 error=no client=client-1 message=msg-1 suppressed=%d generation=7 shard=0` + "\n"
		if want := fmt.Sprintf(line, 0) + fmt.Sprintf(line, 3); out.String() != want {
			t.Errorf("log:\n%s", out)
		}
	})
}

// Shards share compiled code and nothing else; the race detector watches.
func TestShardsRunAtOnce(t *testing.T) {
	gen := mustLoad(t, Options{Shards: 4, Budget: 5000}, "main.lua", `
local list = require "list"
pipeline { function(msg)
  msg:set("data.seen", list.map({ 1, 2 }, function(n) return n + stratix.shard end))
  msg:to("client-" .. msg:get("data.seen.1"))
  if msg:get("data.a") == 2 then error("two") end
end }`)
	var wg sync.WaitGroup
	for shard, p := range gen.Programs {
		wg.Go(func() {
			for range 100 {
				m := newMessage()
				if got := describe(m, p.Pipeline); !strings.HasPrefix(got, fmt.Sprintf("done client:client-%d data=", shard+2)) {
					t.Errorf("shard %d: %s", shard, got)
				}
				m.Data = []byte(`{"a":2}`)
				describe(m, p.Pipeline)
			}
		})
	}
	wg.Wait()
}

func TestBudgetCountsWorkOnBigMessages(t *testing.T) {
	gen := mustLoad(t, Options{}, "main.lua", `
pipeline { function(msg) for i = 1, 10000 do local x = msg:get("data.last") end end }`)
	m := newMessage()
	m.Data = []byte(`{"text":"` + strings.Repeat("x", 60000) + `","last":1}`)
	if got := describe(m, gen.Programs[0].Pipeline); got != "error script_error: the route script exceeded its instruction budget at main.lua:2" {
		t.Error(got)
	}
}

func TestABrokenVMIsReplaced(t *testing.T) {
	gen := mustLoad(t, Options{Shards: 2}, "main.lua", `
pipeline { function(msg) print("x") msg:to("bob") end }
function on_tick() end`)
	p := gen.Programs[1]
	broken := p.Hooks.(hookCalls).in
	broken.vm.L.G.Global.RawSetString("print", broken.vm.L.NewFunction(func(*glua.LState) int { panic("boom") }))

	if got := describe(newMessage(), p.Pipeline); got != "error script_error: the route script failed at main.lua:2" {
		t.Errorf("the message that broke it: %s", got)
	}
	if got := describe(newMessage(), p.Pipeline); got != "done client:bob" {
		t.Errorf("the next message: %s", got)
	}
	if in := p.Hooks.(hookCalls).in; in == broken || in.shard != 1 {
		t.Errorf("the hooks still use the broken VM")
	}
	if err := p.Hooks.Tick(1); err != nil {
		t.Error(err)
	}
	if s := *p.Script; s.Panics != 1 || s.Errors != 1 || s.Calls != 3 {
		t.Errorf("%+v", s)
	}
}

// Where the scripts cannot be loaded again everything is refused, not allowed.
func TestAVMThatCannotBeReplacedRefuses(t *testing.T) {
	gen := mustLoad(t, Options{}, "main.lua", `
pipeline { function(msg) print("x") end }
function on_policy() return true end`)
	p := gen.Programs[0]
	r := p.Hooks.(hookCalls).runner
	r.in.vm.L.G.Global.RawSetString("print", r.in.vm.L.NewFunction(func(*glua.LState) int { panic("boom") }))
	changed := *r.load
	changed.main, _ = compile("main.lua", []byte("local x = nil; x()"), baseGlobals())
	r.load = &changed

	describe(newMessage(), p.Pipeline)
	if got := describe(newMessage(), p.Pipeline); got != "error script_error: the route script could not be restarted" {
		t.Errorf("a message: %s", got)
	}
	if refused, err := p.Hooks.MaySend(newMessage().From, core.Target{Kind: core.ToClient, Name: "bob"}); err == nil {
		t.Errorf("on_policy: %q, no error", refused)
	}
}

func TestTheFunctionsOfAPipelineShareTheMessagesBudget(t *testing.T) {
	p := mustLoad(t, Options{Budget: 5000}, "main.lua", `
local function work(n) for _ = 1, n do end end
pipeline {
  function(msg) work(tonumber(msg:get("data"))) end,
  function(msg) work(tonumber(msg:get("data"))) end,
}`).Programs[0]
	f := func(data, want string) {
		t.Helper()
		m := newMessage()
		m.Data = []byte(data)
		got := describe(m, p.Pipeline)
		if got = strings.TrimSuffix(got, " data="+data); got != want {
			t.Errorf("%s: %s", data, got)
		}
		if used := m.Instructions; used < 1000 || used > 5000 {
			t.Errorf("%s: %d instructions were spent", data, used)
		}
	}
	f(`1000`, `done`)
	f(`3000`, `error script_error: the route script exceeded its instruction budget at main.lua:2`)
	f(`1000`, `done`)
	if s := p.Script; s.Instructions < 2*2*1000+5000 || s.Instructions > 20_000 {
		t.Errorf("%d instructions were counted", s.Instructions)
	}
}
