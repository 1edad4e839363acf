package lua

import (
	"slices"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// Bounds on a table of prefixes.
const (
	maxPrefixes = 100_000
	maxPrefix   = 256 // bytes of one
)

// prefixes finds the longest prefix of a text by trying the lengths that there
// are, the longest first: tables have few of them. stage.prefix sorts its routes
// instead, since it has to know how they nest. It belongs to one VM, as its
// values do.
type prefixes struct {
	lengths []int // descending
	byText  map[string]prefixValue
}

type prefixValue struct{ value, prefix glua.LValue }

// newPrefixes is stratix.prefix(table).
func (in *instance) newPrefixes(L *glua.LState) int {
	const name = "stratix.prefix"
	in.onlyWhileLoading(L, name)
	t, ok := L.Get(1).(*glua.LTable)
	if !ok {
		L.RaiseError("%s takes a table from prefix to value, not a %s", name, L.Get(1).Type())
	}
	p := &prefixes{byText: map[string]prefixValue{}}
	for key, value := t.Next(glua.LNil); key != glua.LNil; key, value = t.Next(key) {
		text, ok := key.(glua.LString)
		switch {
		case !ok:
			L.RaiseError("%s: the key %s is a %s; a prefix is a string", name, key.String(), key.Type())
		case len(text) > maxPrefix:
			L.RaiseError("%s: the prefix %.40q... is longer than %d bytes", name, string(text), maxPrefix)
		case len(p.byText) == maxPrefixes:
			L.RaiseError("%s: the table has more than %d prefixes", name, maxPrefixes)
		}
		in.vm.charge(nodeCost)
		p.byText[strings.Clone(string(text))] = prefixValue{value, key}
		if !slices.Contains(p.lengths, len(text)) {
			p.lengths = append(p.lengths, len(text))
		}
	}
	slices.SortFunc(p.lengths, func(a, b int) int { return b - a })
	L.Push(in.object(in.prefixesType, p))
	return 1
}

func (in *instance) prefixesVerbs() functions { return functions{"find": in.prefixesFind} }

// prefixesFind is prefix:find(text): the value of the longest prefix of text and
// the prefix, or nil.
func (in *instance) prefixesFind(L *glua.LState) int {
	p := receiver[*prefixes](L, "prefix:find(id)")
	text := argString(L, 2, "prefix:find", "a text")
	in.vm.charge(1 + len(p.lengths))
	for _, n := range p.lengths {
		if n > len(text) {
			continue
		}
		if found, ok := p.byText[text[:n]]; ok {
			L.Push(found.value)
			L.Push(found.prefix)
			return 2
		}
	}
	L.Push(glua.LNil)
	return 1
}
