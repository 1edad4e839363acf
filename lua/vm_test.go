package lua

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	glua "github.com/yuin/gopher-lua"
)

// newTestVM is a VM with the smallest set of globals, the sandbox, and no limit
// of time: the machine that runs the tests may be slow.
func newTestVM(t testing.TB, opt vmOptions) *vm {
	t.Helper()
	v := newVM(opt)
	v.callTime, v.loadTime = time.Hour, time.Hour
	t.Cleanup(v.close)
	return v
}

// mustCompile compiles src as main.lua.
func mustCompile(t testing.TB, src string) *Chunk {
	t.Helper()
	chunk, problems := compile(mainFile, []byte(src), baseGlobals())
	if len(problems) > 0 {
		t.Fatalf("compile %s: %v", src, Problems(problems))
	}
	return chunk
}

// handler runs a file that ends in `return function ... end` and gives that function.
func handler(t testing.TB, v *vm, src string) *glua.LFunction {
	t.Helper()
	fn := v.L.NewFunctionFromProto(mustCompile(t, src).Proto)
	if err := v.call(fn, 1); err != nil {
		t.Fatalf("run %s: %v", src, err)
	}
	return v.L.Get(1).(*glua.LFunction)
}

// eval runs the statements of body as one call within the budget of a message,
// and gives the text of what they return, or of their error.
func eval(t testing.TB, v *vm, body string) string {
	t.Helper()
	if err := v.call(v.L.NewFunctionFromProto(mustCompile(t, body).Proto), glua.MultRet); err != nil {
		return err.Error()
	}
	var words []string
	for i := 1; i <= v.L.GetTop(); i++ {
		words = append(words, v.L.Get(i).String())
	}
	return strings.Join(words, " ")
}

// usable fails the test when v cannot serve another call.
func usable(t *testing.T, v *vm, after string) {
	t.Helper()
	const next = `local t = {} for i = 1, 10 do t[i] = "n" .. i end return #t, t[10], select("#", pcall(error, "x"))`
	if got := eval(t, v, next); got != "10 n10 2" {
		t.Errorf("after %s: the next call gives %q", after, got)
	}
}

func TestBuiltIns(t *testing.T) {
	v := newTestVM(t, vmOptions{})
	f := func(body, want string) {
		t.Helper()
		if got := eval(t, v, body); got != want {
			t.Errorf("%s\n got %q\nwant %q", body, got, want)
		}
	}
	f(`return assert(1, 2)`, "1 2")
	f(`assert(false)`, "main.lua:1: assertion failed!")
	f(`assert(nil, "no luck")`, "main.lua:1: no luck")
	f(`error("bad")`, "main.lua:1: bad")
	f(`error("bad", 0)`, "main.lua:1: bad") // the place comes from the stack
	f("local function check(x)\n  error('wrong ' .. x, 2)\nend\ncheck(5)\nreturn 1", "main.lua:4: wrong 5")
	f(`error({code = 4})`, "main.lua:1: error object is a table value")
	f(`error()`, "main.lua:1: error object is a nil value")
	f("error('two\\nlines')", "main.lua:1: two lines")
	f(`return pcall(error, "x")`, "false x")
	f(`local ok, e = pcall(error, {code = 4}) return ok, e.code`, "false 4")
	f(`return pcall(function(...) return select("#", ...), ... end, 7, nil)`, "true 2 7 nil")
	f(`return pcall(7)`, "false main.lua:1: attempt to call a non-function object")
	f(`return xpcall(function() error("x", 0) end, function(e) return "handled " .. e end)`, "false handled x")
	f(`return xpcall(function() return 1, 2 end, print)`, "true 1 2")
	f(`return xpcall(error, function(e) error("worse", 0) end)`, "false worse")
	f("\ufeffreturn 1", "1")
	f(`local n = nil; return n.field`, "main.lua:1: attempt to index a non-table object(nil) with key 'field'")
	f(`return select(2, "a", "b", "c")`, "b c")
	f(`return select(-1, "a", "b", "c")`, "c")
	f(`return select(9, "a")`, "")
	f(`return select(0, "a")`, "main.lua:1: bad argument #1 to select (index out of range)")
	f(`return unpack({1, 2, nil, 4}, 2, 4)`, "2 nil 4")
	f(`return unpack({}, 3, 1)`, "")
	f(`return tostring(nil), tostring(1e15), tostring(0.1), tostring(-0.5), tostring(2^53)`, "nil 1000000000000000 0.1 -0.5 9007199254740992")
	f(`return tostring(setmetatable({}, {__tostring = function() return "me" end}))`, "me")
	f(`return tostring(setmetatable({}, {__tostring = function() return {} end}))`, "main.lua:1: '__tostring' must return a string")
	f(`return type(nil), type(print), type({}), type("")`, "nil function table string")
	f(`type()`, "main.lua:1: bad argument #1 to type (value expected)")
	f(`return rawequal("a", "a"), rawequal({}, {})`, "true false")
	f(`local t = setmetatable({}, {__newindex = error}) rawset(t, "a", 1) return rawget(t, "a")`, "1")
	f(`return getmetatable("x"), getmetatable({}), getmetatable(1)`, "false nil nil")
	f(`return setmetatable(1, {})`, "main.lua:1: bad argument #1 to setmetatable (table expected, got number)")
	f(`return setmetatable(setmetatable({}, {__metatable = "locked"}), {})`, "main.lua:1: cannot change a protected metatable")
	f(`local out = "" for k, v in pairs({"a", "b", x = "c"}) do out = out .. k .. v end return out`, "1a2bxc")
	f(`local out = "" for i, v in ipairs({"a", "b", nil, "d"}) do out = out .. i .. v end return out`, "1a2b")
	f(`return next({}), next({5})`, "nil 1 5")
	// No addresses: a replay would come out another way each time.
	f(`return tostring({}), tostring(print), tostring(function() end), string.format("%s", {})`, "table function function table")
	f(`return tostring(setmetatable({}, {__tostring = function() return "mine" end}))`, "mine")
	f(`return _VERSION`, "Lua 5.1")
	f(`goto done do return 1 end ::done:: return 2`, "2")
}

func TestToNumber(t *testing.T) {
	v := newTestVM(t, vmOptions{})
	f := func(args, want string) {
		t.Helper()
		if got := eval(t, v, "return tonumber("+args+")"); got != want {
			t.Errorf("tonumber(%s) = %s, want %s", args, got, want)
		}
	}
	f(`"10"`, "10")
	f(`" 10\n"`, "10")
	f(`"1e3"`, "1000")
	f(`"-.5"`, "-0.5")
	f(`"+7"`, "7")
	f(`"0x1F"`, "31")
	f(`"-0x10"`, "-16")
	f(`"ff", 16`, "255")
	f(`"0xff", 16`, "255")
	f(`"zz", 36`, "1295")
	f(`"8", 8`, "nil")
	f(`""`, "nil")
	f(`"1_000"`, "nil")
	f(`"0b1"`, "nil")
	f(`"1 2"`, "nil")
	f(`"inf"`, "nil")
	f(`"nan"`, "nil")
	f(`"--1"`, "nil")
	f(`{}`, "nil")
	f(`nil`, "nil")
	f(`"1", 99`, "main.lua:1: bad argument #2 to tonumber (base out of range)")
}

func TestTheSandboxHasNoWayOut(t *testing.T) {
	v := newTestVM(t, vmOptions{})
	known := baseGlobals()
	v.L.G.Global.ForEach(func(key, _ glua.LValue) {
		name := key.String()
		if _, ok := known[name]; !ok && name[0] != '(' {
			t.Errorf("the global %s is not listed", name)
		}
	})
	for _, name := range []string{
		"_G", "setfenv", "getfenv", "load", "loadstring", "dofile", "loadfile", "module", "newproxy",
		"collectgarbage", "coroutine", "io", "debug", "channel", "package", "_printregs",
	} {
		if _, ok := known[name]; ok || v.L.GetGlobal(name) != glua.LNil {
			t.Errorf("scripts can reach %s", name)
		}
	}
	f := func(body, want string) {
		t.Helper()
		if got := eval(t, v, body); got != want {
			t.Errorf("%s\n got %q\nwant %q", body, got, want)
		}
	}
	for _, name := range []string{"execute", "exit", "getenv", "remove", "rename", "setenv", "setlocale", "tmpname"} {
		f("return os."+name, "nil")
	}
	f(`return string.dump`, "nil")
	f(`local function change(t) t.find = nil end change(string)`, "main.lua:1: a built-in table cannot be changed")
	f(`local function change(t) t.fnd = 1 end change(string)`, "main.lua:1: a built-in table cannot be changed")
	f(`local set = rawset set(string, "find", nil)`, "main.lua:1: bad argument #1 to set (the table is protected)")
	f(`local insert = table.insert insert(string, 1)`, "main.lua:1: bad argument #1 to insert (the table is protected)")
	f(`local set = setmetatable set(string, {})`, "main.lua:1: cannot change a protected metatable")
	f(`return getmetatable(string)`, "false")
	f(`local s = "" local function change(t) t.find = nil end change(s)`, "main.lua:1: attempt to index a non-table object(string) with key 'find'")
	f(`return ("x"):find("x")`, "1 1")
}

func TestFrozenGlobals(t *testing.T) {
	v := newTestVM(t, vmOptions{})
	if err := v.run(mustCompile(t, "limit = 5")); err != nil {
		t.Fatal(err)
	}
	v.freeze()
	v.freeze()
	err := v.run(mustCompile(t, "other = 5"))
	if want := "main.lua:1: globals cannot be created while messages are handled"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if got := v.L.GetGlobal("limit").String(); got != "5" {
		t.Errorf("limit is %s", got)
	}
}

func TestCallGivesResultsAndErrors(t *testing.T) {
	v := newTestVM(t, vmOptions{})
	swap := handler(t, v, `return function(a, b) return b, a end`)
	for range 3 {
		if err := v.call(swap, 2, glua.LNumber(1), glua.LString("x")); err != nil {
			t.Fatal(err)
		}
		if a, b := v.L.Get(1).String(), v.L.Get(2).String(); a != "x" || b != "1" {
			t.Fatalf("got %s and %s", a, b)
		}
	}
	if used := v.used(); used != 2 {
		t.Errorf("%d instructions used", used)
	}
	fail := handler(t, v, "return function(x)\n  return x + {}\nend")
	err := v.call(fail, 1, glua.LNumber(1))
	want := ScriptError{Pos: "main.lua:2", Text: "cannot perform add operation between number and table"}
	var script *ScriptError
	if !errors.As(err, &script) || *script != want {
		t.Errorf("got %#v", err)
	}
	if v.L.GetTop() != 0 {
		t.Errorf("%d values are left on the stack", v.L.GetTop())
	}
	usable(t, v, "an error")
}

func TestAPanicOfGoCodeBreaksTheVM(t *testing.T) {
	v := newTestVM(t, vmOptions{Open: func(v *vm) {
		v.L.SetGlobal("type", v.L.NewFunction(func(*glua.LState) int {
			var p *vm
			return len(p.loading)
		}))
	}})
	fn := handler(t, v, "return function()\n  return pcall(pcall, type)\nend")
	var script *ScriptError
	if err := v.call(fn, 1); !errors.As(err, &script) || !script.Panic || script.Pos != "main.lua:2" || script.Budget {
		t.Errorf("got %#v", err)
	}
	if !v.broken {
		t.Error("the VM is not marked broken")
	}
	if err := v.call(fn, 1); !errors.As(err, &script) || !script.Panic {
		t.Errorf("a broken VM gives %v", err)
	}
}

func TestPrintLogsWithItsPlace(t *testing.T) {
	var got []string
	v := newTestVM(t, vmOptions{Log: func(level slog.Level, pos, text string, _ ...slog.Attr) {
		got = append(got, level.String()+" "+pos+" "+text)
	}})
	eval(t, v, "print('a', 1, nil, {} ~= nil)\nprint()\npcall(print, ('x'):rep(5000))")
	want := []string{"INFO main.lua:1 a\t1\tnil\ttrue", "INFO main.lua:2 ", "INFO main.lua:3 " + strings.Repeat("x", maxLogText)}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q", got)
	}
}

func TestCallsDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	v := newTestVM(t, vmOptions{})
	fn := handler(t, v, `return function(msg) local n = 1 if msg then n = n + 1 end return n end`)
	var arg glua.LValue = v.L.NewUserData()
	allocs := testing.AllocsPerRun(1000, func() {
		if err := v.call(fn, 1, arg); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations a call", allocs)
	}
}
