package lua

import (
	"strings"
	"testing"
)

// The cases where gopher-lua's own library gives what Lua 5.1 does.
func TestStringsAsInTheOriginal(t *testing.T) {
	v := newTestVM(t, vmOptions{})
	f := func(expressions string) {
		t.Helper()
		body := "return " + expressions
		got, want := eval(t, v, body), original(t, body)
		if want == "error" && strings.HasPrefix(got, "main.lua:1: ") {
			return
		}
		if got != want {
			t.Errorf("%s\n got %q\nwant %q", expressions, got, want)
		}
	}
	for _, s := range []string{`""`, `"a"`, `"hello world"`, `"key = value, other=  12"`, `"a.b.c"`, `"((x))(y)"`, `"THE (quick) fox"`, `"  trim  "`, `"äöü"`} {
		f(`(` + s + `):len(), (` + s + `):reverse(), #(` + s + `)`)
		for _, i := range []string{"1", "2", "0", "-1", "-3", "99", "-99"} {
			f(`(` + s + `):sub(` + i + `)`)
			f(`(` + s + `):sub(` + i + `, 3), (` + s + `):sub(2, ` + i + `), (` + s + `):sub(` + i + `, -2)`)
		}
		for _, pattern := range []string{
			"a", "%a+", "(%a+)", "(%w+)%s*=%s*(%w+)", "^%s*(.-)%s*$", "%(([^()]*)%)", "()", "(o)(r)", "l+", "l*", "l-", "l?", "h.l",
			"%.", "[a-e]", "[^a-e]+", "[%a%s]+", "[]]", "[^]]", "[a-]", "[-a]", "%u+", "%l%l%l", "%d+", "%x+", "%p", "%s+", "%S+", "%W",
			"(a)%1", "(.)%1", "(.).-%1", "%b()", "^h", "d$", "^$", "$", "x*$", ".$", "(.)(.)(.)", "((a)(b?))", "e.*o", "e.-o", "o w", "%c", "%%",
		} {
			// gopher-lua gives no value at all where nothing matches.
			f(`(function(...) if ... == nil then return nil end return ... end)((` + s + `):match("` + pattern + `"))`)
			f(`(` + s + `):find("` + pattern + `")`)
			f(`(` + s + `):gsub("` + pattern + `", "<%0>", 2)`)
			f(`(` + s + `):gsub("` + pattern + `", "<%1>")`)
			f(`(` + s + `):gsub("` + pattern + `", {a = "A", l = 1, o = false, hello = "bye"})`)
			f(`(` + s + `):gsub("` + pattern + `", function(a, b) if b then return b .. "," .. a end return a ~= "l" and a end)`)
			f(`(function() local out = "" for a, b in (` + s + `):gmatch("` + strings.TrimPrefix(pattern, "^") + `") do out = out .. a .. (b or "-") .. ";" end return out end)()`)
		}
	}
	f(`("abc"):byte(2)`)
	f(`("abc"):byte(1, -1)`)
	f(`string.char(72, 105), string.char()`)
	f(`("ab"):rep(3), ("ab"):rep(0), ("ab"):rep(-1), (""):rep(5)`)
	f(`("AbC"):lower(), ("AbC"):upper()`)
	f(`("a+b"):find("+", 1, true), ("a+b"):find("+b", 2, true), ("a+b"):find("x", 1, true)`)
	f(`("hello"):find("l", 4), ("hello"):find("l", -2), ("hello"):match("l.", 4)`)
	for _, args := range []string{
		`"%d %i", 5, -7.0`, `"%5d|%-5d|%05d|%+d|% d", 1, 2, 3, 4, 5`, `"%.3d", 7`, `"%x %X %o %#x", 255, 255, 8, 255`,
		`"%c%c", 72, 105`, `"%e %E", 12345.678, 0.5`, `"%f %.2f %8.3f|%-8.1f|", 1.5, 2.345, 3.14159, 2.25`, `"%s %s", "a", 12`,
		`"%5s|%-5s|", "ab", "cd"`, `"%.2s", "abc"`, `"%%"`, `"100%% %d", 5`, `"plain"`, `""`, `"%s", true`, `"%.10g %.1g %g", 0.1, 123, 1.5`, `"%d", "10"`,
	} {
		f(`string.format(` + args + `)`)
	}
}

// The cases where Lua 5.1 differs from gopher-lua.
func TestStringsAsInLua51(t *testing.T) {
	v := newTestVM(t, vmOptions{})
	f := func(expressions, want string) {
		t.Helper()
		if got := strings.TrimPrefix(eval(t, v, "return "+expressions), "main.lua:1: "); got != want {
			t.Errorf("%s\n got %q\nwant %q", expressions, got, want)
		}
	}
	f(`("THE (quick) fox"):find("%f[%a]%a+%f[%A]", 5)`, "6 10")
	f(`("THE (quick) fox"):gsub("%f[%w]%w+", "x")`, "x (x) x 3")
	f(`("abc"):find("")`, "1 0")
	f(`("abc"):find("", 3)`, "3 2")
	f(`("abc"):find("", 10)`, "4 3")
	f(`("abc"):find("b", 10, true)`, "nil")
	f(`("abc"):gsub("%w*", "x")`, "xx 2")
	f(`("abc"):gsub("", "-")`, "-a-b-c- 4")
	f(`("abc"):gsub("b", "%%")`, "a%c 1")
	f(`("abc"):gsub("b", "%x")`, "axc 1")
	f(`("abc"):gsub("b", 5)`, "a5c 1")
	f(`("abc"):gsub("b", "%")`, "a%c 1")
	f(`("abc"):gsub("%w", "%0%0", 0)`, "abc 0")
	f(`("abc"):gsub("(b)()", "%2")`, "a3c 1")
	f(`("hello world"):gsub("o", {})`, "hello world 2")
	f(`("abc"):gsub("b", function() return {} end)`, "invalid replacement value (a table)")
	f(`("abc"):gsub("b", "%2")`, "invalid capture index")
	f(`("abc"):gsub("b", true)`, "bad argument #3 to gsub (string or number or table or function expected, got boolean)")
	f(`("^a"):gmatch("^a")()`, "^a")
	f(`("aXbX"):gmatch("()X")()`, "2")
	f(`("a\0b"):find("%z"), ("a\0b"):len()`, "2 3")
	f(`("äÖ"):upper(), ("ÄB"):lower()`, "äÖ Äb")
	f(`string.format("%q", 'a "b" \\\n\r\0')`, "\"a \\\"b\\\" \\\\\\\n\\r\\000\"")
	f(`string.format("%5.1s|%-3c|", "abc", 65)`, "    a|A  |")
	f(`string.format("%u", 5), string.format("%x", -1)`, "5 ffffffffffffffff")
	f(`string.format("%g %g %g", 1e20, 0.1, 100000)`, "1e+20 0.1 100000")
	f(`string.format("%g %G %f %+g %5.1f|% f", 1/0, -1/0, 0/0, 1/0, 1/0, 1/0)`, "inf -INF nan +inf   inf| inf")
	f(`string.format("%s %s %10s", nil, {1} ~= nil, "ä")`, "nil true         ä")
	f(`string.format("%d", 3.99), string.format("%d", -3.99)`, "3 -3")
	f(`string.format("%d")`, "bad argument #2 to format (no value)")
	f(`string.format("%y", 1)`, "invalid option '%y' to 'format'")
	f(`string.format("%")`, "invalid option '%' to 'format'")
	f(`string.format("%-+ #0-d", 1)`, "invalid format (repeated flags)")
	f(`string.format("%.123f", 1)`, "invalid format (width or precision too long)")
	f(`string.char(256)`, "bad argument #1 to char (invalid value)")
	f(`("x"):rep("3")`, "xxx")
	f(`("x"):rep(0/0)`, "")
	f(`string.rep()`, "bad argument #1 to rep (string expected, got nil)")
}

func TestMalformedPatterns(t *testing.T) {
	f := func(source, want string) {
		t.Helper()
		if _, err := compilePattern(source, true); err == nil || err.Error() != want {
			t.Errorf("%q gives %v, want %s", source, err, want)
		}
	}
	f("%", "malformed pattern (ends with '%')")
	f("a%", "malformed pattern (ends with '%')")
	f("[", "malformed pattern (missing ']')")
	f("[]", "malformed pattern (missing ']')")
	f("[^]", "malformed pattern (missing ']')")
	f("[a", "malformed pattern (missing ']')")
	f("[a%", "malformed pattern (missing ']')")
	f("[a%]", "malformed pattern (missing ']')")
	f("(", "unfinished capture")
	f("(a", "unfinished capture")
	f("((a)", "unfinished capture")
	f(")", "invalid pattern capture")
	f("(a))", "invalid pattern capture")
	f("%1", "invalid capture index")
	f("(%1)", "invalid capture index")
	f("(a)%2", "invalid capture index")
	f("%0", "invalid capture index")
	f("%b", "malformed pattern (missing arguments to '%b')")
	f("%bx", "malformed pattern (missing arguments to '%b')")
	f("%f", "missing '[' after '%f' in pattern")
	f("%fa", "missing '[' after '%f' in pattern")
	f("%f[a", "malformed pattern (missing ']')")
	f(strings.Repeat("()", 33), "too many captures")
	f(strings.Repeat("a*", 201), "pattern too complex")
}
