package lua

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// stringFormat is string.format. Unlike Lua 5.1 it takes any value for %s, as
// tostring does.
func (v *vm) stringFormat(L *glua.LState) int {
	template := L.CheckString(1)
	out := make([]byte, 0, len(template)+32)
	for arg := 2; ; arg++ {
		mark := strings.IndexByte(template, '%')
		if mark < 0 {
			break
		}
		out = v.appendBounded(out, template[:mark])
		template = template[mark+1:]
		if strings.HasPrefix(template, "%") {
			out = append(out, '%')
			template = template[1:]
			arg--
			continue
		}
		var d directive
		d, template = v.directive(template)
		if arg > L.GetTop() {
			L.ArgError(arg, "no value")
		}
		out = v.formatValue(out, d, arg)
	}
	out = v.appendBounded(out, template)
	L.Push(luaString(out))
	return 1
}

// directive is one %-5.2f of a format.
type directive struct {
	flags     string // of - + # 0 and space
	width     int
	precision int // -1 where none is given
	verb      byte
}

// directive reads a directive without its %.
func (v *vm) directive(s string) (d directive, rest string) {
	rest = strings.TrimLeft(s, "-+ #0")
	d.flags = s[:len(s)-len(rest)]
	if len(d.flags) > 5 {
		v.L.RaiseError("invalid format (repeated flags)")
	}
	d.width, rest = v.twoDigits(rest)
	d.precision = -1
	if after, dot := strings.CutPrefix(rest, "."); dot {
		d.precision, rest = v.twoDigits(after)
	}
	if rest == "" {
		v.L.RaiseError("%s", "invalid option '%' to 'format'")
	}
	d.verb = rest[0]
	return d, rest[1:]
}

func (v *vm) twoDigits(s string) (int, string) {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	if n > 2 {
		v.L.RaiseError("invalid format (width or precision too long)")
	}
	value, _ := strconv.Atoi(s[:n]) // no digits are 0
	return value, s[n:]
}

// formatValue appends argument arg the way d says.
func (v *vm) formatValue(out []byte, d directive, arg int) []byte {
	L := v.L
	switch d.verb {
	case 'd', 'i':
		return d.number(out, 'd', int64(L.CheckNumber(arg)))
	case 'u':
		return d.unsigned().number(out, 'd', uint64(int64(L.CheckNumber(arg))))
	case 'o', 'x', 'X':
		return d.unsigned().number(out, d.verb, uint64(int64(L.CheckNumber(arg))))
	case 'e', 'E', 'f', 'g', 'G':
		return d.float(out, float64(L.CheckNumber(arg)))
	case 'c':
		return d.pad(out, string([]byte{byte(integer(L, arg))}))
	case 'q':
		return v.quote(out, L.CheckString(arg))
	case 's':
		s := string(v.text(L.Get(arg)))
		if d.precision >= 0 {
			s = s[:min(len(s), d.precision)]
		}
		return d.pad(out, v.bounded(out, s))
	}
	L.RaiseError("invalid option '%%%c' to 'format'", d.verb)
	return out
}

// bounded is s when it still fits behind out.
func (v *vm) bounded(out []byte, s string) string {
	if len(out)+len(s) > maxString {
		v.makeRoom(maxString + 1)
	}
	v.charge(len(s) / bytesPerInstruction)
	return s
}

// unsigned drops the flags that only signed numbers have.
func (d directive) unsigned() directive {
	d.flags = strings.NewReplacer("+", "", " ", "").Replace(d.flags)
	return d
}

// number appends an integer or a float with Go's formatting, which has C's flags.
func (d directive) number(out []byte, verb byte, value any) []byte {
	spec := make([]byte, 0, 16)
	spec = append(append(spec, '%'), d.flags...)
	if d.width > 0 {
		spec = strconv.AppendInt(spec, int64(d.width), 10)
	}
	if d.precision >= 0 {
		spec = strconv.AppendInt(append(spec, '.'), int64(d.precision), 10)
	}
	return fmt.Appendf(out, string(append(spec, verb)), value)
}

func (d directive) float(out []byte, value float64) []byte {
	if math.IsInf(value, 0) || math.IsNaN(value) {
		return d.pad(out, d.special(value))
	}
	if d.precision < 0 {
		d.precision = 6
	}
	return d.number(out, d.verb, value)
}

// special spells what is no finite number as C does.
func (d directive) special(value float64) string {
	s := "nan"
	switch {
	case math.IsInf(value, -1):
		s = "-inf"
	case math.IsInf(value, 1) && strings.Contains(d.flags, "+"):
		s = "+inf"
	case math.IsInf(value, 1) && strings.Contains(d.flags, " "):
		s = " inf"
	case math.IsInf(value, 1):
		s = "inf"
	}
	if isUpper(d.verb) {
		s = strings.ToUpper(s)
	}
	return s
}

// pad appends s with spaces up to the width, in bytes.
func (d directive) pad(out []byte, s string) []byte {
	fill := strings.Repeat(" ", max(d.width-len(s), 0))
	if strings.Contains(d.flags, "-") {
		return append(append(out, s...), fill...)
	}
	return append(append(out, fill...), s...)
}

// quote appends s so that Lua reads it back.
func (v *vm) quote(out []byte, s string) []byte {
	v.bounded(out, s)
	out = append(out, '"')
	for _, c := range []byte(s) {
		switch c {
		case '"', '\\', '\n':
			out = append(out, '\\', c)
		case '\r':
			out = append(out, `\r`...)
		case 0:
			out = append(out, `\000`...)
		default:
			out = append(out, c)
		}
	}
	return v.appendBounded(out, `"`)
}
