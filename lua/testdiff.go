package lua

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/stratix-gateway/stratix/core/rehearse"
	glua "github.com/yuin/gopher-lua"
)

// Bounds on the text of a failure.
const (
	maxDifferences = 10
	maxShown       = 1024 // bytes of one value
	maxShownDepth  = 8
)

// difference gathers in which fields two values differ, a line each.
type difference struct{ lines []string }

// compare adds the differences between two values at path.
func (d *difference) compare(c *testCase, path string, got, want glua.LValue, depth int) {
	c.in.vm.charge(nodeCost)
	a, aTable := got.(*glua.LTable)
	b, bTable := want.(*glua.LTable)
	switch {
	case aTable && bTable && depth < maxDepth:
		for _, key := range keysOf(a, b) {
			d.compare(c, fieldPath(path, key), a.RawGet(key), b.RawGet(key), depth+1)
		}
		return
	case aTable && bTable, c.in.vm.L.RawEqual(got, want):
		return
	}
	if len(d.lines) == maxDifferences {
		d.lines = append(d.lines, "    ... and more")
	}
	if len(d.lines) > maxDifferences {
		return
	}
	if path == "" {
		d.lines = append(d.lines, "    got:  "+c.show(got), "    want: "+c.show(want))
		return
	}
	d.lines = append(d.lines, fmt.Sprintf("    at %s: got %s, want %s", path, c.show(got), c.show(want)))
}

// keysOf are the keys of both tables: numbers first, then the rest by name.
func keysOf(a, b *glua.LTable) []glua.LValue {
	seen := map[glua.LValue]bool{}
	var keys []glua.LValue
	for _, t := range []*glua.LTable{a, b} {
		t.ForEach(func(key, _ glua.LValue) {
			if !seen[key] {
				seen[key] = true
				keys = append(keys, key)
			}
		})
	}
	slices.SortFunc(keys, func(a, b glua.LValue) int {
		x, xNumber := a.(glua.LNumber)
		y, yNumber := b.(glua.LNumber)
		switch {
		case xNumber && yNumber && x < y, xNumber && !yNumber:
			return -1
		case xNumber && yNumber && x > y, yNumber && !xNumber:
			return 1
		case xNumber:
			return 0
		}
		return strings.Compare(a.String(), b.String())
	})
	return keys
}

func fieldPath(path string, key glua.LValue) string {
	if n, ok := key.(glua.LNumber); ok {
		return path + "[" + string(appendNumber(nil, n)) + "]"
	}
	if name, ok := key.(glua.LString); ok && plainName(string(name)) {
		if path == "" {
			return string(name)
		}
		return path + "." + string(name)
	}
	return path + "[" + strconv.Quote(key.String()) + "]"
}

// plainName reports whether s can stand behind a dot.
func plainName(s string) bool {
	for i, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// show writes a value as a test would: strings in quotes, tables with their
// fields in order.
func (c *testCase) show(v glua.LValue) string {
	text := strings.ToValidUTF8(string(c.appendValue(nil, v, 0)), "\uFFFD")
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + "..."
	}
	return text
}

func (c *testCase) appendValue(b []byte, v glua.LValue, depth int) []byte {
	switch v := v.(type) {
	case glua.LString:
		return strconv.AppendQuote(b, string(v))
	case glua.LNumber:
		return appendNumber(b, v)
	case *glua.LTable:
		return c.appendTable(b, v, depth)
	case *glua.LUserData:
		switch value := v.Value.(type) {
		case *rehearse.Client:
			return append(b, "client "+value.ID...)
		case *rehearse.Result:
			return append(b, "result ("+decided(value)+")"...)
		}
		if v == c.in.null {
			return append(b, "stratix.null"...)
		}
		return append(b, v.Type().String()...)
	case *glua.LFunction:
		return append(b, "function"...)
	}
	return append(b, v.String()...)
}

func (c *testCase) appendTable(b []byte, t *glua.LTable, depth int) []byte {
	if depth == maxShownDepth || len(b) > maxShown {
		return append(b, "{...}"...)
	}
	b = append(b, '{')
	for i, key := range keysOf(t, t) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, ' ')
		if at, ok := key.(glua.LNumber); !ok || int(at) != i+1 {
			name := fieldPath("", key)
			b = append(append(b, name...), " = "...)
		}
		b = c.appendValue(b, t.RawGet(key), depth+1)
		if len(b) > maxShown {
			break
		}
	}
	return append(b, " }"...)
}
