package lua

import (
	"slices"
	"strings"
	"testing"
)

func testVocabulary(t testing.TB) *vocabulary {
	v := newInstance(t).vocabulary()
	v.libraries["stage"] = []string{"own", "prefix"}
	v.stages = map[string][]string{"own": nil, "prefix": {"cache", "file", "override"}}
	return v
}

func TestWarnings(t *testing.T) {
	known := testVocabulary(t)
	f := func(src string, want ...string) {
		t.Helper()
		for i, w := range want {
			want[i] = "main.lua:" + w
		}
		if got := Problems(warn(mainFile, []byte(src), known)).Error(); got != strings.Join(want, "\n") {
			t.Errorf("%s\n got %s\nwant %s", src, got, strings.Join(want, "\n     "))
		}
	}
	// in is f for the body of a stage, from line 2 on.
	in := func(body string, want ...string) {
		t.Helper()
		f("pipeline { function(msg)\n"+body+"\nend }", want...)
	}
	f("")

	// Unused results.
	const nothingElse = " is thrown away, and it does nothing else [unused-result]"
	in("msg:get('data.x')", "2: the result of msg:get"+nothingElse)
	in("msg:from() msg:header('a')", "2: the result of msg:from"+nothingElse, "2: the result of msg:header"+nothingElse)
	in("msg:priority()", "2: the result of msg:priority"+nothingElse)
	in("msg:priority(9) msg:ttl(3) msg:store('disk') msg:set('data.x', 1)")
	in("local m = msg\nm:get('data.x')", "3: the result of msg:get"+nothingElse)
	in("string.format('%d', 1)", "2: the result of string.format"+nothingElse)
	in("('x'):rep(3)", "2: the result of string.rep"+nothingElse)
	in("tostring(msg)", "2: the result of tostring"+nothingElse)
	in("json.encode({}) stratix.now()", "2: the result of json.encode"+nothingElse, "2: the result of stratix.now"+nothingElse)
	in("string.gsub('a', 'b', print) math.random() pcall(error) log.info('x') stratix.array({})")
	in("local string = {}\nstring.format('x')")
	in("local function tostring() end\ntostring(1)")
	f("local function id(x) return x:id() end\nid(1)\nlocal words = {}\nfunction words.get() end\nwords.get()\nwords:get()")
	f("function on_connect(c)\nc:id()\nc:join('x')\nend", "2: the result of conn:id"+nothingElse)

	// Stages.
	f("pipeline { stage.prefx { file = 'x' } }", `1: unknown stage "prefx"; did you mean "prefix"? [unknown-stage]`)
	f("pipeline { stage.prefix {\ncache = 1,\nfil = 'x' } }", `3: stage.prefix: unknown key "fil"; did you mean "file"? [unknown-key]`)
	f("pipeline { stage.prefix { ['fil'] = 'x', [1] = 2 }, stage.own { any = 1 }, stage.prefix(settings) }", `1: stage.prefix: unknown key "fil"; did you mean "file"? [unknown-key]`)
	f("local stage = {}\nstage.prefx()")

	// Verbs and fields.
	in("msg:gett('x')", `2: unknown msg verb "gett"; did you mean "get"? [unknown-verb]`)
	in("local x = msg.gett", `2: unknown msg verb "gett"; did you mean "get"? [unknown-verb]`, `2: the local 'x' is never used [unused-local]`)
	f("local function check(msg) msg:drp() end\npipeline { check }", `1: unknown msg verb "drp"; did you mean "drop"? [unknown-verb]`)
	f("local function check(m) m:drp() end\npipeline { check }", `1: unknown msg verb "drp"; did you mean "drop"? [unknown-verb]`)
	f("function on_connect(c) c:rejct() end", `1: unknown conn verb "rejct"; did you mean "reject"? [unknown-verb]`)
	f("function on_tick(now) now:x() end")
	f("local function size(msg) return msg:upper() end\nreturn size") // it may be a string
	f("local function size(msg) return msg:gett() end\nreturn size", `1: unknown msg verb "gett"; did you mean "get"? [unknown-verb]`)
	in("msg = json.decode('{}')\nmsg:gett()")
	f("return string.trim, string.len, ('x').y", `1: there is no string.trim [unknown-field]`)
	f("log.wran('x')", `1: there is no log.wran; did you mean "warn"? [unknown-field]`)

	// Unused locals.
	f("local a\nlocal b = 1\nlocal _, _c\nreturn b", "1: the local 'a' is never used [unused-local]")
	f("local a = 1\na = 2", "1: the local 'a' is never used [unused-local]")
	f("local a = {}\na.x = 1")
	f("local function f() end\nlocal g = function() end", "1: the local 'f' is never used [unused-local]", "2: the local 'g' is never used [unused-local]")
	f("local ok, err = pcall(print)\nreturn err")
	f("local ok, err = pcall(print)\nreturn ok", "1: the local 'err' is never used [unused-local]")
	f("local a, b = 1, 2\nreturn b", "1: the local 'a' is never used [unused-local]")
	f("local a, b, c = 1, pcall(print)\nreturn c", "1: the local 'a' is never used [unused-local]")
	f("for i = 1, 2 do end for k, v in pairs({}) do end return function(a, b) end")
	f("local a = 1\nreturn function() return a end")
	f("repeat local done = true until done")
	f("repeat local done = true until 1", "1: the local 'done' is never used [unused-local]")
	f("local a = 1\ndo local a = 2 end\nreturn a", "2: the local 'a' is never used [unused-local]")
	f("while true do\nlocal x = 1\nbreak end", "2: the local 'x' is never used [unused-local]")

	// Unreachable code.
	f("do return end\nprint(1)\nprint(2)", "2: nothing gets here [unreachable]")
	in("if msg then return else error('x') end\nprint(1)", "3: nothing gets here [unreachable]")
	in("if msg then return end\nprint(1)")
	in("if msg then return elseif 1 then return end\nprint(1)")
	in("error('x')\nprint(1)", "3: nothing gets here [unreachable]")
	in("local function error() end\nerror('x')\nprint(1)")
	in("while true do print() end\nprint(1)", "3: nothing gets here [unreachable]")
	in("while true do if msg then break end end\nprint(1)")
	in("goto out\nprint(1)\n::out::\nprint(2)", "3: nothing gets here [unreachable]")
	in("for i = 1, 3 do if i then goto continue end print(i) ::continue:: end")

	// Verbs that are not called, or called with a dot.
	in("if msg.from == 'a' then return end", "2: msg.from is a function here, and not what it returns: write msg:from() [uncalled]")
	in("if msg.from then return end", "2: msg.from is true whatever the message is: write msg:from() [uncalled]")
	in("if not msg.id and 1 then return end", "2: msg.id is true whatever the message is: write msg:id() [uncalled]")
	in("print('x' .. msg.from, msg.size + 1)", "2: msg.from is a function here, and not what it returns: write msg:from() [uncalled]",
		"2: msg.size is a function here, and not what it returns: write msg:size() [uncalled]")
	in("local get = msg.get\nreturn get(msg, 'x'), msg.get(msg, 'x')")
	in("msg.to('x')", "2: msg.to(...) fails: a verb takes a colon, as in msg:to(...) [dot-call]")
	in("msg.drop()", "2: msg.drop(...) fails: a verb takes a colon, as in msg:drop(...) [dot-call]")

	// A hidden message.
	in("local msg = 1\nprint(msg)", "2: this 'msg' hides the message of line 1 [shadowed-msg]")
	in("print(function(msg) return msg end)", "2: this 'msg' hides the message of line 1 [shadowed-msg]")
	f("local function a(msg) return msg end\nlocal function b(msg) return a(msg) end\nreturn b")

	// Switched off.
	in("msg:get('x') -- stratix:ignore unused-result")
	in("msg:get('x') --stratix:ignore")
	in("msg:get('x') local a -- stratix:ignore unused-local, unused-result: the path is checked")
	in("msg:get('x') -- stratix:ignore unused-local", "2: the result of msg:get"+nothingElse)
	in("msg:get('x') -- stratix:ignore unused-results",
		`2: there is no warning "unused-results" to ignore; did you mean "unused-result"? [unknown-rule]`, "2: the result of msg:get"+nothingElse)
	in("print()\r\nmsg:get('x') -- stratix:ignore unused-result\r\n")
	in("-- stratix:ignore unused-result\nmsg:get('x')", "3: the result of msg:get"+nothingElse)
}

func TestThePureFunctionsExist(t *testing.T) {
	in := newInstance(t)
	v := in.vocabulary()
	for _, name := range pure {
		library, field, isField := strings.Cut(name, ".")
		if isField && !slices.Contains(v.libraries[library], field) || !isField && !baseGlobals().has(name) {
			t.Errorf("there is no %s", name)
		}
	}
	for kind, verbs := range pureVerbs {
		for _, verb := range verbs {
			if !slices.Contains(v.verbs[kind], verb) {
				t.Errorf("%s has no verb %s", kind, verb)
			}
		}
	}
}

func (k knownGlobals) has(name string) bool {
	_, ok := k[name]
	return ok
}

func TestWarningsComeWithTheGeneration(t *testing.T) {
	gen := mustLoad(t, Options{}, "main.lua", "local words = require 'lib.words'\npipeline { function(msg) words.mask(msg) end }",
		"lib/words.lua", "local words = {}\nfunction words.mask(msg) msg:get('x') end\nreturn words",
		"main_test.lua", "local unused = 1", "notes.txt", "local x")
	want := "lib/words.lua:2: the result of msg:get is thrown away, and it does nothing else [unused-result]"
	if got := strings.Join(gen.Warnings, "\n"); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestTheModulesOfTheBinaryHaveNoWarnings(t *testing.T) {
	known := testVocabulary(t)
	files, err := stdlib.ReadDir(stdlibFolder)
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := stdlib.ReadFile(stdlibFolder + "/" + file.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range warn(file.Name(), text, known) {
			t.Error(p)
		}
	}
}

// FuzzWarn holds the warnings to any text that compiles or not: no panic, each
// with a place in the file, and none that keeps it from compiling.
func FuzzWarn(f *testing.F) {
	for _, seed := range sourceSeeds {
		f.Add(seed)
	}
	for _, seed := range []string{
		"pipeline { function(msg) msg:get('x') if msg.from == 1 then return end end }", "local a, b = f() do return end ::x:: goto x",
		"function a.b:c(...) local msg = ... return msg.x end", "stage.x { y = 1, [2] = 3 }", "repeat local a until a -- stratix:ignore x",
		"while true do end error() -- stratix:ignore",
	} {
		f.Add(seed)
	}
	known := testVocabulary(f)
	f.Fuzz(func(t *testing.T, src string) {
		lines := len(sourceLines([]byte(src)))
		for _, p := range warn(mainFile, []byte(src), known) {
			line := 0
			if _, after, ok := strings.Cut(p.Pos, ":"); ok {
				for _, c := range after {
					line = line*10 + int(c-'0')
				}
			}
			if !isPosition(p.Pos) || line < 1 || line > lines || p.Text == "" || strings.Contains(p.Text, "\n") {
				t.Errorf("%q: warning %q", src, p)
			}
		}
	})
}
