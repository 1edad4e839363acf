package lua

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	glua "github.com/yuin/gopher-lua"
)

// matched loads main.lua with a local x and runs a message through body.
func matched(t *testing.T, x, body string) string {
	t.Helper()
	gen, err := tryLoad(Options{}, "main.lua", "local x = "+x+"\npipeline { function(msg) "+body+" end }")
	if err != nil {
		return err.Error()
	}
	return strings.TrimPrefix(describe(newMessage(), gen.Programs[0].Pipeline), "done ")
}

func TestWordsFromLua(t *testing.T) {
	f := func(x, body, want string) {
		t.Helper()
		if got := matched(t, "stratix.words"+x, body); got != want {
			t.Errorf("%s %s\n got %s\nwant %s", x, body, got, want)
		}
	}
	f(`{ "Spam", "ham" }`, `msg:reply{ x:find("no SPAM and ham") }`, `reply=["Spam",4,7]`)
	f(`{ "Spam", "ham" }`, `msg:reply{ x:find("no SPAM and ham", 5) }`, `reply=["ham",13,15]`)
	f(`{ "spam" }`, `msg:reply(x:find("eggs") == nil)`, `reply=true`)
	f(`({ "Spam" }, { case_sensitive = true })`, `msg:reply(x:find("spam") == nil)`, `reply=true`)
	f(`({ "ass" }, { whole_word = true })`, `msg:reply{ x:find("class ass") }`, `reply=["ass",7,9]`)
	f(`{}`, `msg:reply(x:find("anything") == nil)`, `reply=true`)

	f(`{ "spam", "ham" }`, `msg:reply{ x:replace("Ham, spam", "*") }`, `reply=["*, *",2]`)
	f(`{ "spam" }`, `msg:reply{ x:replace("eggs", "*") }`, `reply=["eggs",0]`)
	f(`{ "spam", "Ham" }`, `msg:reply{ x:replace("ham spam.", function(found, word) if word == "Ham" then return ("*"):rep(#found) end end) }`, `reply=["*** spam.",2]`)

	f(`(5)`, ``, `main.lua:1: stratix.words takes a list of words, not a number`)
	f(`{ "a", 5 }`, ``, `main.lua:1: stratix.words: word 2 is a number`)
	f(`{ "a", x = 5 }`, ``, `main.lua:1: stratix.words takes a list; it has no key "x"`)
	f(`{ "" }`, ``, `main.lua:1: stratix.words: word 1 is empty`)
	f(`({ "a" }, { whole = true })`, ``, `main.lua:1: stratix.words: unknown option "whole"`)
	f(`({ "a" }, { whole_word = 1 })`, ``, `main.lua:1: stratix.words: whole_word is true or false, not a number`)
	const failed = `error script_error: the route script failed at main.lua:2`
	f(`{ "a" }`, `x.find("a")`, failed)
	f(`{ "a" }`, `x:find(5)`, failed)
	f(`{ "a" }`, `x:replace("a")`, failed)
	f(`{ "a" }`, `x:replace("a", function() return {} end)`, failed)
	f(`{ "a" }`, `x:replace(("a"):rep(1e5), ("b"):rep(100))`, failed)
}

func TestExpressionsFromLua(t *testing.T) {
	f := func(x, body, want string) {
		t.Helper()
		if got := matched(t, "stratix.re"+x, body); got != want {
			t.Errorf("%s %s\n got %s\nwant %s", x, body, got, want)
		}
	}
	f(`[[^\d+$]]`, `msg:reply{ x:test("123"), x:test("12a") }`, `reply=[true,false]`)
	f(`[[b+]]`, `msg:reply(x:match("abbc"))`, `reply="bb"`)
	f(`[[b+]]`, `msg:reply(x:match("ac") == nil)`, `reply=true`)
	f(`[[(\w+)@(\w+)(\.org)?]]`, `msg:reply{ x:match("to joe@example!") }`, `reply=["joe","example",""]`)
	f(`[[(?i)(?P<user>\w+)@]]`, `msg:reply{ x:replace("joe@a sue@b", "${user} $1 $$ ") }`, `reply=["joe joe $ a sue sue $ b",2]`)
	f(`[[x*]]`, `msg:reply{ x:replace("abc", "-") }`, `reply=["-a-b-c-",4]`)
	f(`[[z]]`, `msg:reply{ x:replace("abc", "-") }`, `reply=["abc",0]`)

	f(`(5)`, ``, `main.lua:1: stratix.re takes a pattern, not a number`)
	f(`[[a(]]`, ``, "main.lua:1: stratix.re: missing closing ) in the pattern: `a(`")
	f(`[[(a)\1]]`, ``, "main.lua:1: stratix.re: invalid escape sequence in the pattern: `\\1`")
	f(`[[(?:a{1000}){3}]]`, ``, "main.lua:1: stratix.re: invalid repeat count in the pattern: `{3}`")
	f(`[[(?:abc){900}]]`, ``, "main.lua:1: stratix.re: the pattern makes a program of 2702 steps, more than 2000; smaller counts in {} help")
	f(`(("a"):rep(3000))`, ``, "main.lua:1: stratix.re: the pattern is longer than 2048 bytes")
	f(`(("()"):rep(33))`, ``, "main.lua:1: stratix.re: the pattern has 33 groups, more than 32; (?:...) groups without capturing")
	const failed = `error script_error: the route script failed at main.lua:2`
	f(`[[a]]`, `x:test()`, failed)
	f(`[[a]]`, `x:replace("a", 5)`, failed)
	f(`[[(a+)]]`, `x:replace(("a"):rep(5e4), ("$1"):rep(100))`, failed)
	f(`[[a]]`, `x:replace("a", ("b"):rep(1025))`, failed)
	f(`[[(a|aa)+(b|bb)+$]]`, `for i = 1, 9 do x:test(("a"):rep(5e4)) end`, `error script_error: the route script exceeded its instruction budget at main.lua:2`)
}

func TestPrefixesFromLua(t *testing.T) {
	f := func(x, body, want string) {
		t.Helper()
		if got := matched(t, "stratix.prefix"+x, body); got != want {
			t.Errorf("%s %s\n got %s\nwant %s", x, body, got, want)
		}
	}
	const table = `{ ["desk-"] = "desks", ["desk-ny-"] = 2, client = { deep = true } }`
	f(table, `msg:reply{ x:find("desk-1") }`, `reply=["desks","desk-"]`)
	f(table, `msg:reply{ x:find("desk-ny-1") }`, `reply=[2,"desk-ny-"]`)
	f(table, `msg:reply{ x:find("desk-ny-") }`, `reply=[2,"desk-ny-"]`)
	f(table, `msg:reply{ x:find("desk-ny") }`, `reply=["desks","desk-"]`)
	f(table, `msg:reply(x:find("client-1").deep)`, `reply=true`)
	f(table, `msg:reply(x:find("desk") == nil and x:find("") == nil)`, `reply=true`)
	f(`{ [""] = "all", a = "a" }`, `msg:reply{ x:find("b"), x:find("ab") }`, `reply=["all","a","a"]`)
	f(`{}`, `msg:reply(x:find("b") == nil)`, `reply=true`)
	f(`("a")`, ``, `main.lua:1: stratix.prefix takes a table from prefix to value, not a string`)
	f(`{ "a" }`, ``, `main.lua:1: stratix.prefix: the key 1 is a number; a prefix is a string`)
	f(`{ [("a"):rep(257)] = 1 }`, ``, `main.lua:1: stratix.prefix: the prefix "`+strings.Repeat("a", 40)+`"... is longer than 256 bytes`)
	f(table, `x.find("a")`, `error script_error: the route script failed at main.lua:2`)
}

// What is compiled is compiled while the scripts load, once for all shards.
func TestShardsShareWhatIsCompiled(t *testing.T) {
	gen := mustLoad(t, Options{Shards: 3}, "main.lua", `
local function make() return stratix.words({ "a", "b" .. stratix.shard }), stratix.re("a") end
make()
stratix.words{ "same" }
pipeline { function() make() end }`)
	sh := gen.Programs[0].Hooks.(hookCalls).load.shared
	if len(sh.lists) != 4 || len(sh.patterns) != 1 {
		t.Errorf("%d lists and %d patterns", len(sh.lists), len(sh.patterns))
	}
	text := ""
	late := mustLoad(t, Options{OnScriptError: func(_ string, e *ScriptError) { text = e.Error() }}, "main.lua", `
local function make() return stratix.words{ "a" } end
pipeline { function() make() end }`)
	describe(newMessage(), late.Programs[0].Pipeline)
	if text != "main.lua:2: stratix.words can only be called while the scripts load; keep its result in a local outside of the function" {
		t.Error(text)
	}
}

func TestEnvShowsWhatTheFlagNamesOnly(t *testing.T) {
	t.Setenv("ORDERS_URL", "https://orders")
	t.Setenv("SECRET", "hidden")
	log, out := logLines()
	gen := mustLoad(t, Options{ScriptEnv: []string{"ORDERS_URL", "UNSET_VARIABLE"}, Log: log}, "main.lua", `
local url = stratix.env("ORDERS_URL")
pipeline { function(msg)
  msg:to(url, tostring(stratix.env("UNSET_VARIABLE")))
  if msg:id() then stratix.env("SECRET") end
end }`)
	m := newMessage()
	m.ID = nil
	if got := describe(m, gen.Programs[0].Pipeline); got != "done client:https://orders" {
		t.Error(got)
	}
	describe(newMessage(), gen.Programs[0].Pipeline)
	if got := out.String(); !strings.Contains(got, `may not read \"SECRET\"; name it with --script-env`) || strings.Contains(got, "hidden") || strings.Contains(got, "https") {
		t.Error(got)
	}
}

func TestHelpersChargeTheBudget(t *testing.T) {
	f := func(before, call string, least int) {
		t.Helper()
		spent := func(body string) int {
			gen := mustLoad(t, Options{}, "main.lua", `local text = ("xy "):rep(1000) `+before+" pipeline { function(msg) local x = text "+body+" end }")
			m := newMessage()
			if got := describe(m, gen.Programs[0].Pipeline); got != "done" {
				t.Errorf("%s: %s", body, got)
			}
			return m.Instructions
		}
		if n := spent(call) - spent(""); n < least || n > least+30 {
			t.Errorf("%s takes %d instructions, want about %d", call, n, least)
		}
	}
	f(`local k = ("k"):rep(256)`, `stratix.kv.get(k)`, kvCost+16)
	f(``, `stratix.kv.set("a", text)`, kvCost+3000/bytesPerInstruction)
	f(`stratix.kv.set("a", text)`, `stratix.kv.get("a")`, kvCost+3000/bytesPerInstruction)
	f(``, `stratix.kv.incr("a")`, kvCost)
	f(``, `stratix.kv.delete("a")`, kvCost)
	f(`local w = stratix.words{ "z" }`, `w:find(text)`, 3000/runesPerInstruction)
	f(`local w = stratix.words{ "xy" }`, `w:replace(text, "z")`, 2*1000)
	f(`local r = stratix.re"z"`, `r:test(text)`, 3000)
	f(`local r = stratix.re"z{100}"`, `r:match(text)`, 7*3000)
	f(`local p = stratix.prefix{ a = 1, ab = 2, abc = 3 }`, `p:find(text)`, 4)
	f(`local c = stratix.metric.counter("c", "h")`, `c:inc()`, metricCost)
}

// What is compiled stays in memory, and compiling takes time: a folder that goes
// on making expressions or lists must end by its budget, soon.
func TestWhatIsCompiledWhileLoadingIsPaidFor(t *testing.T) {
	f := func(call string, most int) {
		t.Helper()
		made := 0
		gen := fmt.Sprintf("for i = 1, 99999 do %s print(i) end pipeline {}", call)
		_, err := tryLoad(Options{Log: slog.New(counting{&made})}, "main.lua", gen)
		if err == nil || !strings.Contains(err.Error(), "instruction budget of 10000000 exceeded") {
			t.Errorf("%s: %v", call, err)
		}
		if made > most {
			t.Errorf("%s: %d of them were made, want %d at most", call, made, most)
		}
	}
	f(`stratix.re("(a{1,900})" .. i)`, 1000)
	f(`stratix.re("a{1,9}" .. i)`, 30_000)
	f(`stratix.words{ "a" .. i }`, 30_000)
}

// counting is a log that counts its lines.
type counting struct{ lines *int }

func (c counting) Enabled(context.Context, slog.Level) bool  { return true }
func (c counting) Handle(context.Context, slog.Record) error { *c.lines++; return nil }
func (c counting) WithAttrs([]slog.Attr) slog.Handler        { return c }
func (c counting) WithGroup(string) slog.Handler             { return c }

// FuzzReplace holds re:replace to the regexp package, for any pattern, text and
// replacement.
func FuzzReplace(f *testing.F) {
	f.Add(`(a|b)+(?P<n>c)?`, "abcab", "$1-${n}$$$0$x")
	f.Add(`x*`, "\xffé", "$")
	f.Add(`(?:a{1000}){3}`, "a", "")
	in := newInstance(f)
	replace := in.vm.L.NewFunction(in.expressionReplace)
	f.Fuzz(func(t *testing.T, pattern, text, with string) {
		e, err := compileExpression(pattern)
		plain, wantErr := regexp.Compile(pattern)
		if wantErr != nil && err == nil {
			t.Fatalf("%q compiles, and should not: %v", pattern, wantErr)
		}
		if err != nil || len(with) > maxTemplate || len(text) > 1000 {
			return
		}
		if err := in.vm.call(replace, 2, in.object(in.expressionType, e), glua.LString(text), glua.LString(with)); err != nil {
			t.Fatalf("%q in %q by %q: %v", pattern, text, with, err)
		}
		if got, want := in.vm.L.Get(1).String(), plain.ReplaceAllString(text, with); got != want {
			t.Fatalf("%q in %q by %q: got %q, want %q", pattern, text, with, got, want)
		}
	})
}
