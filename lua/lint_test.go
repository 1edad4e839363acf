package lua

import (
	"strings"
	"testing"
)

func TestLint(t *testing.T) {
	known := baseGlobals()
	known["stratix"] = true
	known["pipeline"] = false
	file := mainFile
	f := func(src string, want ...string) {
		t.Helper()
		_, problems := compile(file, []byte(src), known)
		if got := Problems(problems).Error(); got != strings.Join(want, "\n") {
			t.Errorf("%s\n got %s\nwant %s", src, got, strings.Join(want, "\n     "))
		}
	}
	const lost = ": state in a script is not shared between shards and is lost at the next save"

	f(``)
	f(`local x = tostring(1) return x`)
	f("\nprnt('x')", "main.lua:2: unknown global 'prnt' (did you mean 'print'?)")
	f(`return _G, setfenv`, "main.lua:1: unknown global '_G'", "main.lua:1: unknown global 'setfenv'")
	f(`return function() return arg end`, "main.lua:1: unknown global 'arg'")
	f("limit = 5\npipeline { function(msg) return limt end }", "main.lua:2: unknown global 'limt' (did you mean 'limit'?)")

	// Globals of main.lua are known in the whole file.
	f("local function f() return helper() end\nfunction helper() return f() end")
	f("if true then a = 1 else b = 2 end\nreturn function() return a, b end")
	f("local x\nx = 1\nreturn function() return x end")
	f("do local y = 1 y = 2 end\nreturn y", "main.lua:2: unknown global 'y'")
	f("for i = 1, 2 do i = 3 end\nfor k in pairs({}) do k = 3 end\nreturn i, k", "main.lua:3: unknown global 'i'", "main.lua:3: unknown global 'k'")
	f("local a <const> = 1", "main.lua:1: syntax error near '<'")
	f("repeat local done = true until done")
	f("string = 5\nprint = 6", "main.lua:1: 'string' is built in and cannot be replaced", "main.lua:2: 'print' is built in and cannot be replaced")
	f("function print() end", "main.lua:1: 'print' is built in and cannot be replaced")
	f("local print = tostring\nprint = type\nfunction print() end")

	// State.
	f("function on_connect() seen = 1 end", "main.lua:1: assignment to the global 'seen' in a function (is a 'local' missing?)"+lost)
	f("count = 0\nfunction on_connect() count = count + 1 end", "main.lua:2: assignment to the global 'count' in a function (is a 'local' missing?)"+lost)
	f("local count = 0\nfunction on_connect() count = count + 1 end", "main.lua:2: assignment to 'count', a local outside of this function"+lost)
	f("local count = 0\nlocal function f() local count = 1 count = 2 return count end\ncount = 3")
	f("return function() function helper() end end", "main.lua:1: assignment to the global 'helper' in a function (is a 'local' missing?)"+lost)
	f("local c = {}\nreturn function(k) c[k] = 1 end", "main.lua:2: assignment to a field of 'c', a local outside of this function"+lost)
	f("local c = {}\nreturn function(k) c.a.b[k] = 1 end", "main.lua:2: assignment to a field of 'c', a local outside of this function"+lost)
	f("c = {}\nreturn function(k) c.a = 1 end", "main.lua:2: assignment to a field of the global 'c' in a function"+lost)
	f("local c = {}\nreturn function(k) local d = c.x d.y = 1 end", "main.lua:2: assignment to a field of 'c', a local outside of this function"+lost)
	f("local c = {}\nreturn function(k) local d = c d = {} d.y = 1 end")
	f("local c = {}\nreturn function(k) local d = {} d = c d.y = 1 end", "main.lua:2: assignment to a field of 'c', a local outside of this function"+lost)
	f("local c = {}\nreturn function(k) function c.x() end end", "main.lua:2: assignment to a field of 'c', a local outside of this function"+lost)
	f("local c = {}\nreturn function(k) function c:x() end end", "main.lua:2: assignment to a field of 'c', a local outside of this function"+lost)
	f("local c = {}\nreturn function(x) table.insert(c, x) end", "main.lua:2: assignment to a field of 'c', a local outside of this function"+lost)
	f("local c = {}\nreturn function(x) rawset(c.d, x, 1) end", "main.lua:2: assignment to a field of 'c', a local outside of this function"+lost)
	f("local c = {}\nreturn function(x) c[x], x = 1, 2 end", "main.lua:2: assignment to a field of 'c', a local outside of this function"+lost)
	// A callback lives as long as the call that it is an argument of.
	f("return function(s) local n, t = 0, {} s:gsub('%a', function(w) n = n + 1 t[n] = w end) return n end")
	f("function each() end\nreturn function(s) local n = 0 each(s, function(x) each(x, function() n = n + 1 end) end) end")
	f("return function() local n = 0 return function() n = n + 1 end end", "main.lua:1: assignment to 'n', a local outside of this function"+lost)
	f("local n = 0\nfunction f(s) s:gsub('a', function() n = n + 1 end) end", "main.lua:2: assignment to 'n', a local outside of this function"+lost)
	f("local n = 0\nstring.gsub('a', 'a', function() n = n + 1 end)", "main.lua:2: assignment to 'n', a local outside of this function"+lost)
	f("local c = {}\ntable.insert(c, 1) c.x = 1 function c.f() end function c:g() self.x = 1 end")
	f("return function(msg) local t = {} t.x = 1 msg.y = 2 table.insert(t, 1) local u = t u.z = 1 end")
	f("local function f() return {} end\nreturn function() f().x = 1 end")

	// The tables of the bindings.
	f("return stratix.kw, stratix.now()", "main.lua:1: unknown field 'stratix.kw' (did you mean 'kv'?)")
	f("return function()\n stratix.kv.gett('a') end", "main.lua:2: unknown field 'stratix.kv.gett' (did you mean 'get'?)")
	f("stratix.kv:get('a')", "main.lua:1: 'stratix.kv:get' needs a dot: stratix.kv.get(...)")
	f("local stratix = {}\nreturn stratix.kw, stratix:x()")
	f("return stratix.null.x.y, stratix[1], stratix['kv']['get']")
	f("pipeline { function(msg) return stratix.re('a') end }",
		"main.lua:1: 'stratix.re' works while the scripts load only: keep its result in a local outside of the function")
	f("function on_tick() stratix.metric.counter('a', 'b') end",
		"main.lua:1: 'stratix.metric.counter' works while the scripts load only: keep its result in a local outside of the function")
	f("local function make() return stratix.re('a') end\nlocal r = make()\npipeline { stratix.re('a') and make() }")

	// Libraries.
	f("string.find = nil", "main.lua:1: 'string' is built in and cannot be changed")
	f("function string.trim() end", "main.lua:1: 'string' is built in and cannot be changed")
	f("stratix.kv.x = 1", "main.lua:1: 'stratix' is built in and cannot be changed")
	f("local s = string\ns.find = nil", "main.lua:2: 'string' is built in and cannot be changed")
	f("local s = string\nreturn function() s.find = nil end", "main.lua:2: 'string' is built in and cannot be changed")
	f("local string = {}\nstring.find = nil")
	f("table.sort(string)", "main.lua:1: 'string' is built in and cannot be changed")

	file = "lib/words.lua"
	f("local words = {} function words.has() end return words")
	f("function has() end", "lib/words.lua:1: only main.lua may define globals (is a 'local' missing before 'has'?); a module returns a table")
	f("words = {}\nreturn words", "lib/words.lua:1: only main.lua may define globals (is a 'local' missing before 'words'?); a module returns a table",
		"lib/words.lua:2: unknown global 'words'")
}

func TestProblemsOfSyntax(t *testing.T) {
	f := func(src, want string) {
		t.Helper()
		_, problems := compile("lib/a.lua", []byte(src), baseGlobals())
		if got := Problems(problems).Error(); got != want {
			t.Errorf("%q\n got %s\nwant %s", src, got, want)
		}
	}
	f("local x =\n\nlocal y", "lib/a.lua:3: syntax error near 'local'")
	f("local function f()\n  return 1\n\n\n", "lib/a.lua:2: syntax error at the end of the file")
	f("local s = 'abc\nlocal y", "lib/a.lua:2: unterminated string near 'abc'")
	f("local s = [[abc\n", "lib/a.lua:1: unterminated multiline string at the end of the file")
	f("local x = 5 $ 6", "lib/a.lua:1: Invalid token near '$'")
	f("goto nowhere", "lib/a.lua:1: no visible label 'nowhere' for <goto> at line 1")
	f("local a\na.b + 1", "lib/a.lua:2: syntax error near '+'")
	f("return "+strings.Repeat("(", 2000)+"1"+strings.Repeat(")", 2000), "")
	f("\nreturn "+strings.Repeat("{", 2000)+"1"+strings.Repeat("}", 2000), "lib/a.lua:2: nested deeper than 500 levels")
	f("return "+strings.Repeat("-", 1999)+"1", "")
	f("\n"+strings.Repeat("do ", 2000)+strings.Repeat(" end", 2000), "lib/a.lua:2: nested deeper than 500 levels")
	f(strings.Repeat(" ", maxSource+1), "lib/a.lua:1: 1048577 bytes are more than a script may have (1048576)")
	f("local a = 1\n"+strings.Repeat("local b\n", 300), "lib/a.lua:1: too many local variables")
}

// sourceSeeds are what the fuzzers of scripts begin with.
var sourceSeeds = []string{
	"local x = 1", "t[i], t[j] = t[j], 'a' .. 1", "function a.b:c(...) return ... end", "goto x ::x::",
	"for i = 1, 2 do local t = {[i] = i, 1; x = 2} end", "return function(x) x = x .. x end", "\x00", "repeat local a until a",
}

// FuzzCompile holds the compiler to giving a chunk or a problem for any text.
func FuzzCompile(f *testing.F) {
	for _, seed := range sourceSeeds {
		f.Add(seed)
	}
	known := baseGlobals()
	f.Fuzz(func(t *testing.T, src string) {
		chunk, problems := compile(mainFile, []byte(src), known)
		if (chunk == nil) == (len(problems) == 0) {
			t.Fatalf("%q gives %v and %v", src, chunk, problems)
		}
		for _, p := range problems {
			if !isPosition(p.Pos) || p.Text == "" || strings.Contains(p.Text, "\n") {
				t.Errorf("%q: problem %q", src, p)
			}
		}
	})
}
