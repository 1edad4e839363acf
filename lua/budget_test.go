package lua

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatTakesMemoryIsPaidFor(t *testing.T) {
	const most = 64 // bytes for an instruction
	f := func(body string) {
		t.Helper()
		v := newTestVM(t, vmOptions{})
		fn := v.L.NewFunctionFromProto(mustCompile(t, body).Proto)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := v.call(fn, 0)
		runtime.ReadMemStats(&after)
		var script *ScriptError
		if !errors.As(err, &script) || !script.Budget {
			t.Errorf("%s\n got %#v", body, err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > uint64(most*v.used()) {
			t.Errorf("%s\ntakes %d bytes in %d instructions", body, took, v.used())
		}
	}
	f(`local t while true do t = {t} end`)
	f(`local t while true do t = {a = {t}} end`)
	f(`local t while true do local u = {} u.a, u.b = t, t t = u end`)
	f(`local t while true do t = {t, function() return t end} end`)
	f(`local t, i = {}, 0 while true do i = i + 1 t["k" .. i] = i end`)
	f(`local t while true do t = {t, ("x"):rep(1000)} end`)
}

func TestWhatRunsAwayEndsWithinTheBudget(t *testing.T) {
	v := newTestVM(t, vmOptions{})
	over := func(body string) {
		t.Helper()
		err := v.call(v.L.NewFunctionFromProto(mustCompile(t, body).Proto), 0)
		var script *ScriptError
		if !errors.As(err, &script) || !script.Budget || script.Panic || !strings.HasPrefix(script.Pos, "main.lua:") {
			t.Errorf("%s\n got %#v", body, err)
		} else if want := "instruction budget of 100000 exceeded"; script.Text != want {
			t.Errorf("%s\n got %q\nwant %q", body, script.Text, want)
		}
		if v.used() != 100000 {
			t.Errorf("%s: %d instructions used", body, v.used())
		}
		usable(t, v, body)
	}
	over(`while true do end`)
	over(`repeat until false`)
	over(`::again:: goto again`)
	over(`for i = 1, math.huge do end`)
	over(`local function f() return f() end f()`)
	over(`while true do pcall(error) end`)
	over(`while true do pcall(function() while true do end end) end`)
	over(`local function f() pcall(f) while true do end end f()`)
	over(`pcall(pcall, pcall, function() while true do end end)`)
	over(`xpcall(function() while true do end end, function() while true do end end)`)
	over(`local t = setmetatable({}, {__index = function(t, k) return t[k] end}) while true do pcall(function() return t.x end) end`)
	over(`while true do print("x") end`)
	over(`local s = ("x"):rep(1000) while true do s:upper() end`)
	over(`local s = ("x"):rep(100000) while true do local n = s:find("y", 1, true) end`)
	over(`return ("a"):rep(30000):find(("a-"):rep(14) .. "b")`)
	over(`return ("a"):rep(300):find(("a?"):rep(100) .. ("a"):rep(100) .. "b")`)
	over(`return ("a"):rep(100000):match(".-.-.-.-b")`)
	over(`return ("(" ):rep(60000):gsub("%b()", "")`)
	over(`for w in ("a"):rep(100000):gmatch(".*b") do end`)
	over(`local n = 0 return ("x"):rep(60000):gsub(".", function() for i = 1, 10 do end end)`)
	over(`local t = {} for i = 1, 20000 do table.insert(t, 1, i) end`)
	over(`local t = {} while true do t[99999] = true t = {} end`)
	over(`local t = {[99999] = true}`)
	over(`local t, i = {}, 1 while true do t[i], t[99998] = i, i t = {} end`)
	over(`rawset({}, 99999, 1)`)
	over(`local t = {} for i = 1, 20000 do t[i] = i % 7 end table.sort(t)`)
	over(`local t = {} for i = 1, 5000 do t[i] = i end table.sort(t, function(a, b) while true do end end)`)
	over(`local s = "x" while true do s = s .. s s = s:sub(1, 1000) end`)
	over(`local t = {} for i = 1, 1000 do t[i] = ("x"):rep(1000) end while true do table.concat(t, ",") end`)
	over(`local s = ("x"):rep(500000) while true do string.format("%s", s) end`)
	over(`while true do os.date("%c%c%c%c%c") end`)
	over(`while true do tostring(setmetatable({}, {__tostring = function() return "x" end})) end`)
	over(`local t = setmetatable({}, {__eq = function() while true do end end}) return t == setmetatable({}, getmetatable(t))`)
}

func TestWhatIsTooLargeIsRefused(t *testing.T) {
	v := newTestVM(t, vmOptions{})
	f := func(body, want string) {
		t.Helper()
		if got := eval(t, v, body); !strings.HasSuffix(got, want) || !strings.HasPrefix(got, "main.lua:") {
			t.Errorf("%s\n got %q\nwant %q", body, got, want)
		}
		if v.broken {
			t.Fatalf("%s broke the VM", body)
		}
		usable(t, v, body)
	}
	const tooLong = "string of more than 1048576 bytes"
	f(`return ("x"):rep(1e9)`, tooLong)
	f(`return ("x"):rep(1e300)`, tooLong)
	f(`return ("xy"):rep(2^62)`, tooLong)
	f(`return string.format(("%99d"):rep(20000), unpack({}))`, "bad argument #2 to format (no value)")
	f(`return string.format("%999d", 1)`, "invalid format (width or precision too long)")
	f(`return unpack({}, 1, 1e8)`, "too many results to unpack (at most 1024)")
	f(`return unpack({}, -2^62, 2^62)`, "too many results to unpack (at most 1024)")
	f(`return ("x"):rep(2000):byte(1, -1)`, "string slice too long (at most 1024)")
	f(`local function f() return 1 + f() end return f()`, "stack overflow")
	f(`local function f() return pcall(f) end return select("#", f()) + nil`, "cannot perform add operation between number and nil")
	f(`local t = {} t.x = setmetatable(t, {__index = t}).y`, "too many recursions in gettable")
	f(`local t = {} return setmetatable(t, {__index = setmetatable({}, {__index = function(_, k) return t[k] end})}).x`, "stack overflow")
	f(`local a, b = {}, {} setmetatable(a, {__index = b}) setmetatable(b, {__index = a}) return a.x`, "too many recursions in gettable")
	f(`local a, b = {}, {} setmetatable(a, {__newindex = b}) setmetatable(b, {__newindex = a}) a.x = 1`, "too many recursions in settable")
	f(`local t = {} setmetatable(t, {__tostring = tostring}) return tostring(t)`, "stack overflow")
	f(`local mt = {} mt.__lt = function(a, b) return a < b end return setmetatable({}, mt) < setmetatable({}, mt)`, "stack overflow")
	f(`local t = setmetatable({}, {}) getmetatable(t).__call = t return t()`, "attempt to call a non-function object")
	f(`local t = setmetatable({}, {__call = pcall}) return nil + select("#", t())`, "cannot perform add operation between nil and number")
	f(`return table.concat({("x"):rep(6e5), ("x"):rep(6e5)})`, tooLong)
	f(`return table.concat({1, {}, 3})`, "invalid value (table) at index 2 in table for 'concat'")
	f(`table.sort({3, "x", {}, 1, nil, 5})`, "attempt to compare string with number")
	f(`return os.date(("%c"):rep(1000))`, "bad argument #1 to date (format too long)")
	f(`return os.date("%")`, "bad argument #1 to date (invalid conversion specifier '%')")
	f(`return os.date("%E")`, "bad argument #1 to date (invalid conversion specifier '%E')")
	f(`return os.date("%c", 1e300)`, "bad argument #2 to date (time out of range)")
	f(`return os.date("%c", 0/0)`, "bad argument #2 to date (time out of range)")
}

// What the load budget allows must still be bounded in memory.
func TestLoadBudgetIsFinite(t *testing.T) {
	v := newTestVM(t, vmOptions{})
	f := func(src, want string) {
		t.Helper()
		err := v.run(mustCompile(t, src))
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s\n got %v\nwant %s", src, err, want)
		}
	}
	f(`while true do end`, "instruction budget of 10000000 exceeded")
	f(`local s = "x" while true do s = s .. s end`, "string of more than 1048576 bytes")
	f(`local s = "x" while true do s = s .. 1 .. s .. 2.5 .. s end`, "string of more than 1048576 bytes")
	f(`local t = {} for i = 1, 1e6 do t[#t + 1] = i end`, "a list holds at most 99999 values")
	f(`local t = {} for i = 1, 1e6 do table.insert(t, i) end`, "a list holds at most 99999 values")
	f(`return ("x"):rep(1e6):gsub("x", "xx")`, "string of more than 1048576 bytes")
	f(`return ("x"):rep(1e6):gsub("", "y")`, "string of more than 1048576 bytes")
	f(`return ("x"):rep(1e6):gsub("x", function(x) return ("y"):rep(1e6) end)`, "string of more than 1048576 bytes")
	f(`return string.format(("%99d"):rep(100), 1) .. string.format("%s%s", ("x"):rep(1e6), ("x"):rep(1e6))`, "bad argument #3 to format (no value)")
	f(`return string.format("%s%s", ("x"):rep(1e6), ("x"):rep(1e6))`, "string of more than 1048576 bytes")
	f(`return string.format("%q", ("\n"):rep(1e6))`, "string of more than 1048576 bytes")
	f(`local function f(...) return 1 + f(1, 2, 3, 4, 5, 6, 7, 8, ...) end f(unpack({}, 1, 1000))`, "registry overflow")
	f(`local t = {} t[2e7] = true return #t + nil`, "cannot perform add operation between number and nil")
	if v.broken {
		t.Fatal("the VM is broken")
	}
	usable(t, v, "loading")
}

// gopher-lua cannot report this one: it panics while it looks for the place.
func TestATailCallThatOverflowsTheRegistryBreaksTheVM(t *testing.T) {
	f := func(body string) {
		t.Helper()
		v := newTestVM(t, vmOptions{})
		fn := handler(t, v, "return function() local function f(...) return f("+strings.Repeat("1, ", 100)+"...) end "+body+" end")
		var script *ScriptError
		if err := v.call(fn, 0); !errors.As(err, &script) || !script.Panic || !v.broken {
			t.Errorf("%s: got %#v", body, err)
		}
	}
	f("f()")
	f("pcall(f)")
	f("pcall(pcall, f)")
}

func TestSlowInstructionsEndByTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget()
		b.reset(10*clockEvery, time.Second)
		count := func(n int) (ended bool) {
			for range n {
				if b.Done() != nil {
					return true
				}
			}
			return false
		}
		if count(2 * clockEvery) {
			t.Fatal("ended at once")
		}
		time.Sleep(2 * time.Second)
		if !count(2 * clockEvery) {
			t.Fatal("not ended after two seconds")
		}
		if want := "time budget of 1s exceeded"; b.Err().Error() != want || !b.exhausted() || b.charge(0) {
			t.Errorf("got %v", b.Err())
		}
	})
}

func TestACallEndsByTheClock(t *testing.T) {
	v := newTestVM(t, vmOptions{})
	v.callTime = time.Nanosecond
	fn := handler(t, v, "return function() while true do pcall(function() while true do end end) end end")
	var script *ScriptError
	if err := v.call(fn, 0); !errors.As(err, &script) || !script.Budget || script.Text != "time budget of 1ns exceeded" {
		t.Errorf("got %v", err)
	}
	usable(t, v, "the clock")
}

func TestBudgetCountsInstructionsAndCharges(t *testing.T) {
	b := newBudget()
	f := func(limit, charge, done int, wantUsed int, wantEnded bool) {
		t.Helper()
		b.reset(limit, time.Second)
		ended := !b.charge(charge)
		for range done {
			ended = b.Done() != nil || ended
		}
		if b.used() != wantUsed || ended != wantEnded || ended != b.exhausted() || b.left() != limit-wantUsed {
			t.Errorf("limit %d, charge %d, %d instructions: used %d, left %d, ended %v", limit, charge, done, b.used(), b.left(), ended)
		}
	}
	f(10, 0, 10, 10, false)
	f(10, 0, 11, 10, true)
	f(10, 10, 0, 10, false)
	f(10, 11, 0, 10, true)
	f(5000, 0, 5000, 5000, false)
	f(5000, 4000, 1000, 5000, false)
	f(5000, 4000, 1001, 5000, true)
	f(5000, 0, 3000, 3000, false)
	f(5000, 1<<50, 0, 5000, true)
}
