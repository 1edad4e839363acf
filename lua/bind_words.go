package lua

import (
	"crypto/sha256"
	"fmt"

	"github.com/stratix-gateway/stratix/core/words"
	glua "github.com/yuin/gopher-lua"
)

// runesPerInstruction is how far the word matcher gets.
const runesPerInstruction = 8

// matcherSize is what a matcher takes without its words, in bytes.
const matcherSize = 2048

// newWords is stratix.words(list, {case_sensitive=, whole_word=}).
func (in *instance) newWords(L *glua.LState) int {
	const name = "stratix.words"
	in.onlyWhileLoading(L, name)
	t, ok := L.Get(1).(*glua.LTable)
	if !ok {
		L.RaiseError("%s takes a list of words, not a %s", name, L.Get(1).Type())
	}
	opt := options(L, 2, name, "case_sensitive", "whole_word")
	o := words.Options{
		Case:  flagOption(L, opt, name, "case_sensitive"),
		Whole: flagOption(L, opt, name, "whole_word"),
	}
	in.vm.chargeBytes(matcherSize)
	n := t.MaxN()
	list := make([]string, n)
	for i := range list {
		word, ok := t.RawGetInt(i + 1).(glua.LString)
		if !ok {
			L.RaiseError("%s: word %d is a %s", name, i+1, t.RawGetInt(i+1).Type())
		}
		in.vm.charge(nodeCost + len(word))
		list[i] = string(word)
	}
	if key := beyondList(t, n); key != glua.LNil {
		L.RaiseError("%s takes a list; it has no key %q", name, key.String())
	}
	m, err := in.load.shared.words(list, o)
	if err != nil {
		L.RaiseError("%s: %s", name, err)
	}
	L.Push(in.object(in.wordsType, m))
	return 1
}

// words compiles a list once for all shards.
func (s *shared) words(list []string, o words.Options) (*words.Matcher, error) {
	hash := sha256.New()
	fmt.Fprintf(hash, "%+v", o)
	for _, word := range list {
		fmt.Fprintf(hash, "%d:%s", len(word), word)
	}
	key := [sha256.Size]byte(hash.Sum(nil))
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.lists[key]; m != nil {
		return m, nil
	}
	m, err := words.New(list, o)
	if err == nil {
		s.lists[key] = m
	}
	return m, err
}

func (in *instance) wordsVerbs() functions {
	return functions{"find": in.wordsFind, "replace": in.wordsReplace}
}

// wordsFind is words:find(text, init): the word as it stands in the list, and
// its first and last byte in text; or nil.
func (in *instance) wordsFind(L *glua.LState) int {
	m := receiver[*words.Matcher](L, "words:find(text)")
	text, init := argString(L, 2, "words:find", "a text"), optInteger(L, 3, 1)
	found, ok, work := m.Find(text, min(max(init-1, 0), len(text)))
	in.vm.charge(1 + work/runesPerInstruction)
	if !ok {
		L.Push(glua.LNil)
		return 1
	}
	L.Push(in.boxes.str(found.Word))
	L.Push(in.boxes.number(float64(found.Start + 1)))
	L.Push(in.boxes.number(float64(found.End)))
	return 3
}

// wordsReplace is words:replace(text, with): text with each word replaced by a
// string, or by what a function of the word returns; and how many there were.
func (in *instance) wordsReplace(L *glua.LState) int {
	m := receiver[*words.Matcher](L, `words:replace(text, "***")`)
	text, with := argString(L, 2, "words:replace", "a text"), L.Get(3)
	fn, isFunction := with.(*glua.LFunction)
	if _, isString := with.(glua.LString); !isString && !isFunction {
		L.RaiseError("words:replace takes a string or a function after the text, not a %s", with.Type())
	}
	var out []byte
	at, count := 0, 0
	for {
		found, ok, work := m.Find(text, at)
		in.vm.charge(2 + work/runesPerInstruction)
		if !ok {
			break
		}
		out = in.vm.appendBounded(out, text[at:found.Start])
		if isFunction {
			out = in.replaced(L, out, fn, text[found.Start:found.End], found.Word)
		} else {
			out = in.vm.appendBounded(out, string(with.(glua.LString)))
		}
		at = found.End
		count++
	}
	if count == 0 {
		L.Push(L.Get(2))
	} else {
		L.Push(luaString(in.vm.appendBounded(out, text[at:])))
	}
	L.Push(in.boxes.number(float64(count)))
	return 2
}

// replaced appends what fn(found, word) says; nil and false keep what was found.
func (in *instance) replaced(L *glua.LState, out []byte, fn *glua.LFunction, found, word string) []byte {
	L.Push(fn)
	L.Push(glua.LString(found))
	L.Push(in.boxes.str(word))
	L.Call(2, 1)
	value := L.Get(-1)
	L.Pop(1)
	switch value := value.(type) {
	case glua.LString, glua.LNumber:
		return in.vm.appendBounded(out, value.String())
	}
	if glua.LVAsBool(value) {
		L.RaiseError("words:replace: the function returned a %s; it returns a string, or nil to keep the word", value.Type())
	}
	return in.vm.appendBounded(out, found)
}
