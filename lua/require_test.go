package lua

import (
	"strings"
	"testing"
)

// loadAll runs main.lua among files (name, text, name, text ...) and gives the
// global `result`, or the error.
func loadAll(t *testing.T, files ...string) string {
	t.Helper()
	src := Sources{}
	for i := 0; i < len(files); i += 2 {
		src[files[i]] = []byte(files[i+1])
	}
	known := baseGlobals()
	found, problems := compileModules(src, known)
	chunk, more := compile(mainFile, src[mainFile], known)
	if problems = append(problems, more...); len(problems) > 0 {
		return Problems(problems).Error()
	}
	v := newTestVM(t, vmOptions{Require: found.find})
	if err := v.run(chunk); err != nil {
		return err.Error()
	}
	v.freeze()
	return v.L.GetGlobal("result").String()
}

func TestRequire(t *testing.T) {
	f := func(want string, files ...string) {
		t.Helper()
		if got := loadAll(t, files...); got != want {
			t.Errorf("%q\n got %q\nwant %q", files, got, want)
		}
	}
	f("yes", "main.lua", `result = require("lib.words").has("x")`, "lib/words.lua", `return { has = function() return "yes" end }`)
	f("true", "main.lua", `result = tostring(require "a" == require "a")`, "a.lua", `return {}`)
	f("true", "main.lua", `result = tostring(require "a")`, "a.lua", ``)
	f("6", "main.lua", `result = #require("list").map({1, 2, 3}, tostring) * 2`)
	f("mine", "main.lua", `result = require("list")`, "list.lua", `return "mine"`)
	f("c", "main.lua", `result = require("a")`, "a.lua", `return require("b.c")`, "b/c.lua", `return "c"`)
	f("main.lua:1: module 'nothing.here' not found: there is no nothing/here.lua and no stdlib/nothing/here.lua", "main.lua", `require "nothing.here"`)
	for _, name := range []string{"../secret", "/etc/passwd", "a/b", "..", "a..b", "", "a.lua/", `a\\b`, ".a", "a."} {
		f(`main.lua:1: module name "`+name+`": it has to be words with dots between them, such as lib.words`, "main.lua", `require "`+name+`"`)
	}
	f("b.lua:1: modules require each other: main.lua -> a.lua -> b.lua -> a.lua", "main.lua", `require "a"`, "a.lua", `return require "b"`, "b.lua", `return require "a"`)
	f("a.lua:1: modules require each other: main.lua -> a.lua -> a.lua", "main.lua", `require "a"`, "a.lua", `return require "a"`)
	f("a.lua:2: no", "main.lua", `require "a"`, "a.lua", "\nerror('no')")
	f("a.lua:1: no a.lua:1: no", "main.lua", `local _, e = pcall(require, "a") local _, g = pcall(require, "a") result = e .. " " .. g`, "a.lua", "error('no')")
	f("a.lua:1: unknown global 'foo'", "main.lua", ``, "a.lua", "return foo", "a_test.lua", "return bar")
	f("a.lua:1: syntax error near '='", "main.lua", ``, "a.lua", "= 5", "README.md", "= 6")
}

func TestModulesLoadWhileTheScriptLoads(t *testing.T) {
	found, problems := compileModules(Sources{"a.lua": []byte("return 'a'"), "b.lua": []byte("return 'b'")}, baseGlobals())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	v := newTestVM(t, vmOptions{Require: found.find})
	if err := v.run(mustCompile(t, `require "a"`)); err != nil {
		t.Fatal(err)
	}
	v.freeze()
	fn := handler(t, v, `return function(name) return require(name) end`)
	f := func(name, want string) {
		t.Helper()
		got := ""
		if err := v.call(fn, 1, luaString([]byte(name))); err != nil {
			got = err.Error()
		} else {
			got = v.L.Get(1).String()
		}
		if got != want {
			t.Errorf("require %s gives %q, want %q", name, got, want)
		}
	}
	f("a", "a")
	f("b", "main.lua:1: module 'b' is not loaded: require it at the top of the file")
}

func TestTheListModule(t *testing.T) {
	f := func(expression, want string) {
		t.Helper()
		main := "local list = require 'list'\nlocal n = {1, 2, 3, 4}\nresult = " + expression
		if got := loadAll(t, "main.lua", main); got != want {
			t.Errorf("%s gives %q, want %q", expression, got, want)
		}
	}
	f(`table.concat(list.map(n, function(x, i) return x * i end), " ")`, "1 4 9 16")
	f(`table.concat(list.filter(n, function(x) return x % 2 == 0 end), " ")`, "2 4")
	f(`tostring(list.contains(n, 3)) .. tostring(list.contains(n, 5))`, "truefalse")
	f(`(function() local k = list.keys{x = 1, y = 2} table.sort(k) return table.concat(k) end)()`, "xy")
	f(`#n`, "4")
}

func TestScriptErrorText(t *testing.T) {
	f := func(message, wantPos, wantText string) {
		t.Helper()
		if pos, text := splitPosition(message); pos != wantPos || text != wantText {
			t.Errorf("%q is split into %q and %q", message, pos, text)
		}
	}
	f("main.lua:12: text", "main.lua:12", "text")
	f("lib/a.lua:1: x: y", "lib/a.lua:1", "x: y")
	f("text", "", "text")
	f("a: b", "", "a: b")
	f("time 12:30: late", "", "time 12:30: late")
	f(":5: x", "", ":5: x")
	if got := oneLine(strings.Repeat("ä\n", 300)); len(got) > maxErrorText+3 || strings.ContainsAny(got, "\n\ufffd") {
		t.Errorf("got %q", got)
	}
}
