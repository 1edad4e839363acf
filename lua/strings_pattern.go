package lua

import (
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// maxPatterns bounds the compiled patterns that a VM keeps.
const maxPatterns = 64

// compiled returns the pattern for source, from the ones kept where it can.
func (v *vm) compiled(source string, anchor bool) *pattern {
	key := source
	if !anchor {
		key = "\x00" + source // a pattern of gmatch
	}
	if p := v.patterns[key]; p != nil {
		return p
	}
	v.chargeBytes(len(source) * bytesPerInstruction)
	p, err := compilePattern(source, anchor)
	if err != nil {
		v.L.RaiseError("%s", err)
	}
	if len(v.patterns) == maxPatterns {
		clear(v.patterns)
	}
	v.patterns[strings.Clone(key)] = p
	return p
}

// search runs a pattern within what is left of the budget.
func (v *vm) search(m *matcher, init int) (from, to int, ok bool) {
	v.charge(1)
	given := v.budget.left() * stepsPerInstruction
	m.steps = given
	from, to, ok = m.find(init)
	if m.steps < 0 {
		v.charge(v.budget.left() + 1)
	}
	v.charge((given - m.steps) / stepsPerInstruction)
	return from, to, ok
}

// pushCapture pushes capture i of a match; the whole match is capture 0 of a
// pattern without captures.
func (v *vm) pushCapture(m *matcher, i, from, to int) {
	switch {
	case i >= m.captures:
		if i > 0 {
			v.L.RaiseError("invalid capture index")
		}
		v.L.Push(glua.LString(m.subject[from:to]))
	case m.spans[i].to == positionOnly:
		v.L.Push(glua.LNumber(m.spans[i].from + 1))
	default:
		v.L.Push(glua.LString(m.captured(i)))
	}
}

// pushCaptures pushes all captures, or the whole match where there are none.
func (v *vm) pushCaptures(m *matcher, from, to int) int {
	n := max(m.captures, 1)
	for i := range n {
		v.pushCapture(m, i, from, to)
	}
	return n
}

func (v *vm) stringFind(L *glua.LState) int { return v.findOrMatch(true) }

func (v *vm) stringMatch(L *glua.LState) int { return v.findOrMatch(false) }

func (v *vm) findOrMatch(find bool) int {
	L := v.L
	s, source, init := L.CheckString(1), L.CheckString(2), optInteger(L, 3, 1)
	if init < 0 {
		init += len(s) + 1
	}
	init = min(max(init-1, 0), len(s))
	if find && glua.LVAsBool(L.Get(4)) {
		return v.findPlain(s, source, init)
	}
	p := v.compiled(source, true)
	if find && p.plain {
		return v.findPlain(s, source, init)
	}
	m := matcher{pattern: p, subject: s}
	from, to, ok := v.search(&m, init)
	switch {
	case !ok:
		L.Push(glua.LNil)
		return 1
	case !find:
		return v.pushCaptures(&m, from, to)
	}
	L.Push(glua.LNumber(from + 1))
	L.Push(glua.LNumber(to))
	for i := range p.captures {
		v.pushCapture(&m, i, from, to)
	}
	return 2 + p.captures
}

func (v *vm) findPlain(s, piece string, init int) int {
	v.chargeBytes(len(s) - init)
	at := strings.Index(s[init:], piece)
	if at < 0 {
		v.L.Push(glua.LNil)
		return 1
	}
	v.L.Push(glua.LNumber(init + at + 1))
	v.L.Push(glua.LNumber(init + at + len(piece)))
	return 2
}

// stringGmatch returns an iterator over the matches. A leading ^ is an ordinary
// character: an anchor would end the iteration at once.
func (v *vm) stringGmatch(L *glua.LState) int {
	m := &matcher{subject: L.CheckString(1), pattern: v.compiled(L.CheckString(2), false)}
	next := 0
	L.Push(L.NewFunction(func(L *glua.LState) int {
		from, to, ok := v.search(m, next)
		if !ok {
			next = len(m.subject) + 1
			L.Push(glua.LNil)
			return 1
		}
		next = to
		if to == from {
			next++
		}
		return v.pushCaptures(m, from, to)
	}))
	return 1
}

func (v *vm) stringGsub(L *glua.LState) int {
	s, source := L.CheckString(1), L.CheckString(2)
	L.CheckTypes(3, glua.LTString, glua.LTNumber, glua.LTTable, glua.LTFunction)
	replacement := L.Get(3)
	most := optInteger(L, 4, len(s)+1)
	m := matcher{pattern: v.compiled(source, true), subject: s}
	v.makeRoom(len(s))
	var out []byte
	kept, at, count := 0, 0, 0 // s[:kept] is in out
	for count < most && at <= len(s) {
		from, to, ok := v.search(&m, at)
		if !ok {
			break
		}
		count++
		out = append(out, s[kept:from]...)
		out = v.replace(out, &m, replacement, from, to)
		kept, at = to, to
		if to == from {
			at++ // the byte after an empty match is passed over
		}
		if m.anchored {
			break
		}
	}
	if count == 0 {
		L.Push(glua.LString(s))
	} else {
		if len(out)+len(s)-kept > maxString {
			v.makeRoom(maxString + 1)
		}
		L.Push(luaString(append(out, s[kept:]...)))
	}
	L.Push(glua.LNumber(count))
	return 2
}

// replace appends what a match is replaced with.
func (v *vm) replace(out []byte, m *matcher, replacement glua.LValue, from, to int) []byte {
	L := v.L
	var value glua.LValue
	switch r := replacement.(type) {
	case *glua.LTable:
		v.pushCapture(m, 0, from, to)
		key := L.Get(-1)
		L.Pop(1)
		value = L.GetTable(r, key)
	case *glua.LFunction:
		L.Push(r)
		L.Call(v.pushCaptures(m, from, to), 1)
		value = L.Get(-1)
		L.Pop(1)
	default:
		return v.expand(out, m, r.String(), from, to)
	}
	switch value.(type) {
	case glua.LString, glua.LNumber:
		return v.appendBounded(out, value.String())
	}
	if glua.LVAsBool(value) {
		L.RaiseError("invalid replacement value (a %s)", value.Type().String())
	}
	return v.appendBounded(out, m.subject[from:to])
}

// expand appends template with %0 to %9 replaced by what was captured.
func (v *vm) expand(out []byte, m *matcher, template string, from, to int) []byte {
	for {
		mark := strings.IndexByte(template, '%')
		if mark < 0 || mark == len(template)-1 {
			return v.appendBounded(out, template)
		}
		out = v.appendBounded(out, template[:mark])
		switch c := template[mark+1]; {
		case c == '0':
			out = v.appendBounded(out, m.subject[from:to])
		case '1' <= c && c <= '9':
			v.pushCapture(m, int(c-'1'), from, to)
			out = v.appendBounded(out, v.L.Get(-1).String())
			v.L.Pop(1)
		default:
			out = append(out, c)
		}
		template = template[mark+2:]
	}
}

// appendBounded appends s to a string in the making, within maxString.
func (v *vm) appendBounded(out []byte, s string) []byte {
	if len(out)+len(s) > maxString {
		v.makeRoom(maxString + 1)
	}
	v.charge(len(s) / bytesPerInstruction)
	return append(out, s...)
}
