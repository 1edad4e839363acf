package lua

import (
	"strconv"
	"unsafe"

	glua "github.com/yuin/gopher-lua"
)

// openOperators installs what rewritten code calls instead of operators.
func (v *vm) openOperators() {
	globals := v.L.G.Global
	globals.RawSetString(concatName, v.L.NewFunction(v.concat))
	globals.RawSetString(setIndexName, v.L.NewFunction(v.setIndex))
	globals.RawSetString(keyName, v.L.NewFunction(v.newKey))
	globals.RawSetString(tableName, v.L.NewFunction(v.newTable(tableSize)))
	globals.RawSetString(emptyName, v.L.NewFunction(v.newTable(emptySize)))
}

// concat is a .. b .. c. Strings and numbers are joined; __concat is not
// supported.
func (v *vm) concat(L *glua.LState) int {
	n, size := L.GetTop(), 0
	for i := 1; i <= n; i++ {
		switch operand := L.Get(i).(type) {
		case glua.LString:
			size += len(operand)
		case glua.LNumber:
			size += numberSize
		default:
			L.RaiseError("attempt to concatenate a %s value", operand.Type().String())
		}
	}
	v.makeRoom(size)
	buf := make([]byte, 0, size)
	for i := 1; i <= n; i++ {
		switch operand := L.Get(i).(type) {
		case glua.LString:
			buf = append(buf, operand...)
		case glua.LNumber:
			buf = appendNumber(buf, operand)
		}
	}
	L.Push(luaString(buf))
	return 1
}

// setIndex is t[k] = v. Integer keys fill a table's array up to themselves: that
// is charged for.
func (v *vm) setIndex(L *glua.LState) int {
	table, key := L.Get(1), L.Get(2)
	if t, ok := table.(*glua.LTable); ok {
		if n, ok := key.(glua.LNumber); ok && n > smallIndex {
			v.reserve(t, n)
		}
	}
	L.SetTable(table, key, L.Get(3))
	return 0
}

// newKey is the k of { [k] = v }.
func (v *vm) newKey(L *glua.LState) int {
	if n, ok := L.Get(1).(glua.LNumber); ok && n > smallIndex && n <= maxListLength {
		v.chargeBytes(int(n) * slotSize)
	}
	L.SetTop(1)
	return 1
}

// What a small table takes, in bytes: gopher-lua makes room for 32 fields where a
// table that was made empty gets its first one.
const (
	tableSize = 512
	emptySize = 1536
)

// newTable is { }, whatever is in it.
func (v *vm) newTable(size int) glua.LGFunction {
	return func(*glua.LState) int {
		v.chargeBytes(size)
		return 1
	}
}

// slotSize is what one place of a table's array takes, in bytes.
const slotSize = 16

// reserve charges for the gap between the end of t and key.
func (v *vm) reserve(t *glua.LTable, key glua.LNumber) {
	switch length := t.Len(); {
	case key <= maxListLength:
		if gap := int(key) - length; gap > 1 {
			v.chargeBytes(gap * slotSize)
		}
	case key == maxListLength+1 && length == maxListLength:
		v.listFull()
	}
}

func (v *vm) listFull() {
	v.L.RaiseError("a list holds at most %d values", maxListLength)
}

// numberSize is enough for any number as text.
const numberSize = 32

// appendNumber writes a number the way tostring does.
func appendNumber(buf []byte, n glua.LNumber) []byte {
	if i := int64(n); float64(i) == float64(n) {
		return strconv.AppendInt(buf, i, 10)
	}
	return append(buf, n.String()...)
}

// luaString makes a string of bytes that nobody will write to any more.
func luaString(buf []byte) glua.LString {
	return glua.LString(unsafe.String(unsafe.SliceData(buf), len(buf)))
}
