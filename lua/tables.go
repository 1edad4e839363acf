package lua

import (
	"sort"

	glua "github.com/yuin/gopher-lua"
)

// tables is the table library. A list is what #t counts.
func (v *vm) tables() functions {
	return functions{
		"concat": v.tableConcat, "insert": v.tableInsert, "maxn": v.tableMaxn,
		"remove": v.tableRemove, "sort": v.tableSort,
	}
}

func (v *vm) tableInsert(L *glua.LState) int {
	t := v.writable(1)
	length := t.Len()
	if length == maxListLength {
		v.listFull()
	}
	switch L.GetTop() {
	case 2:
		t.RawSetInt(length+1, L.Get(2))
	case 3:
		at := integer(L, 2)
		if at < 1 || at > length+1 {
			L.ArgError(2, "position out of bounds")
		}
		if at == length+1 {
			t.RawSetInt(at, L.Get(3))
			break
		}
		v.charge((length - at) / itemsPerInstruction)
		t.Insert(at, L.Get(3))
	default:
		L.RaiseError("wrong number of arguments to 'insert'")
	}
	return 0
}

func (v *vm) tableRemove(L *glua.LState) int {
	t := v.writable(1)
	length := t.Len()
	at := optInteger(L, 2, length)
	if at < 1 || at > length {
		L.Push(glua.LNil)
		return 1
	}
	v.charge((length - at) / itemsPerInstruction)
	L.Push(t.Remove(at))
	return 1
}

func (v *vm) tableConcat(L *glua.LState) int {
	t, separator := L.CheckTable(1), ""
	if L.Get(2) != glua.LNil {
		separator = L.CheckString(2)
	}
	first, last := optInteger(L, 3, 1), optInteger(L, 4, t.Len())
	size := 0
	for i := first; i <= last; i++ {
		v.charge(1)
		switch item := t.RawGet(glua.LNumber(i)).(type) {
		case glua.LString:
			size += len(item)
		case glua.LNumber:
			size += numberSize
		default:
			L.RaiseError("invalid value (%s) at index %d in table for 'concat'", item.Type().String(), i)
		}
		if i < last {
			size += len(separator)
		}
		if size > maxString {
			break
		}
	}
	v.makeRoom(size)
	out := make([]byte, 0, size)
	for i := first; i <= last; i++ {
		switch item := t.RawGet(glua.LNumber(i)).(type) {
		case glua.LString:
			out = append(out, item...)
		case glua.LNumber:
			out = appendNumber(out, item)
		}
		if i < last {
			out = append(out, separator...)
		}
	}
	L.Push(luaString(out))
	return 1
}

// tableMaxn returns the largest positive number that is a key.
func (v *vm) tableMaxn(L *glua.LState) int {
	t := L.CheckTable(1)
	largest, visited := glua.LNumber(0), 0
	t.ForEach(func(key, _ glua.LValue) {
		visited++
		if n, ok := key.(glua.LNumber); ok {
			largest = max(largest, n)
		}
	})
	v.charge(visited / itemsPerInstruction)
	L.Push(largest)
	return 1
}

// tableSort sorts a copy and writes it back, so that a comparison that changes
// the table, fails or contradicts itself leaves a table that is whole.
func (v *vm) tableSort(L *glua.LState) int {
	t := v.writable(1)
	s := sorter{vm: v, items: make([]glua.LValue, t.Len())}
	if L.Get(2) != glua.LNil {
		s.less = L.CheckFunction(2)
	}
	v.charge(len(s.items) / itemsPerInstruction)
	for i := range s.items {
		s.items[i] = t.RawGetInt(i + 1)
	}
	sort.Sort(&s)
	for i, item := range s.items {
		t.RawSetInt(i+1, item)
	}
	return 0
}

// sorter is the sort.Interface of a list.
type sorter struct {
	vm    *vm
	items []glua.LValue
	less  *glua.LFunction // nil for <
}

func (s *sorter) Len() int { return len(s.items) }

func (s *sorter) Swap(i, j int) { s.items[i], s.items[j] = s.items[j], s.items[i] }

func (s *sorter) Less(i, j int) bool {
	L, a, b := s.vm.L, s.items[i], s.items[j]
	if s.less == nil {
		cost := 1
		if text, ok := a.(glua.LString); ok {
			cost += len(text) / bytesPerInstruction
		}
		s.vm.charge(cost)
		return L.LessThan(a, b)
	}
	s.vm.charge(1)
	L.Push(s.less)
	L.Push(a)
	L.Push(b)
	L.Call(2, 1)
	less := glua.LVAsBool(L.Get(-1))
	L.Pop(1)
	return less
}
