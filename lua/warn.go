package lua

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// What lint finds is an error and rejects a save: it certainly fails when it
// runs, or loses what it keeps. What warn finds is a warning: it is legal, may
// be meant, and never rejects anything. A comment in its line switches it off:
//
//	msg:get("data.x") -- stratix:ignore unused-result

// rule names a kind of warning.
type rule string

const (
	unusedResult rule = "unused-result" // msg:get("x") as a statement
	unknownStage rule = "unknown-stage" // stage.prefx
	unknownKey   rule = "unknown-key"   // stage.prefix { fil = "x" }
	unknownVerb  rule = "unknown-verb"  // msg:gett("x")
	unknownField rule = "unknown-field" // string.trim
	unusedLocal  rule = "unused-local"
	unreachable  rule = "unreachable"
	uncalled     rule = "uncalled"     // if msg.from == "a"
	dotCall      rule = "dot-call"     // msg.get("x")
	shadowedMsg  rule = "shadowed-msg" // local msg where msg is the message
	unknownRule  rule = "unknown-rule" // in a comment that switches off
)

var rules = []rule{
	unusedResult, unknownStage, unknownKey, unknownVerb, unknownField, unusedLocal, unreachable, uncalled, dotCall, shadowedMsg, unknownRule,
}

// warnings are those of all files of a generation but the tests, in the order
// of the files' names and their lines.
func (l *load) warnings(in *instance) []Problem {
	known := in.vocabulary()
	var all []Problem
	for _, name := range l.scriptFiles() {
		all = append(all, warn(name, l.src[name], known)...)
	}
	return all
}

// scriptFiles are the files of a generation with Lua in them but the tests, in the
// order of their names.
func (l *load) scriptFiles() (names []string) {
	for _, name := range slices.Sorted(maps.Keys(l.src)) {
		if strings.HasSuffix(name, ".lua") && !strings.HasSuffix(name, "_test.lua") {
			names = append(names, name)
		}
	}
	return names
}

// warn reads a file that compiles, and says what in it is probably not meant.
func warn(name string, src []byte, known *vocabulary) (found []Problem) {
	src = bytes.TrimPrefix(src, []byte("\ufeff"))
	stmts := parsed(name, src)
	w := &warner{file: name, known: known, ignored: map[int][]rule{}}
	w.readIgnores(src)
	w.handlers = pipelineItems(stmts)
	w.nested(stmts)
	slices.SortStableFunc(w.found, func(a, b warning) int { return a.line - b.line })
	for _, one := range w.found {
		found = append(found, Problem{position(name, one.line), fmt.Sprintf("%s [%s]", one.text, one.rule)})
	}
	return found
}

// parsed is the syntax tree of a file; nil for one that does not compile, which
// is an error elsewhere.
func parsed(name string, src []byte) (stmts []ast.Stmt) {
	defer func() {
		if recover() != nil { // the parser panics on input that it did not expect
			stmts = nil
		}
	}()
	stmts, err := parse.Parse(bytes.NewReader(src), name)
	if err != nil || tooDeep(stmts) > 0 {
		return nil
	}
	return stmts
}

type warner struct {
	file     string
	known    *vocabulary
	ignored  map[int][]rule // by line
	handlers handlers
	visible  []*variable // innermost last
	found    []warning
}

type warning struct {
	line int
	rule rule
	text string
}

// variable is a local name in scope.
type variable struct {
	name   string
	line   int
	object object
	read   bool
	behind []*variable // of the same statement and call: it has to be named for these
}

// object is what a variable is known to hold.
type object struct {
	kind    string // "msg", "conn", or "" for anything
	certain bool   // not judged by its name alone
}

// handlers are the functions that the pipeline calls with a message.
type handlers struct {
	functions map[*ast.FunctionExpr]bool
	names     map[string]bool
}

// pipelineItems finds the items of pipeline{...}.
func pipelineItems(stmts []ast.Stmt) handlers {
	h := handlers{map[*ast.FunctionExpr]bool{}, map[string]bool{}}
	for _, stmt := range stmts {
		s, ok := stmt.(*ast.FuncCallStmt)
		if !ok {
			continue
		}
		call, ok := s.Expr.(*ast.FuncCallExpr)
		if !ok || nameOf(call.Func) != "pipeline" || len(call.Args) != 1 {
			continue
		}
		table, ok := call.Args[0].(*ast.TableExpr)
		if !ok {
			continue
		}
		for _, f := range table.Fields {
			switch item := f.Value.(type) {
			case *ast.FunctionExpr:
				h.functions[item] = true
			case *ast.IdentExpr:
				h.names[item.Value] = true
			}
		}
	}
	return h
}

func (w *warner) warn(line int, r rule, format string, args ...any) {
	for _, ignored := range w.ignored[line] {
		if ignored == r || ignored == "" {
			return
		}
	}
	w.found = append(w.found, warning{line, r, fmt.Sprintf(format, args...)})
}

// ignoreComment is followed by the names of rules; without any, all are meant. A
// colon may follow, and why.
var ignoreComment = regexp.MustCompile(`--\s*stratix:ignore\b([^:]*)`)

func (w *warner) readIgnores(src []byte) {
	names := make([]string, len(rules))
	for i, r := range rules {
		names[i] = string(r)
	}
	for i, text := range sourceLines(src) {
		line := i + 1
		m := ignoreComment.FindSubmatch(text)
		if m == nil {
			continue
		}
		words := strings.FieldsFunc(string(m[1]), func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
		if len(words) == 0 {
			w.ignored[line] = append(w.ignored[line], "")
		}
		for _, word := range words {
			if !slices.Contains(names, word) {
				w.warn(line, unknownRule, "there is no warning %q to ignore%s", word, didYouMean(word, names))
				continue
			}
			w.ignored[line] = append(w.ignored[line], rule(word))
		}
	}
}

// sourceLines are the lines as the parser counts them: any of \n, \r, \r\n and
// \n\r ends one.
func sourceLines(src []byte) (lines [][]byte) {
	for {
		end := bytes.IndexAny(src, "\r\n")
		if end < 0 {
			return append(lines, src)
		}
		lines = append(lines, src[:end])
		width := 1
		if end+1 < len(src) && src[end+1] != src[end] && (src[end+1] == '\r' || src[end+1] == '\n') {
			width = 2
		}
		src = src[end+width:]
	}
}
