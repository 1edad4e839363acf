package coretest

import (
	"strconv"
	"testing"
	"text/scanner"
)

// literals reads literal Lua values; token is the one that is read next.
type literals struct {
	scanner.Scanner
	t     testing.TB
	token rune
}

func (r *literals) fail(problem string) {
	r.t.Helper()
	r.t.Fatalf("lua %v: at %q: %s", r.Pos(), r.TokenText(), problem)
}

// next moves to the next token that is not in a comment.
func (r *literals) next() {
	for r.token = r.Scan(); r.token == '-' && r.Peek() == '-'; r.token = r.Scan() {
		for c := r.Next(); c != '\n' && c != scanner.EOF; {
			c = r.Next()
		}
	}
}

func (r *literals) want(text string) {
	r.t.Helper()
	if r.TokenText() != text {
		r.fail("want " + text)
	}
	r.next()
}

func (r *literals) accept(token rune) bool {
	if r.token != token {
		return false
	}
	r.next()
	return true
}

// value reads a string, bool, float64, []any or map[string]any.
func (r *literals) value() any {
	r.t.Helper()
	text := r.TokenText()
	switch r.token {
	case scanner.String:
		r.next()
		s, err := strconv.Unquote(text)
		if err != nil {
			r.fail("not a string that Lua and Go read the same")
		}
		return s
	case scanner.Int, scanner.Float:
		r.next()
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			r.fail("not a number")
		}
		return n
	case scanner.Ident:
		r.next()
		if text == "true" || text == "false" {
			return text == "true"
		}
	case '-':
		r.next()
		if n, ok := r.value().(float64); ok {
			return -n
		}
	case '{':
		r.next()
		return r.table()
	}
	r.fail("want a literal value")
	return nil
}

// table reads what follows the brace: a list, or a table with names. As in the
// gateway, the empty table is a list.
func (r *literals) table() any {
	r.t.Helper()
	var list []any
	var named map[string]any
	name := func(key string) {
		r.want("=")
		if named == nil {
			named = map[string]any{}
		}
		named[key] = r.value()
	}
	for !r.accept('}') {
		switch {
		case r.accept('['):
			key, ok := r.value().(string)
			if !ok {
				r.fail("want a name in quotes")
			}
			r.want("]")
			name(key)
		case r.token == scanner.Ident && r.TokenText() != "true" && r.TokenText() != "false":
			key := r.TokenText()
			r.next()
			name(key)
		default:
			list = append(list, r.value())
		}
		if !r.accept(',') && !r.accept(';') && r.token != '}' {
			r.fail("want , or }")
		}
	}
	if named == nil {
		return list
	}
	if list != nil {
		r.fail("a table with and without names")
	}
	return named
}
