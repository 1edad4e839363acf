package lua

import (
	glua "github.com/yuin/gopher-lua"
)

// functions are built-ins by name.
type functions map[string]glua.LGFunction

// baseGlobals are the globals of every VM. What scripts run with is listed here
// and nothing else exists: no _G, no load, no setfenv, no coroutine, no io.
func baseGlobals() knownGlobals {
	known := knownGlobals{"string": true, "table": true, "math": true, "os": true}
	for name := range (*vm)(nil).base() {
		known[name] = false
	}
	known["next"], known["_VERSION"] = false, false
	return known
}

// openSandbox installs the globals of baseGlobals.
func (v *vm) openSandbox() {
	L, globals := v.L, v.L.G.Global
	for name, fn := range v.base() {
		globals.RawSetString(name, L.NewFunction(fn))
	}
	v.next = L.NewFunction(v.nextPair)
	v.ipairsNext = L.NewFunction(v.nextItem)
	globals.RawSetString("next", v.next)
	globals.RawSetString("_VERSION", glua.LString(glua.LuaVersion))

	strings := v.library(v.strings())
	L.SetMetatable(glua.LString(""), v.stringMetatable(strings))
	globals.RawSetString("string", v.seal(strings))
	globals.RawSetString("table", v.seal(v.library(v.tables())))
	globals.RawSetString("math", v.seal(v.mathLibrary()))
	globals.RawSetString("os", v.seal(v.library(v.clock())))
	v.openOperators()
}

func (v *vm) library(fns functions) *glua.LTable {
	t := v.L.CreateTable(0, len(fns))
	for name, fn := range fns {
		t.RawSetString(name, v.L.NewFunction(fn))
	}
	return t
}

// stringMetatable makes s:method() work. Scripts cannot reach it.
func (v *vm) stringMetatable(methods *glua.LTable) *glua.LTable {
	mt := v.L.CreateTable(0, 2)
	mt.RawSetString("__index", methods)
	mt.RawSetString("__metatable", glua.LFalse)
	return mt
}

// seal returns a table that reads like t and cannot be changed by scripts: it is
// empty, so every assignment meets its metatable.
func (v *vm) seal(t *glua.LTable) *glua.LTable {
	sealed := v.L.CreateTable(0, 0)
	mt := v.refusing("a built-in table cannot be changed")
	mt.RawSetString("__index", t)
	sealed.Metatable = mt
	return sealed
}

// refusing is a protected metatable that refuses new keys with this error.
func (v *vm) refusing(text string) *glua.LTable {
	mt := v.L.CreateTable(0, 3)
	mt.RawSetString("__newindex", v.L.NewFunction(func(L *glua.LState) int {
		L.RaiseError("%s", text)
		return 0
	}))
	mt.RawSetString("__metatable", glua.LFalse)
	return mt
}

// protectedMetatable reports whether scripts may neither change nor see the
// metatable of a table.
func protectedMetatable(t *glua.LTable) bool {
	mt, ok := t.Metatable.(*glua.LTable)
	return ok && mt.RawGetString("__metatable") != glua.LNil
}

// writable is argument n, a table that a built-in may change past its metatable.
func (v *vm) writable(n int) *glua.LTable {
	t := v.L.CheckTable(n)
	if protectedMetatable(t) {
		v.L.ArgError(n, "the table is protected")
	}
	return t
}
