package lua

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stratix-gateway/stratix/core"
	"github.com/yuin/gopher-lua/ast"
)

// libraryFields are the names in the tables of the bindings, by the tables'
// names. stage is not among them: its names come with the plugins.
var libraryFields = func() map[string][]string {
	in := (*instance)(nil)
	names := func(fns functions, more ...string) []string {
		return append(slices.Collect(maps.Keys(fns)), more...)
	}
	return map[string][]string{
		"stratix":        names(in.stratixFunctions(), stratixValues...),
		"stratix.kv":     names(in.kvFunctions()),
		"stratix.metric": names(in.metricFunctions()),
		"log":            names(in.logFunctions()),
		"json":           names(in.jsonFunctions()),
	}
}()

// loadOnly are the functions that work while the scripts load only.
var loadOnly = []string{
	"stratix.words", "stratix.re", "stratix.prefix",
	"stratix.metric.counter", "stratix.metric.gauge", "stratix.metric.histogram",
}

// libraryPath is what an expression such as stratix.kv.get says, if it begins
// with a table of the bindings, else "".
func (l *linter) libraryPath(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.IdentExpr:
		if _, ok := libraryFields[x.Value]; ok && l.find(x.Value) == nil {
			return x.Value
		}
	case *ast.AttrGetExpr:
		if key, ok := x.Key.(*ast.StringExpr); ok {
			if base := l.libraryPath(x.Object); base != "" {
				return base + "." + key.Value
			}
		}
	}
	return ""
}

// field checks a name in a table of the bindings.
func (l *linter) field(x *ast.AttrGetExpr) {
	path := l.libraryPath(x)
	dot := strings.LastIndexByte(path, '.')
	if dot < 0 {
		return
	}
	known, name := libraryFields[path[:dot]], path[dot+1:]
	if known == nil {
		return // a field of what is no table, or of one that is unknown itself
	}
	switch {
	case !slices.Contains(known, name):
		hint := ""
		if near := core.Nearest(name, known); near != "" {
			hint = fmt.Sprintf(" (did you mean '%s'?)", near)
		}
		l.report(x.Line(), "unknown field '%s'%s", path, hint)
	case l.handlers && l.depth > 0 && slices.Contains(loadOnly, path):
		l.report(x.Line(), "'%s' works while the scripts load only: keep its result in a local outside of the function", path)
	}
}

// method checks a call with a colon.
func (l *linter) method(x *ast.FuncCallExpr) {
	if path := l.libraryPath(x.Receiver); libraryFields[path] != nil {
		l.report(x.Line(), "'%s:%s' needs a dot: %s.%s(...)", path, x.Method, path, x.Method)
	}
}

// handling runs walk over what handles messages, if that is what the name is of:
// pipeline or a hook.
func (l *linter) handling(e ast.Expr, walk func()) {
	outer := l.handlers
	if name, ok := e.(*ast.IdentExpr); ok && l.depth == 0 && l.find(name.Value) == nil &&
		(name.Value == "pipeline" || slices.Contains(hookNames, name.Value)) {
		l.handlers = true
	}
	walk()
	l.handlers = outer
}
