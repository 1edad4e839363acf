package lua

import (
	"strings"
	"testing"

	glua "github.com/yuin/gopher-lua"
)

// original runs body as gopher-lua does by itself, with its own libraries.
func original(t testing.TB, body string) string {
	t.Helper()
	L := glua.NewState()
	defer L.Close()
	fn, err := L.LoadString(body)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	L.Push(fn)
	if err := L.PCall(0, glua.MultRet, nil); err != nil {
		return "error"
	}
	var words []string
	for i := 1; i <= L.GetTop(); i++ {
		words = append(words, L.Get(i).String())
	}
	return strings.Join(words, " ")
}

func TestRewrittenOperatorsMeanTheSame(t *testing.T) {
	v := newTestVM(t, vmOptions{})
	f := func(body string) {
		t.Helper()
		got, want := eval(t, v, body), original(t, body)
		if want == "error" && strings.HasPrefix(got, "main.lua:") {
			return
		}
		if got != want {
			t.Errorf("%s\n got %q\nwant %q", body, got, want)
		}
	}
	f(`return "a" .. "b"`)
	f(`return 1 .. 2`)
	f(`return "a" .. 1.5 .. -3 .. 1e100 .. 2^63 .. "" .. 0/1`)
	f(`return ("a" .. "b") .. ("c" .. ("d" .. "e"))`)
	f(`local function two() return "x", "y" end return "a" .. two(), "b" .. two() .. two()`)
	f(`local function two() return "x", "y" end return two() .. "a", (two())`)
	f(`local function vararg(...) return "a" .. ..., ... end return vararg("x", "y")`)
	f(`local function tail(x) return x .. "!" end return tail("a"), tail(1)`)
	f(`local function again(x) x = x .. "a" x = x .. x return x end return again("b")`)
	f(`local function again(x) x = tostring(x) .. x return x end return again(5)`)
	f(`local function last(a, x) x = a .. x .. a return x end return last("1", "2")`)
	f(`local function less(a, b) b, a = b .. a return a, b end return less("1", "2")`)
	f(`local function cond(x) x = x and x .. "a" or x return x end return cond("b")`)
	f(`local function cond(x) x = not x or x .. "a" return x end return cond("b")`)
	f(`local function cond(x) x = #x > 0 and (x .. "a"):upper() .. x or x return x end return cond("b")`)
	f(`local function sum(x) x = (x .. "1") + x return x end return sum("2")`)
	f(`local function neg(x) x = -(x .. "1") return x end return neg("2")`)
	f(`local function tab(x) x = {x .. "a", [x .. "b"] = x} return x[1], x["cb"] end return tab("c")`)
	f(`local function cmp(x) x = x .. "a" == x return x end return cmp("c")`)
	f(`local function fun(x) x = function() return x end return type(x()) end return fun("c")`)
	f(`local function idx(x) x = ({ab = 5})[x .. "b"] return x end return idx("a")`)
	f(`local s = "" for i = 1, 5 do s = s .. i .. "," end return s`)
	f(`local s = "a" .. "b" == "ab" and "yes" .. "!" or "no" .. "!" return s`)
	f(`return #("a" .. "b"), -("1" .. "2"), not ("a" .. "b"), ("a" .. "b"):upper()`)
	f(`local t = {["a" .. "b"] = "c" .. "d", "e" .. "f"} return t.ab, t[1]`)
	f(`if "a" .. "b" == "ab" then return "c" .. "d" end`)
	f(`while "a" .. "b" == "ab" do return 1 end`)
	f(`local n = 0 repeat n = n + 1 until n .. "" == "3" return n`)
	f(`for w in ("a" .. "b"):gmatch(".") do return w .. w end`)
	f(`return (function() return "a" .. "b" end)() .. "c"`)
	f(`return "a" .. {}`)
	f(`return nil .. "a"`)
	f(`return "a" < "a" .. "b", "x" .. 1 + 2 * 3`)
	f(`local t = {} t[1] = "a" t[2] = t[1] .. "b" return t[1], t[2], #t`)
	f(`local t, i = {}, 1 i, t[i] = i + 1, 20 return i, t[1], t[2]`)
	f(`local t = {} local k = "x" t[k], t.y, t["z"], t[1] = 1, 2, 3, 4 return t.x, t.y, t.z, t[1]`)
	f(`local function three() return 1, 2, 3 end local t, i = {}, 0 t[i + 1], t[i + 2], t[i + 3] = three() return t[1], t[2], t[3]`)
	f(`local function three() return 1, 2, 3 end local t, i = {}, 0 t[i + 1], t[i + 2] = (three()) return t[1], t[2]`)
	f(`local function three() return 1, 2, 3 end local t, i = {}, 0 t[i + 1] = three() t[i + 2] = 5, three() return t[1], t[2], t[3]`)
	f(`local t, i, x = {}, 1 t[i], x = 1 return t[1], x`)
	f(`local t, k = {}, "k" t[k] = {} t[k][k] = {} t[k][k][k] = 5 return t.k.k.k`)
	f(`local t, k = {}, 3 t[k] = 1 t[k] = nil return t[3], next(t)`)
	f(`local t = {} t[nil] = 1`)
	f(`local t = {} t[0/0] = 1`)
	f(`local t, k = nil, 1 t[k] = 1`)
	f(`local t, k, log = {}, "x", {} setmetatable(t, {__newindex = function(t, k, v) rawset(t, k, v .. "!") end}) t[k] = "a" t[k] = "b" return t.x`)
	f(`local t = {[1.5] = "a", [-1] = "b", [0] = "c", [true] = "d", [2^40] = "e"} return t[1.5], t[-1], t[0], t[true], t[2^40]`)
	f(`local k = 3 local t = {1, 2, [k] = 3, [k + 1] = 4} return t[3], t[4], #t`)
	f(`local function two() return 1, 2 end local t = {[two()] = two()} return t[1], t[2]`)
	f(`local t = {} function t.f(x) return x .. "." end function t:g() return self.f("g") end return t.f("a"), t:g()`)

}

// What gopher-lua 1.1.2 by itself gets wrong.
func TestRewritingMendsTheCompiler(t *testing.T) {
	v := newTestVM(t, vmOptions{})
	f := func(body, want string) {
		t.Helper()
		if got := eval(t, v, body); got != want {
			t.Errorf("%s\n got %q\nwant %q", body, got, want)
		}
	}
	f(`local a, b = 1, 2 a, b = b, a return a, b`, "2 1")
	f(`local a, b = 6, 4 a, b = b, a % b return a, b`, "4 2")
	f(`local a, b, c = 1, 2, 3 a, b, c = c, a, b return a, b, c`, "3 1 2")
	f(`local a, b = "1", "2" a, b = b .. a, a .. b return a, b`, "21 12")
	f(`local function each(a, b) b, a = b .. a, a .. b return a, b end return each("1", "2")`, "12 21")
	f(`local function more(a, b) b, a = b .. a, a .. b, a .. b return a, b end return more("1", "2")`, "12 21")
	f(`local function less(a, b) b, a = tostring(b) return a, b end return less("1", "2")`, "nil 2")
	f(`local function f(x) x = (tostring(x)) return x end return f(nil)`, "nil")
	f(`local function f(x) x = tostring(x), 2 return x end return f(5)`, "5")
	f(`local function f(a, x) x, a = (tostring(x)) return x, a end return f(1, 5)`, "5 nil")
	f(`local a a, a = 1, 2 return a`, "1")
	f(`local t = {1, 2, 3} local i, j = 1, 3 t[i], t[j] = t[j], t[i] return t[1], t[2], t[3]`, "3 2 1")
	f(`local t, i = {}, 1 i, t[i] = i + 1, 20 return i, t[1]`, "2 20")
	f(`local a = {} local b = a a, a.x = {}, 1 return b.x, a.x`, "1 nil")

	fifty := strings.Repeat(`"i", `, 50)
	f(`local k = "k" local t = {`+fifty+`[k] = k .. 1, y = k .. 2} return t[1], t[50], #t, t.k, t.y`, "i i 50 k1 k2")
	f(`local function two() return 1, 2 end local k = "k" local t = {`+fifty+`two(), [k] = 1} return #t, t[51]`, "51 1")
	f(`local function two() return 1, 2 end local k = "k" local t = {`+fifty+`[k] = 1, "i", two()} return #t, t[53], t.k`, "53 2 1")
}

func TestLongChainsAreJoinedInGroups(t *testing.T) {
	v := newTestVM(t, vmOptions{})
	chain := "return " + strings.Repeat("'abc' .. ", 5000) + "'end'"
	if got := eval(t, v, chain); got != strings.Repeat("abc", 5000)+"end" {
		t.Errorf("got %d bytes", len(got))
	}
}

func TestRewrittenOperatorsKeepTheirLines(t *testing.T) {
	v := newTestVM(t, vmOptions{})
	f := func(body, want string) {
		t.Helper()
		if got := eval(t, v, body); got != want {
			t.Errorf("%s\n got %q\nwant %q", body, got, want)
		}
	}
	f("local a = nil\n\nlocal b = 'x' .. a\nreturn b", "main.lua:3: attempt to concatenate a nil value")
	f("local a = nil\nlocal function join(x)\n  return x .. 'x'\nend\njoin(a)", "main.lua:3: attempt to concatenate a nil value")
	f("local t, k\nk = 1\n\nt[k] = 1", "main.lua:4: attempt to index a non-table object(nil) with key '1'")
	f("local t, k = {}, 0/0\n\nt[k] = 1", "main.lua:3: table index is NaN")
	f("local t, k = {}, 0/0\n\nt[1], t[k] = 1, 2", "main.lua:3: table index is NaN")
}
