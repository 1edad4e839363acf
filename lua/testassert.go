package lua

import (
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// eq is t:eq(got, want, note?): both are equal, down to the last field.
func (c *testCase) eq(L *glua.LState) int {
	got, want := L.Get(2), L.Get(3)
	var d difference
	if d.compare(c, "", got, want, 0); len(d.lines) == 0 {
		return 0
	}
	text := "not equal" + c.noteOf(L, 4)
	if _, isTable := want.(*glua.LTable); isTable || got.Type() == glua.LTTable {
		text += "\n    got:  " + c.show(got) + "\n    want: " + c.show(want)
	}
	c.fail(L, "%s\n%s", text, strings.Join(d.lines, "\n"))
	return 0
}

// ok is t:ok(cond, note?).
func (c *testCase) ok(L *glua.LState) int {
	if !glua.LVAsBool(L.Get(2)) {
		c.fail(L, "not true%s: got %s", c.noteOf(L, 3), c.show(L.Get(2)))
	}
	return 0
}

// match is t:match(text, pattern, note?): the Lua pattern is found in text.
func (c *testCase) match(L *glua.LState) int {
	text, ok := L.Get(2).(glua.LString)
	source := argString(L, 3, "match", "a text and a Lua pattern")
	if !ok {
		c.fail(L, "no match%s: got %s, which is no text\n    pattern: %s", c.noteOf(L, 4), c.show(L.Get(2)), source)
	}
	m := matcher{pattern: c.in.vm.compiled(source, true), subject: string(text)}
	if _, _, found := c.in.vm.search(&m, 0); !found {
		c.fail(L, "no match%s\n    text:    %s\n    pattern: %s", c.noteOf(L, 4), c.show(text), source)
	}
	return 0
}

// raises is t:error(fn, text?): fn fails, with an error that holds the text. It
// returns the error.
func (c *testCase) raises(L *glua.LState) int {
	fn := L.CheckFunction(2)
	want := L.OptString(3, "")
	failures := len(c.failures)
	L.Push(fn)
	err := L.PCall(0, 0, nil)
	if err == nil {
		c.fail(L, "no error: the function returned")
	}
	value := c.in.vm.caught(err)
	if len(c.failures) > failures || c.skipped {
		L.RaiseError(endOfTest)
	}
	text := string(c.in.vm.text(value))
	if !strings.Contains(text, want) {
		c.fail(L, "another error\n    got:  %s\n    want: %s", text, want)
	}
	L.SetTop(0)
	L.Push(value)
	return 1
}

// noteOf is argument n, what the author says of an assertion.
func (c *testCase) noteOf(L *glua.LState, n int) string {
	if L.Get(n) == glua.LNil {
		return ""
	}
	return ": " + string(c.in.vm.text(L.Get(n)))
}
