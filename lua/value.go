package lua

import (
	"hash/maphash"
	"math"
	"strings"
	"unsafe"

	"github.com/tidwall/gjson"
	glua "github.com/yuin/gopher-lua"
)

// Costs, in instructions, of what the bindings do in Go: a script that works
// on big messages spends its budget there too.
const (
	scanBytes = 64 // bytes searched for a path per instruction
	nodeCost  = 4  // for each element of a table that is built or read
)

// maxExact is the largest magnitude up to which every integer is a float64.
const maxExact = 1 << 53

// view returns b as a string without copying it: it is valid for as long as b
// is, and whatever outlives the turn must be cloned.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// boxes remembers recent short strings and numbers as Lua values, because
// boxing one allocates and messages repeat theirs. It belongs to one VM.
type boxes struct {
	seed    maphash.Seed
	strings [1024]glua.LValue
	numbers [256]glua.LValue
}

// maxBoxed is the longest string that is remembered, in bytes.
const maxBoxed = 64

func newBoxes() *boxes { return &boxes{seed: maphash.MakeSeed()} }

// str returns s as a Lua value that does not alias it.
func (b *boxes) str(s string) glua.LValue {
	if len(s) > maxBoxed {
		return glua.LString(strings.Clone(s))
	}
	slot := &b.strings[maphash.String(b.seed, s)%uint64(len(b.strings))]
	if v, ok := (*slot).(glua.LString); ok && string(v) == s {
		return *slot
	}
	*slot = glua.LString(strings.Clone(s))
	return *slot
}

func (b *boxes) number(f float64) glua.LValue {
	bits := math.Float64bits(f)
	slot := &b.numbers[bits*0x9e3779b97f4a7c15>>56]
	if v, ok := (*slot).(glua.LNumber); ok && math.Float64bits(float64(v)) == bits {
		return *slot
	}
	*slot = glua.LNumber(f)
	return *slot
}

// value turns JSON into Lua: a string, a boolean, stratix.null, a table for an
// array (marked as one) or an object; a number as json writes it if a float64
// can hold it, else a string of its digits. Nothing is nil. It does not alias r.
func (in *instance) value(r gjson.Result) glua.LValue {
	switch r.Type {
	case gjson.True:
		return glua.LTrue
	case gjson.False:
		return glua.LFalse
	case gjson.String:
		in.vm.chargeBytes(len(r.Str))
		return in.boxes.str(r.Str)
	case gjson.Number:
		if !exact(r) {
			return in.boxes.str(r.Raw)
		}
		return in.boxes.number(r.Num)
	case gjson.JSON:
		return in.table(r)
	}
	return in.null
}

// exact reports whether the number r can be a float64: an integer must fit
// exactly, a fraction may round, nothing may overflow.
func exact(r gjson.Result) bool {
	if math.IsInf(r.Num, 0) {
		return false
	}
	return math.Abs(r.Num) <= maxExact-1 || strings.ContainsAny(r.Raw, ".eE")
}

func (in *instance) table(r gjson.Result) *glua.LTable {
	t := &glua.LTable{Metatable: glua.LNil}
	if r.IsArray() {
		t.Metatable = in.arrayMark
		r.ForEach(func(_, v gjson.Result) bool {
			in.vm.charge(nodeCost)
			t.Append(in.value(v))
			return true
		})
		return t
	}
	r.ForEach(func(k, v gjson.Result) bool {
		in.vm.charge(nodeCost + len(k.Str)/bytesPerInstruction)
		t.RawSetString(strings.Clone(k.Str), in.value(v))
		return true
	})
	return t
}

// beyondList returns a key of t other than 1 to n, or nil; n is t.MaxN().
func beyondList(t *glua.LTable, n int) glua.LValue {
	last := glua.LNil
	if n > 0 {
		last = glua.LNumber(n)
	}
	key, _ := t.Next(last)
	return key
}
