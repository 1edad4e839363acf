package lua

import (
	"fmt"
	"maps"
	"slices"

	"github.com/stratix-gateway/stratix/core"
	"github.com/yuin/gopher-lua/ast"
)

// knownGlobals are the globals that exist before a script runs. The value is
// true for tables whose fields scripts must not assign.
type knownGlobals map[string]bool

// lostState is why scripts may not keep state in a VM.
const lostState = "state in a script is not shared between shards and is lost at the next save"

// lint walks a file in the order of its execution and reports unknown globals
// and state kept between calls. It returns the globals that main.lua or a test
// file defines.
func lint(name string, stmts []ast.Stmt, known knownGlobals) (map[string]int, []Problem) {
	l := &linter{file: name, known: known, defined: map[string]int{}}
	if definesGlobals(name) {
		// A function may use a global that the file defines further down.
		l.scope(func() { l.collect(stmts) })
	}
	l.block(stmts)
	return l.defined, l.problems
}

type linter struct {
	file     string
	known    knownGlobals
	defined  map[string]int // globals of this file -> line
	locals   []local        // the visible ones, innermost last
	depth    int            // of functions
	base     int            // the outermost one whose locals live no longer than this call
	handlers bool           // in what handles messages: the functions of the pipeline, hooks
	problems []Problem
}

// local is a local variable in scope.
type local struct {
	name  string
	depth int // the function that owns it
	// shared names the variable outside of its function, or the library, that
	// the local is just another name for.
	shared reference
}

// kind says where a name leads to.
type kind uint8

const (
	own     kind = iota // a local of the function at hand, or of those it is a callback in
	upvalue             // a local outside of it
	global              // a global of the script
	library             // a global that scripts must not change
	unknown
)

// reference is what a name means at one place.
type reference struct {
	kind kind
	name string
}

func (l *linter) report(line int, format string, args ...any) {
	l.problems = append(l.problems, Problem{position(l.file, line), fmt.Sprintf(format, args...)})
}

// find returns the local that name means, or nil.
func (l *linter) find(name string) *local {
	for i := len(l.locals) - 1; i >= 0; i-- {
		if l.locals[i].name == name {
			return &l.locals[i]
		}
	}
	return nil
}

func (l *linter) resolve(name string) reference {
	if found := l.find(name); found != nil {
		switch {
		case found.shared.kind != own:
			return found.shared
		case found.depth < l.base:
			return reference{upvalue, name}
		}
		return reference{own, name}
	}
	if sealed, ok := l.known[name]; ok {
		if sealed {
			return reference{library, name}
		}
		return reference{global, name}
	}
	if _, ok := l.defined[name]; ok {
		return reference{global, name}
	}
	return reference{unknown, name}
}

// root is what an expression such as a, a.b or a.b[c] begins with.
func (l *linter) root(e ast.Expr) (reference, bool) {
	for {
		switch at := e.(type) {
		case *ast.IdentExpr:
			return l.resolve(at.Value), true
		case *ast.AttrGetExpr:
			e = at.Object
		default:
			return reference{}, false
		}
	}
}

// alias is what a local with the value e shares with others.
func (l *linter) alias(e ast.Expr) reference {
	ref, ok := l.root(e)
	switch {
	case !ok || ref.kind == unknown:
		return reference{}
	case ref.kind == library, l.depth > 0 && ref.kind != own:
		return ref
	}
	return reference{}
}

func (l *linter) declare(name string, shared reference) {
	l.locals = append(l.locals, local{name: name, depth: l.depth, shared: shared})
}

// scope runs walk and forgets the locals it declared.
func (l *linter) scope(walk func()) {
	outer := len(l.locals)
	walk()
	l.locals = l.locals[:outer]
}

func (l *linter) use(line int, name string) {
	if l.resolve(name).kind != unknown {
		return
	}
	if near := l.nearest(name); near != "" {
		l.report(line, "unknown global '%s' (did you mean '%s'?)", name, near)
		return
	}
	if name == "t" && isTest(l.file) {
		l.report(line, "unknown global 't': a test takes it, as in function test_name(t)")
		return
	}
	l.report(line, "unknown global '%s'", name)
}

// assign checks `name = ...`.
func (l *linter) assign(line int, name string, value ast.Expr) {
	if found := l.find(name); found != nil {
		if found.depth < l.base {
			if isTest(l.file) {
				return // a test has its VM for itself
			}
			l.report(line, "assignment to '%s', a local outside of this function: %s", name, lostState)
			return
		}
		found.shared = reference{}
		if value != nil {
			found.shared = l.alias(value)
		}
		return
	}
	_, known := l.known[name]
	switch {
	case known:
		l.report(line, "'%s' is built in and cannot be replaced", name)
	case l.depth > 0:
		l.report(line, "assignment to the global '%s' in a function (is a 'local' missing?): %s", name, lostState)
	case !definesGlobals(l.file):
		l.report(line, "only %s may define globals (is a 'local' missing before '%s'?); a module returns a table", mainFile, name)
	}
}

// assignField checks a change to a table that the expression base leads to.
func (l *linter) assignField(line int, base ast.Expr) {
	ref, ok := l.root(base)
	switch {
	case !ok:
	case ref.kind == library:
		l.report(line, "'%s' is built in and cannot be changed", ref.name)
	case isTest(l.file): // a test has its VM for itself
	case l.depth > 0 && ref.kind == upvalue:
		l.report(line, "assignment to a field of '%s', a local outside of this function: %s", ref.name, lostState)
	case l.depth > 0 && ref.kind == global:
		l.report(line, "assignment to a field of the global '%s' in a function: %s", ref.name, lostState)
	}
}

// changers are the built-ins that change the table that is their first argument.
var changers = []string{"table.insert", "table.remove", "table.sort", "rawset", "setmetatable"}

// change checks calls of built-ins that change their first argument.
func (l *linter) change(call *ast.FuncCallExpr) {
	if len(call.Args) == 0 || call.Func == nil {
		return
	}
	var name string
	switch fn := call.Func.(type) {
	case *ast.IdentExpr:
		name = fn.Value
	case *ast.AttrGetExpr:
		object, isName := fn.Object.(*ast.IdentExpr)
		key, isField := fn.Key.(*ast.StringExpr)
		if !isName || !isField {
			return
		}
		name = object.Value + "." + key.Value
	}
	if slices.Contains(changers, name) {
		l.assignField(call.Line(), call.Args[0])
	}
}

// nearest is the visible name that name was probably meant to be, or "".
func (l *linter) nearest(name string) string {
	visible := slices.AppendSeq(slices.Collect(maps.Keys(l.known)), maps.Keys(l.defined))
	for _, v := range l.locals {
		visible = append(visible, v.name)
	}
	return core.Nearest(name, visible)
}
