package lua

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

// testedScript is what the tests of the runner test.
const testedScript = `
local words = require "lib.words"
pipeline {
  function(msg)
    local kind = msg:get("data.kind")
    if kind == "order" then msg:to_group("orders") end
    if kind == "boom" then local x = nil; x.y = 1 end
    if kind == "loop" then while true do end end
    if kind == "bad" then return msg:reject("bad", words.bad) end
    log.info("seen", { kind = kind })
  end,
}
function on_connect(conn)
  if conn:id() == "mallory" then return conn:reject("not you") end
end
function on_tick(now)
  if now % 60000 == 0 then error("a full minute") end
end
`

// runTests runs tests of testedScript.
func runTests(t *testing.T, opt TestOptions, tests string) []TestResult {
	t.Helper()
	results, err := RunTests(context.Background(), Sources{
		"main.lua": []byte(testedScript), "lib/words.lua": []byte("return { bad = 'so bad' }"), "main_test.lua": []byte(tests),
	}, opt, nil)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func TestATestRequiresModulesThatMakeSomethingWhileTheyLoad(t *testing.T) {
	results, err := RunTests(context.Background(), Sources{
		"main.lua": []byte(`local m = require "m" pipeline { function(msg) m.seen:inc() msg:to(m.regions:find(msg:from())) end }`),
		"m.lua": []byte(`return { regions = stratix.prefix { a = "b" }, words = stratix.words { "x" }, re = stratix.re "x+",
			seen = stratix.metric.counter("seen_total", "Seen.") }`),
		"main_test.lua": []byte(`local m = require "m"
			function test_it(t) t:eq(m.regions:find("abc"), "b") t:eq(m.words:find("x"), "x") t:ok(m.re:test("x")) m.seen:inc()
				t:eq(t:send{ from = "a", data = 1 }.targets, { "client:b" }) end
			function test_late(t) t:error(function() local make = stratix.prefix make {} end, "only be called while the scripts load") end`),
		"pipeline_test.lua": []byte("pipeline {} function test_it() end"),
	}, TestOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results[:2] {
		if r.Outcome != TestPassed {
			t.Errorf("%s: %s", r.Name, r.Text)
		}
	}
	if r := results[2]; !strings.Contains(r.Text, "pipeline is called a second time; the first is at main.lua") {
		t.Errorf("a pipeline in a test: %s", r.Text)
	}
}

func TestATestSaysWhatHappened(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		r := runTests(t, TestOptions{TestBudget: 1_000_000}, "function test_it(t) "+body+" end")[0]
		if got := r.Outcome.String() + " " + r.Text; got != want {
			t.Errorf("%s:\n got %s\nwant %s", body, got, want)
		}
	}
	f(`t:ok(stratix.kv.set("a", 1)) t:fill_kv() t:eq({ stratix.kv.add("b", 1) }, { nil, "full" }) t:eq(stratix.kv.incr("a"), 2)
		stratix.kv.delete("a") t:eq(stratix.kv.add("b", 1), true)`, "ok ")
	const order = `local r = t:send{ from = "a", data = { kind = "order" } } `
	f("", "ok ")
	f(`t:skip("later")`, "skip later")
	f(`t.eq(1, 2)`, "FAIL main_test.lua:1: a verb of t needs a colon, as in t:eq(...)")
	f(`t.connect()`, "FAIL main_test.lua:1: a verb of t needs a colon, as in t:connect(...)")
	f(`local c = t:connect("b") t.ok(c, 1)`, "FAIL main_test.lua:1: a verb of t needs a colon, as in t:ok(...)")
	f(`t:at("2026-03-01 00:00:30") t:error(function() t:advance("721h") end, "advance takes up to 720h")`, "ok ")
	f(`t:eq({ 1, { a = "x" } }, { 1, { a = "x" } })`, "ok ")
	f(`t:eq(stratix.null, json.decode("null"))`, "ok ")
	f(`t:eq(1, "1")`, "FAIL main_test.lua:1: not equal\n    got:  1\n    want: \"1\"")
	f(`t:eq({ a = { 1, 2 }, b = 1 }, { a = { 1, 3, 4 } }, "the list")`, `FAIL main_test.lua:1: not equal: the list
    got:  { a = { 1, 2 }, b = 1 }
    want: { a = { 1, 3, 4 } }
    at a[2]: got 2, want 3
    at a[3]: got nil, want 4
    at b: got 1, want nil`)
	f(`t:ok(1 < 2) t:ok(nil, "a note")`, "FAIL main_test.lua:1: not true: a note: got nil")
	f(`t:match("hello", "^h.l") t:match("hello", "x")`, "FAIL main_test.lua:1: no match\n    text:    \"hello\"\n    pattern: x")
	f(`t:match(nil, "x")`, "FAIL main_test.lua:1: no match: got nil, which is no text\n    pattern: x")
	f(`t:eq(t:error(function() error("ouch", 0) end, "ou"), "ouch")`, "ok ")
	f(`t:error(function() end)`, "FAIL main_test.lua:1: no error: the function returned")
	f(`t:error(function() error("ouch", 0) end, "other")`, "FAIL main_test.lua:1: another error\n    got:  ouch\n    want: other")
	f(`t:error(function() t:eq(1, 2) end)`, "FAIL main_test.lua:1: not equal\n    got:  1\n    want: 2")
	f(`pcall(function() t:ok(false) end)`, "FAIL main_test.lua:1: not true: got false")
	f(`local n = 0; local add = function() n = n + 1 end; add(); add(); t:eq(n, 2)`, "ok ")
	f(`while true do end`, "FAIL main_test.lua:1: the test never ends, or takes long: instruction budget of 1000000 exceeded")
	f(`while true do pcall(t.send, t, { from = "a", data = 1 }) end`, "FAIL main_test.lua:1: the test never ends, or takes long: instruction budget of 1000000 exceeded"+
		strings.Repeat("\n  sent at main_test.lua:1 by a: {\"type\":0,\"data\":1}\n    stages:  main.lua:4 next\n    decided: reject no_route: nothing in the pipeline routed this message, and it names no recipient", 3))
	f(`local x = nil; x.y = 1`, "FAIL main_test.lua:1: attempt to index a non-table object(nil) with key 'y'")
	f(`t:sned{}`, `FAIL main_test.lua:1: unknown verb of t "sned"; did you mean "send"?`)
	f(`t:send{ from = "a", dat = 1 }`, `FAIL main_test.lua:1: send: unknown key "dat"; did you mean "data"?`)
	f(`t:connect("a", { group = "x" })`, `FAIL main_test.lua:1: connect: unknown key "group"; did you mean "groups"?`)
	f(`t:connect("a\n")`, "FAIL main_test.lua:1: the ClientID \"a\\n\" holds characters that are not printable")
	f(`t:send{ data = 1 }`, `FAIL main_test.lua:1: send takes a table with the sender, as in t:send{ from = "a", data = 1 }`)
	f(`t:send{ from = "mallory", data = 1 }`, "FAIL main_test.lua:1: the client mallory was refused by on_connect: not you")
	f(`t:advance("1 minute")`, `FAIL main_test.lua:1: advance takes a time such as "31s", "1h30m" or a number of seconds, not "1 minute"`)
	f(`t:advance("721h")`, `FAIL main_test.lua:1: advance takes up to 720h0m0s, not 721h0m0s`)
	f(`t:at("noon")`, `FAIL main_test.lua:1: at takes a time such as "2026-03-01 22:30", not "noon"`)
	f(`t:advance(59) t:advance("1s")`, "FAIL main_test.lua:1: a hook failed: main.lua:17: a full minute")
	f(`t:error(function() t:advance("1m") end, "a full minute")`, "ok ")
	f(`pipeline {}`, "FAIL main_test.lua:1: pipeline can only be called while the scripts load")
	f(order+`t:eq(r.target, {})`, `FAIL main_test.lua:1: unknown field of a result "target"; did you mean "targets"?
  sent at main_test.lua:1 by a: {"type":0,"data":{"kind":"order"}}
    stages:  main.lua:4 next
    decided: -> group orders; offline (offline)`)
}

func TestATestSeesWhatIsDecided(t *testing.T) {
	f := func(body string) {
		t.Helper()
		r := runTests(t, TestOptions{Budget: 20_000}, "local words = require 'lib.words'\nfunction test_it(t) "+body+" end")[0]
		if r.Outcome != TestPassed {
			t.Errorf("%s:\n%s", body, r.Text)
		}
	}
	const order = `local d = t:connect("d", { groups = { "orders" } })
		local r = t:send{ from = "a", id = "m", data = { kind = "order" }, headers = { k = "v" }, priority = 2, ttl = 9 } `
	f(order + `t:eq({ r.verdict, r.status, r.stored, r.priority, r.ttl }, { "done", "delivered", "memory", 2, 9 })`)
	f(order + `t:eq({ r.targets, r.delivered, r.queued, r.replies }, { { "group:orders" }, { "d" }, {}, {} })`)
	f(order + `t:eq({ r.data, r.headers, r.steps }, { { kind = "order" }, { k = "v" }, { "main.lua:4 next" } })`)
	f(order + `t:eq({ r.code, r.reason, r.problem, r.stage, r.overflow, r.key }, {})`)
	f(order + `t:eq({ r.storage, r.repeated, r.joins, r.leaves }, { "none", false, {}, {} })`)
	f(order + `t:ok(r.instructions > 10 and r.instructions < 1000, r.instructions) t:match(r.text, "^%-> group orders.*delivered$")`)
	f(order + `t:eq(r.answers, { { type = 1, messageId = "m", stored = "memory", status = "delivered", delivered = 1 } })`)
	f(order + `t:eq({ d:last().from, d:last().seq, #d:received(), d:last().ts }, { "a", 1, 1, t:now() })`)
	f(order + `t:eq(#t:client("a"):frames(), 1) t:eq(t:client("nobody"), nil) t:eq(t:client("d"), d)`)
	f(`local r = t:send{ from = "a", data = { kind = "bad" } } t:eq({ r.verdict, r.code, r.reason, r.stage }, { "drop", "bad", words.bad, "main.lua:4" })`)
	f(`local r = t:send{ from = "a", data = { kind = "boom" } } t:eq(r.code, "script_error") t:match(r.problem, "^main.lua:7: attempt")`)
	f(`local r = t:send{ from = "a", data = { kind = "loop" } } t:eq(r.code, "script_error") t:match(r.problem, "budget of 20000 exceeded")`)
	f(`t:eq(t:send{ from = "a", raw = '{"type":0,"data":1,"data":2}' }.code, "duplicate_key")`)
	f(`t:eq(t:send{ from = "a", data = 1, priority = 11 }.code, "bad_message")`)
	f(`t:eq(t:send{ from = "a", data = 1, to = "b" }.code, "offline")`)
	f(`t:eq(t:send{ from = "a" }.reason, "data is missing")`)
	f(`local c = t:connect("mallory") t:eq({ c.id, c.connected, c.refused, c.reliable }, { "mallory", false, "not you", false })`)
	f(`local c = t:connect("c") local r = c:join("g") t:eq({ r.verdict, r.joins, c:groups() }, { "done", { "g" }, { "g" } })
		c:leave{ "g" } t:eq(c:groups(), {}) c:close() t:ok(not c.connected) t:error(function() c:send{ data = 1 } end, "is not connected")`)
	f(`t:eq({ t:now(), stratix.now(), os.date("%F %T") }, { 1767268800000, 1767268800000, "2026-01-01 12:00:00" })`)
	f(`t:advance("31s") t:eq(t:now(), 1767268831000) t:at("2026-03-01 22:30") t:eq(os.date("%H:%M"), "22:30")`)
	f(`local c = t:connect("c", { remote = "192.0.2.9", reliable = true }) t:ok(c.reliable)`)
}

func TestEachTestBeginsAnew(t *testing.T) {
	const tests = `
local n = 0
function test_one(t) n = n + 1 t:connect("a") t:log(n, math.random(1e9)) end
function test_two(t) n = n + 1 t:eq(t:client("a"), nil) t:log(n, math.random(1e9)) end
`
	results := runTests(t, TestOptions{}, tests)
	one, two := strings.TrimPrefix(results[0].Log, "main_test.lua:3: "), strings.TrimPrefix(results[1].Log, "main_test.lua:4: ")
	if one != two || !strings.HasPrefix(one, "1 ") {
		t.Errorf("the first logs %q, the second %q", one, two)
	}
	if results[0].Instructions == 0 || results[0].Took <= 0 {
		t.Errorf("it took %d instructions and %v", results[0].Instructions, results[0].Took)
	}
}

func TestTestsRunInTheirOrderAndByName(t *testing.T) {
	const tests = "function helper() end\nfunction test_b(t) end\nfunction test_a(t) helper() end\ntest_c = 5\n"
	f := func(pattern, want string) {
		t.Helper()
		var names []string
		for _, r := range runTests(t, TestOptions{Run: regexp.MustCompile(pattern)}, tests) {
			names = append(names, r.Name+" "+r.Pos+" "+r.Outcome.String())
		}
		if got := strings.Join(names, ", "); got != want {
			t.Errorf("%q: got %s, want %s", pattern, got, want)
		}
	}
	f("", "test_b main_test.lua:2 ok, test_a main_test.lua:3 ok, test_c main_test.lua:4 FAIL")
	f("_[ab]$", "test_b main_test.lua:2 ok, test_a main_test.lua:3 ok")
	f("none", "")
}

func TestTheLogOfATestHasTheScriptsLines(t *testing.T) {
	r := runTests(t, TestOptions{}, `function test_it(t) t:send{ from = "a", data = { kind = "x" } } t:log("now", { 1 }) print("hi") end`)[0]
	want := "main.lua:10: INFO seen kind=\"x\"\nmain_test.lua:1: now { 1 }\nmain_test.lua:1: INFO hi\n"
	if r.Log != want {
		t.Errorf("got %q, want %q", r.Log, want)
	}
	r = runTests(t, TestOptions{}, `function test_it(t) for i = 1, 100 do t:log(("x"):rep(2000)) end end`)[0]
	if len(r.Log) < maxTestLog-4096 || len(r.Log) > maxTestLog+100 || !strings.HasSuffix(r.Log, "the rest of the log is left out\n") {
		t.Errorf("the log has %d bytes", len(r.Log))
	}
}

func TestABrokenTestFileFailsAlone(t *testing.T) {
	results, err := RunTests(context.Background(), Sources{
		"main.lua":   []byte("pipeline {}"),
		"a_test.lua": []byte("function test_x(t)"),
		"b_test.lua": []byte("function test_y(t) nowhere() end"),
		"c_test.lua": []byte("error('at once')\nfunction test_z(t) end"),
		"d_test.lua": []byte("function test_ok(t) end"),
	}, TestOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range results {
		got = append(got, fmt.Sprint(r.Name, " ", r.Outcome, " ", r.Text))
	}
	want := []string{
		"a_test.lua FAIL a_test.lua:1: syntax error at the end of the file",
		"b_test.lua FAIL b_test.lua:1: unknown global 'nowhere'",
		"test_z FAIL c_test.lua:1: at once",
		"test_ok ok ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestScriptsThatDoNotLoadAreTheirOwnProblem(t *testing.T) {
	_, err := RunTests(context.Background(), Sources{"main.lua": []byte("pipeline {"), "a_test.lua": nil}, TestOptions{}, nil)
	var problems Problems
	if !errors.As(err, &problems) || problems[0].Pos != "main.lua:1" {
		t.Errorf("got %v", err)
	}
}

func TestTheRunnerStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	results, err := RunTests(ctx, Sources{
		"main.lua": []byte("pipeline {}"), "a_test.lua": []byte("function test_x(t) end\nfunction test_y(t) end"),
	}, TestOptions{}, func(TestResult) { cancel() })
	if len(results) != 1 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d results, %v", len(results), err)
	}
}

func TestATestHasATime(t *testing.T) {
	r := runTests(t, TestOptions{TestBudget: 1 << 40, Time: time.Millisecond}, "function test_it(t) while true do end end")[0]
	if !strings.Contains(r.Text, "the test never ends, or takes long: time budget of 1ms exceeded") {
		t.Errorf("got %s", r.Text)
	}
}

// The annotations name what tests can use, all of it and nothing else.
func TestTestingAnnotationsAreComplete(t *testing.T) {
	text, err := os.ReadFile("annotations/testing.lua")
	if err != nil {
		t.Fatal(err)
	}
	var annotated []string
	for _, m := range regexp.MustCompile(`(?m)^function ([a-z_:]+)\(`).FindAllStringSubmatch(string(text), -1) {
		annotated = append(annotated, m[1])
	}
	for _, m := range regexp.MustCompile(`(?m)^---@class (Test\w+)\n((?:---@field .*\n)+)`).FindAllStringSubmatch(string(text), -1) {
		for _, field := range regexp.MustCompile(`---@field (\w+)`).FindAllStringSubmatch(m[2], -1) {
			annotated = append(annotated, m[1]+"."+field[1])
		}
	}
	c := newTestCase(&load{}, &TestOptions{})
	var provided []string
	add := func(before string, names []string) {
		for _, name := range names {
			provided = append(provided, before+name)
		}
	}
	for name := range c.testVerbs() {
		provided = append(provided, "t:"+name)
	}
	for name := range c.clientVerbs() {
		provided = append(provided, "client:"+name)
	}
	add("TestClient.", clientFields)
	add("TestResult.", resultFields)
	add("TestMessage.", sendKeys[1:])
	add("TestConnect.", connectKeys)
	slices.Sort(annotated)
	slices.Sort(provided)
	if a, p := strings.Join(annotated, "\n"), strings.Join(provided, "\n"); a != p {
		t.Errorf("annotated:\n%s\n\nprovided:\n%s", a, p)
	}
}

func TestSeedsMakeRandomNumbersRepeat(t *testing.T) {
	draw := func(seed uint64) string {
		gen := mustLoad(t, Options{Seed: seed}, "main.lua", `pipeline { function(msg) msg:reply(math.random(1e9)) end }`)
		m := newMessage()
		if v, err := gen.Programs[0].Pipeline.Run(m); v != core.Done {
			t.Fatal(v, err)
		}
		return string(m.Effects.Replies[0])
	}
	first, again := draw(7), draw(7)
	if one, other := draw(0), draw(0); first != again || first == draw(8) || one == other {
		t.Error("a seed does not decide alone")
	}
}

func TestATestCanMoveItsClockAsFarAsItMay(t *testing.T) {
	results, err := RunTests(context.Background(), Sources{
		"main.lua":      []byte(`pipeline {}`),
		"main_test.lua": []byte(`function test_it(t) local before = t:now() t:advance("720h") t:eq(t:now() - before, 720 * 3600 * 1000) end`),
	}, TestOptions{}, nil)
	if err != nil || results[0].Outcome != TestPassed {
		t.Errorf("%v, %+v", err, results)
	}
}

func TestATestUnderWayEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	src := Sources{
		"main.lua":      []byte("pipeline {}"),
		"main_test.lua": []byte("function test_it(t)\n  t:log('begun')\n  local n = 0\n  while true do n = n + 1 end\nend\nfunction test_next(t) end\n"),
	}
	time.AfterFunc(10*time.Millisecond, cancel)
	results, err := RunTests(ctx, src, TestOptions{TestBudget: math.MaxInt / 2, Time: time.Hour}, nil)
	if !errors.Is(err, context.Canceled) || len(results) != 0 {
		t.Errorf("got %+v, %v", results, err)
	}
}
