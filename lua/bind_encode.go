package lua

import (
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/stratix-gateway/stratix/core/wire"
	glua "github.com/yuin/gopher-lua"
)

// Bounds on what a script can send.
const (
	maxDepth   = 32      // tables within tables
	maxMessage = 1 << 20 // bytes of a message with its headers and replies
)

// encoder writes Lua values as JSON. It belongs to one VM.
type encoder struct {
	in    *instance
	buf   []byte
	open  [maxDepth]*glua.LTable // the tables that the value at hand stands in
	depth int
}

// encode returns v as JSON that is valid until the next call. What JSON cannot
// say raises a Lua error that names it.
func (e *encoder) encode(L *glua.LState, v glua.LValue) []byte {
	e.buf, e.depth = e.buf[:0], 0
	e.value(L, v)
	e.in.vm.chargeBytes(len(e.buf))
	return e.buf
}

func (e *encoder) value(L *glua.LState, v glua.LValue) {
	if len(e.buf) > maxMessage {
		L.RaiseError("the value is longer than %d bytes as JSON", maxMessage)
	}
	switch v := v.(type) {
	case glua.LString:
		e.string(L, string(v))
	case glua.LNumber:
		e.number(L, float64(v))
	case glua.LBool:
		e.buf = strconv.AppendBool(e.buf, bool(v))
	case *glua.LTable:
		e.table(L, v)
	default:
		if v != e.in.null {
			L.RaiseError("a %s has no JSON form; use stratix.null for null", v.Type())
		}
		e.buf = append(e.buf, "null"...)
	}
}

// string writes s; bytes that are not valid UTF-8 become U+FFFD, since a cut in
// the middle of a character is a common slip.
func (e *encoder) string(L *glua.LState, s string) {
	if len(s) > maxMessage {
		L.RaiseError("a string of %d bytes is longer than a message may be (%d)", len(s), maxMessage)
	}
	e.buf = wire.AppendString(e.buf, s)
}

func (e *encoder) number(L *glua.LState, f float64) {
	switch abs := math.Abs(f); {
	case math.IsNaN(f) || math.IsInf(f, 0):
		L.RaiseError("the number %v has no JSON form", f)
	case f == math.Trunc(f) && abs < maxExact && !(f == 0 && math.Signbit(f)):
		e.buf = strconv.AppendInt(e.buf, int64(f), 10)
	case abs < 1e21 && abs >= 1e-6 || f == 0:
		e.buf = strconv.AppendFloat(e.buf, f, 'f', -1, 64)
	default:
		e.buf = strconv.AppendFloat(e.buf, f, 'e', -1, 64)
	}
}

func (e *encoder) table(L *glua.LState, t *glua.LTable) {
	if e.depth == maxDepth {
		L.RaiseError("the table is nested deeper than %d", maxDepth)
	}
	for _, outer := range e.open[:e.depth] {
		if outer == t {
			L.RaiseError("the table holds itself")
		}
	}
	e.open[e.depth] = t
	e.depth++
	if n := t.MaxN(); n > 0 || t.Metatable == e.in.arrayMark {
		e.array(L, t, n)
	} else {
		e.object(L, t)
	}
	e.depth--
	e.open[e.depth] = nil
}

func (e *encoder) array(L *glua.LState, t *glua.LTable, n int) {
	e.buf = append(e.buf, '[')
	for i := 1; i <= n; i++ {
		e.in.vm.charge(nodeCost)
		v := t.RawGetInt(i)
		if v == glua.LNil {
			L.RaiseError("the array has nothing at [%d] of %d; use stratix.null for null", i, n)
		}
		if i > 1 {
			e.buf = append(e.buf, ',')
		}
		e.value(L, v)
	}
	if key := beyondList(t, n); key != glua.LNil {
		L.RaiseError("the table is an array of %d that also has the key %q; JSON knows arrays and objects, not both in one", n, key.String())
	}
	e.buf = append(e.buf, ']')
}

func (e *encoder) object(L *glua.LState, t *glua.LTable) {
	e.buf = append(e.buf, '{')
	first := true
	for key, v := t.Next(glua.LNil); key != glua.LNil; key, v = t.Next(key) {
		e.in.vm.charge(nodeCost)
		name, ok := key.(glua.LString)
		if !ok {
			L.RaiseError("the table has the %s %s as a key; objects have strings, arrays 1 to n", key.Type(), key.String())
		}
		if !first {
			e.buf = append(e.buf, ',')
		}
		first = false
		if !utf8.ValidString(string(name)) {
			L.RaiseError("the key %.40q is not valid UTF-8, which JSON needs", string(name))
		}
		e.string(L, string(name))
		e.buf = append(e.buf, ':')
		e.value(L, v)
	}
	e.buf = append(e.buf, '}')
}
