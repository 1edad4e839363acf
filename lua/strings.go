package lua

import (
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// strings is the string library. Case and character classes are those of ASCII.
func (v *vm) strings() functions {
	return functions{
		"byte": v.stringByte, "char": v.stringChar, "format": v.stringFormat,
		"find": v.stringFind, "match": v.stringMatch, "gmatch": v.stringGmatch, "gsub": v.stringGsub,
		"len": v.stringLen, "lower": v.stringLower, "upper": v.stringUpper,
		"rep": v.stringRep, "reverse": v.stringReverse, "sub": v.stringSub,
	}
}

// slice turns the arguments i and j of string.sub into s[from:to].
func slice(i, j, length int) (from, to int) {
	if i < 0 {
		i = max(length+i+1, 1)
	}
	if j < 0 {
		j = length + j + 1
	}
	from, to = max(i, 1)-1, min(j, length)
	if from >= to {
		return 0, 0
	}
	return from, to
}

func (v *vm) stringSub(L *glua.LState) int {
	s := L.CheckString(1)
	from, to := slice(integer(L, 2), optInteger(L, 3, -1), len(s))
	L.Push(glua.LString(s[from:to]))
	return 1
}

func (v *vm) stringLen(L *glua.LState) int {
	L.Push(glua.LNumber(len(L.CheckString(1))))
	return 1
}

func (v *vm) stringByte(L *glua.LState) int {
	s := L.CheckString(1)
	first := optInteger(L, 2, 1)
	from, to := slice(first, optInteger(L, 3, first), len(s))
	if to-from > maxResults {
		L.RaiseError("string slice too long (at most %d)", maxResults)
	}
	v.charge((to - from) / itemsPerInstruction)
	for _, c := range []byte(s[from:to]) {
		L.Push(glua.LNumber(c))
	}
	return to - from
}

func (v *vm) stringChar(L *glua.LState) int {
	buf := make([]byte, L.GetTop())
	for i := range buf {
		c := integer(L, i+1)
		if c < 0 || c > 255 {
			L.ArgError(i+1, "invalid value")
		}
		buf[i] = byte(c)
	}
	L.Push(luaString(buf))
	return 1
}

func (v *vm) stringLower(L *glua.LState) int { return v.mapBytes(isUpper) }
func (v *vm) stringUpper(L *glua.LState) int { return v.mapBytes(isLower) }

// mapBytes returns the argument with the letters that change chooses in the
// other case.
func (v *vm) mapBytes(change func(byte) bool) int {
	s := v.L.CheckString(1)
	v.makeRoom(len(s))
	buf := []byte(s)
	for i, c := range buf {
		if change(c) {
			buf[i] = c ^ 0x20
		}
	}
	v.L.Push(luaString(buf))
	return 1
}

func (v *vm) stringReverse(L *glua.LState) int {
	s := L.CheckString(1)
	v.makeRoom(len(s))
	buf := make([]byte, len(s))
	for i := range len(s) {
		buf[len(s)-1-i] = s[i]
	}
	L.Push(luaString(buf))
	return 1
}

func (v *vm) stringRep(L *glua.LState) int {
	s, n := L.CheckString(1), integer(L, 2)
	if s == "" || n <= 0 {
		L.Push(glua.LString(""))
		return 1
	}
	if n > maxString {
		n = maxString + 1
	}
	v.makeRoom(len(s) * n)
	L.Push(glua.LString(strings.Repeat(s, n)))
	return 1
}
