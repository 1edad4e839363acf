package lua

import "testing"

func TestTables(t *testing.T) {
	v := newTestVM(t, vmOptions{})
	f := func(body, want string) {
		t.Helper()
		if got := eval(t, v, body); got != want {
			t.Errorf("%s\n got %q\nwant %q", body, got, want)
		}
	}
	const list = `local t = {1, 2, 3} `
	f(list+`table.insert(t, 4) return unpack(t)`, "1 2 3 4")
	f(list+`table.insert(t, 1, 0) return unpack(t)`, "0 1 2 3")
	f(list+`table.insert(t, 4, 9) return unpack(t)`, "1 2 3 9")
	f(list+`table.insert(t, 5, 9)`, "main.lua:1: bad argument #2 to insert (position out of bounds)")
	f(list+`table.insert(t, 0, 9)`, "main.lua:1: bad argument #2 to insert (position out of bounds)")
	f(list+`table.insert(t)`, "main.lua:1: wrong number of arguments to 'insert'")
	f(list+`return table.remove(t), #t, unpack(t)`, "3 2 1 2")
	f(list+`return table.remove(t, 1), unpack(t)`, "1 2 3")
	f(list+`return table.remove(t, 9), #t`, "nil 3")
	f(`return table.remove({})`, "nil")
	f(list+`t[3] = nil return table.remove(t), #t`, "2 1")
	f(list+`return table.concat(t), table.concat(t, ", "), table.concat(t, "-", 2), table.concat(t, "-", 2, 2), table.concat(t, "-", 3, 2)`, "123 1, 2, 3 2-3 2 ")
	f(`return table.concat({}), table.concat({"a", 1.5}, 1)`, " a11.5")
	f(list+`return table.concat(t, ",", 1, 1e9)`, "main.lua:1: invalid value (nil) at index 4 in table for 'concat'")
	f(`return table.maxn({1, 2, [10] = 1, [2.5] = 2, x = 3}), table.maxn({})`, "10 0")
	f(`local t = {5, 2, 8, 1} table.sort(t) return unpack(t)`, "1 2 5 8")
	f(`local t = {5, 2, 8, 1} table.sort(t, function(a, b) return a > b end) return unpack(t)`, "8 5 2 1")
	f(`local t = {"b", "a", "c"} table.sort(t) return unpack(t)`, "a b c")
	f(`local t = {5, 2, 8, 1} pcall(table.sort, t, function() error("no") end) return unpack(t)`, "5 2 8 1")
	f(`local t = {} for i = 1, 100 do t[i] = i end table.sort(t, function() return true end) local s = 0 for _, x in ipairs(t) do s = s + x end return s`, "5050")
	f(`local t = {} for i = 1, 100 do t[i] = (i * 37) % 101 end local change = rawset table.sort(t, function(a, b) change(t, 5, nil) return a < b end) return t[1], t[5], t[100]`, "1 5 100")
	f(`table.sort({3, 1}, 5)`, "main.lua:1: bad argument #2 to sort (function expected, got number)")
	f(`local t = {} t[99999] = 1`, "main.lua:1: instruction budget of 100000 exceeded")
	f(`local t = {} t[100000] = 1 t[2e7] = 2 return t[100000], t[2e7], #t`, "1 2 0")
}

func TestNumbers(t *testing.T) {
	v := newTestVM(t, vmOptions{})
	f := func(expressions, want string) {
		t.Helper()
		if got := eval(t, v, "return "+expressions); got != want {
			t.Errorf("%s\n got %q\nwant %q", expressions, got, want)
		}
	}
	f(`math.floor(2.7), math.ceil(2.1), math.abs(-3), math.sqrt(16), math.max(1, 5, 3), math.min(4, 2)`, "2 3 3 4 5 2")
	f(`math.huge, -math.huge, math.floor(math.pi * 100), math.fmod(-7, 3), math.pow(2, 10)`, "+Inf -Inf 314 -1 1024")
	f(`math.modf(3.5)`, "3 0.5")
	f(`math.modf(-math.huge)`, "-Inf 0")
	f(`math.frexp(8)`, "0.5 4")
	f(`math.ldexp(0.5, 4), math.deg(math.pi), math.rad(180) == math.pi`, "8 180 true")
	f(`math.random() < 1, math.random(1), math.random(5, 5)`, "true 1 5")
	f(`(function() for i = 1, 1000 do local n = math.random(3) if n < 1 or n > 3 or n % 1 ~= 0 then return n end end return "ok" end)()`, "ok")
	f(`(function() for i = 1, 1000 do local n = math.random(-2, 2) if n < -2 or n > 2 then return n end end return "ok" end)()`, "ok")
	f(`math.random(0)`, "main.lua:1: bad argument #1 to random (interval is empty)")
	f(`math.random(2, 1)`, "main.lua:1: bad argument #2 to random (interval is empty)")
	f(`math.random(0/0)`, "main.lua:1: bad argument #1 to random (interval is empty)")
	f(`math.random(-1e300, 1e300)`, "main.lua:1: bad argument #2 to random (interval is empty)")
	f(`math.randomseed(42)`, "")
	f(`math.max()`, "main.lua:1: bad argument #1 to max (number expected, got nil)")
}

func TestDates(t *testing.T) {
	v := newTestVM(t, vmOptions{})
	f := func(expressions, want string) {
		t.Helper()
		if got := eval(t, v, "return "+expressions); got != want {
			t.Errorf("%s\n got %q\nwant %q", expressions, got, want)
		}
	}
	const leapDay = "1709210096" // Thursday, 29 February 2024, 12:34:56 UTC
	f(`os.date("!%Y-%m-%d %H:%M:%S", `+leapDay+`)`, "2024-02-29 12:34:56")
	f(`os.date("!%c|%x|%X|%p|%I|%y", `+leapDay+`)`, "Thu Feb 29 12:34:56 2024|02/29/24|12:34:56|PM|12|24")
	f(`os.date("!%a %A %b %B %d %e %j %w %U %W %Z %%", `+leapDay+`)`, "Thu Thursday Feb February 29 29 060 4 08 09 UTC %")
	f(`os.date("!*t", `+leapDay+`).yday, os.date("!*t", `+leapDay+`).wday, os.date("!*t", `+leapDay+`).hour`, "60 5 12")
	f(`os.date("!", 0)`, "")
	f(`os.date("", 0)`, "")
	f(`type(os.date()), type(os.time()), os.clock() >= 0`, "string number true")
	f(`os.time{year = 2024, month = 2, day = 30, hour = 0} == os.time{year = 2024, month = 3, day = 1, hour = 0}`, "true")
	f(`os.date("*t", os.time{year = 2024, month = 5, day = 6}).hour`, "12")
	f(`os.time{year = 2024}`, "main.lua:1: field 'month' missing in date table")
	f(`os.time{year = 1e300, month = 1, day = 1}`, "main.lua:1: field 'year' is out of range")
}
