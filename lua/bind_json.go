package lua

import (
	"github.com/tidwall/gjson"
	glua "github.com/yuin/gopher-lua"
)

func (in *instance) jsonFunctions() functions {
	return functions{"encode": in.jsonEncode, "decode": in.jsonDecode}
}

// jsonEncode is json.encode(value): the value as JSON text.
func (in *instance) jsonEncode(L *glua.LState) int {
	if L.GetTop() == 0 {
		L.RaiseError("json.encode takes a value")
	}
	L.Push(glua.LString(in.encoder.encode(L, L.Get(1))))
	return 1
}

// jsonDecode is json.decode(text): the value, or nil and why text is no JSON.
func (in *instance) jsonDecode(L *glua.LState) int {
	text := argString(L, 1, "json.decode", "a text")
	in.vm.chargeBytes(len(text))
	if fault := in.parser.Valid([]byte(text)); fault != nil {
		L.Push(glua.LNil)
		L.Push(glua.LString(fault.Text))
		return 2
	}
	L.Push(in.value(gjson.Parse(text)))
	return 1
}

// array is stratix.array(t): marks t as a JSON array, so that it stays one when
// it is empty, and returns it. Without an argument it makes an empty one.
func (in *instance) array(L *glua.LState) int {
	t, ok := L.Get(1).(*glua.LTable)
	switch {
	case L.GetTop() == 0:
		t = L.NewTable()
	case !ok:
		L.RaiseError("stratix.array takes a table, not a %s", L.Get(1).Type())
	case t.Metatable != glua.LNil && t.Metatable != in.arrayMark:
		L.RaiseError("stratix.array: the table has a metatable of its own")
	}
	t.Metatable = in.arrayMark
	L.Push(t)
	return 1
}

// env is stratix.env(name): an environment variable that the gateway was told to
// show to scripts, or nil where it is not set. What it holds is never logged.
func (in *instance) env(L *glua.LState) int {
	name := argString(L, 1, "stratix.env", "the name of a variable")
	value, allowed := in.load.shared.environment[name]
	if !allowed {
		L.RaiseError("stratix.env: scripts may not read %.64q; name it with --script-env (of serve, check, test, diff, replay)", name)
	}
	L.Push(value)
	return 1
}

// now is stratix.now(): milliseconds since 1970.
func (in *instance) now(L *glua.LState) int {
	L.Push(glua.LNumber(in.vm.now().UnixMilli()))
	return 1
}
