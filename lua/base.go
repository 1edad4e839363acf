package lua

import (
	"errors"
	"log/slog"
	"math"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// base are the global functions, apart from next.
func (v *vm) base() functions {
	return functions{
		"assert": v.assert, "error": v.raise, "pcall": v.pcall, "xpcall": v.xpcall,
		"ipairs": v.ipairs, "pairs": v.pairs, "select": v.selectArgs, "unpack": v.unpack,
		"tonumber": v.tonumber, "tostring": v.tostring, "type": v.typeOf,
		"rawequal": v.rawequal, "rawget": v.rawget, "rawset": v.rawset,
		"getmetatable": v.getmetatable, "setmetatable": v.setmetatable,
		"print": v.print, "require": v.require,
	}
}

func (v *vm) assert(L *glua.LState) int {
	if glua.LVAsBool(L.CheckAny(1)) {
		return L.GetTop()
	}
	if L.GetTop() > 1 {
		L.Error(L.Get(2), 0)
	}
	L.RaiseError("assertion failed!")
	return 0
}

// raise is error(message, level): level 1 names the place that called error, 2
// the place that called the function there.
func (v *vm) raise(L *glua.LState) int {
	value, level := L.Get(1), optInteger(L, 2, 1)
	if text, ok := value.(glua.LString); ok && level > 0 && level < 128 {
		if pos := strings.TrimSuffix(L.Where(level), ":"); isPosition(pos) {
			value = glua.LString(pos+": ") + text
		}
	}
	L.Error(value, 0)
	return 0
}

// pcall catches errors, but neither an exhausted budget nor a panic of Go code.
// After a caught error gopher-lua 1.1.2 gives the closures around the call
// copies of the locals they share with their function; since functions may not
// assign to locals around them, only a later assignment by the owner shows it.
func (v *vm) pcall(L *glua.LState) int {
	L.CheckAny(1)
	if err := L.PCall(L.GetTop()-1, glua.MultRet, nil); err != nil {
		L.Push(glua.LFalse)
		L.Push(v.caught(err))
		return 2
	}
	L.Insert(glua.LTrue, 1)
	return L.GetTop()
}

// xpcall is pcall with a function for the error, which runs after the stack is
// unwound.
func (v *vm) xpcall(L *glua.LState) int {
	handler := L.CheckFunction(2)
	L.SetTop(1)
	err := L.PCall(0, glua.MultRet, nil)
	if err == nil {
		L.Insert(glua.LTrue, 1)
		return L.GetTop()
	}
	value := v.caught(err)
	L.SetTop(0)
	L.Push(handler)
	L.Push(value)
	if err := L.PCall(1, glua.MultRet, nil); err != nil {
		L.Push(v.caught(err))
	}
	L.Insert(glua.LFalse, 1)
	return L.GetTop()
}

// caught is the value of an error that a script may catch.
func (v *vm) caught(err error) glua.LValue {
	v.rethrow(err)
	v.charge(costOfError)
	var api *glua.ApiError
	if errors.As(err, &api) {
		return api.Object
	}
	return glua.LString(err.Error())
}

func (v *vm) pairs(L *glua.LState) int {
	t := L.CheckTable(1)
	L.Push(v.next)
	L.Push(t)
	L.Push(glua.LNil)
	return 3
}

func (v *vm) nextPair(L *glua.LState) int {
	t, before := L.CheckTable(1), L.Get(2)
	key, value := t.Next(before)
	if key == glua.LNil {
		L.Push(glua.LNil)
		return 1
	}
	// Holes in the array were walked over.
	if at, ok := key.(glua.LNumber); ok {
		from, _ := before.(glua.LNumber)
		if skipped := at - from; skipped > itemsPerInstruction && skipped <= maxListLength {
			v.charge(int(skipped) / itemsPerInstruction)
		}
	}
	L.Push(key)
	L.Push(value)
	return 2
}

func (v *vm) ipairs(L *glua.LState) int {
	t := L.CheckTable(1)
	L.Push(v.ipairsNext)
	L.Push(t)
	L.Push(glua.LNumber(0))
	return 3
}

func (v *vm) nextItem(L *glua.LState) int {
	i := integer(L, 2) + 1
	value := L.CheckTable(1).RawGetInt(i)
	if value == glua.LNil {
		L.Push(glua.LNil)
		return 1
	}
	L.Push(glua.LNumber(i))
	L.Push(value)
	return 2
}

func (v *vm) selectArgs(L *glua.LState) int {
	count := L.GetTop() - 1
	if mark, ok := L.Get(1).(glua.LString); ok && mark == "#" {
		L.Push(glua.LNumber(count))
		return 1
	}
	n := integer(L, 1)
	if n < 0 {
		n = count + n + 1
	}
	if n < 1 {
		L.ArgError(1, "index out of range")
	}
	n = max(count-n+1, 0)
	v.charge(n / itemsPerInstruction)
	return n
}

func (v *vm) unpack(L *glua.LState) int {
	t := L.CheckTable(1)
	first, last := optInteger(L, 2, 1), optInteger(L, 3, t.Len())
	if first > last {
		return 0
	}
	n := last - first + 1
	if n > maxResults || n <= 0 {
		L.RaiseError("too many results to unpack (at most %d)", maxResults)
	}
	v.charge(n / itemsPerInstruction)
	for i := range n {
		L.Push(t.RawGet(glua.LNumber(first + i)))
	}
	return n
}

func (v *vm) tonumber(L *glua.LState) int {
	value, base := L.CheckAny(1), optInteger(L, 2, 10)
	if base < 2 || base > 36 {
		L.ArgError(2, "base out of range")
	}
	number := glua.LNil
	switch x := value.(type) {
	case glua.LNumber:
		number = x
	case glua.LString:
		v.chargeBytes(len(x))
		if n, ok := parseNumber(string(x), base); ok {
			number = glua.LNumber(n)
		}
	}
	L.Push(number)
	return 1
}

func (v *vm) tostring(L *glua.LState) int {
	L.Push(v.text(L.CheckAny(1)))
	return 1
}

// text is what tostring makes of a value. Of what has an address it is the type
// alone: an address would be another one in each replay and on both sides of a
// shadow run, and tell clients where the gateway's memory lies.
func (v *vm) text(value glua.LValue) glua.LString {
	switch x := value.(type) {
	case glua.LString:
		return x
	case glua.LNumber:
		return luaString(appendNumber(make([]byte, 0, numberSize), x))
	}
	v.charge(1)
	switch value.(type) {
	case *glua.LTable, *glua.LFunction, *glua.LUserData:
		if v.L.GetMetaField(value, "__tostring") == glua.LNil {
			return glua.LString(value.Type().String())
		}
	}
	s, ok := v.L.ToStringMeta(value).(glua.LString)
	if !ok {
		v.L.RaiseError("'__tostring' must return a string")
	}
	return s
}

func (v *vm) typeOf(L *glua.LState) int {
	L.Push(glua.LString(L.CheckAny(1).Type().String()))
	return 1
}

func (v *vm) rawequal(L *glua.LState) int {
	L.Push(glua.LBool(L.RawEqual(L.CheckAny(1), L.CheckAny(2))))
	return 1
}

func (v *vm) rawget(L *glua.LState) int {
	L.Push(L.CheckTable(1).RawGet(L.CheckAny(2)))
	return 1
}

func (v *vm) rawset(L *glua.LState) int {
	t, key := v.writable(1), L.CheckAny(2)
	if n, ok := key.(glua.LNumber); ok && !math.IsNaN(float64(n)) {
		v.reserve(t, n)
	}
	L.RawSet(t, key, L.CheckAny(3))
	L.SetTop(1)
	return 1
}

func (v *vm) getmetatable(L *glua.LState) int {
	L.Push(L.GetMetatable(L.CheckAny(1)))
	return 1
}

func (v *vm) setmetatable(L *glua.LState) int {
	t := L.CheckTable(1)
	L.CheckTypes(2, glua.LTNil, glua.LTTable)
	if protectedMetatable(t) {
		L.RaiseError("cannot change a protected metatable")
	}
	t.Metatable = L.Get(2)
	L.SetTop(1)
	return 1
}

// maxLogText bounds one printed line, in bytes.
const maxLogText = 4096

// print logs its arguments, separated by tabs.
func (v *vm) print(L *glua.LState) int {
	v.charge(costOfLog)
	var b strings.Builder
	for i := 1; i <= L.GetTop() && b.Len() <= maxLogText; i++ {
		if i > 1 {
			b.WriteByte('\t')
		}
		text := v.text(L.Get(i))
		b.WriteString(string(text[:min(len(text), maxLogText)]))
	}
	text := b.String()
	v.chargeBytes(len(text))
	if v.opt.Log != nil {
		v.opt.Log(slog.LevelInfo, v.where(), text[:min(len(text), maxLogText)])
	}
	return 0
}
