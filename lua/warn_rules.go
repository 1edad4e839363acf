package lua

import (
	"slices"

	"github.com/yuin/gopher-lua/ast"
)

// pureVerbs have no effect but their result; those of readers have one with
// arguments.
var (
	pureVerbs = map[string][]string{
		"msg":  {"id", "from", "size", "generation", "get", "header", "claim"},
		"conn": {"id", "address", "claim"},
	}
	readers = []string{"priority", "ttl", "store", "overflow", "limit_key"}
)

// pure are the built-in functions that have no effect but their result.
var pure = []string{
	"json.decode", "json.encode",
	"math.abs", "math.ceil", "math.floor", "math.fmod", "math.max", "math.min", "math.pow", "math.sqrt",
	"next", "os.clock", "os.date", "os.time", "rawequal", "rawget", "select", "stratix.now",
	"string.byte", "string.char", "string.find", "string.format", "string.len", "string.lower", "string.match", "string.rep",
	"string.reverse", "string.sub", "string.upper",
	"table.concat", "tonumber", "tostring", "type", "unpack",
}

// unusedResult reports a call as a statement that does nothing else.
func (w *warner) unusedResult(e ast.Expr) {
	call, ok := e.(*ast.FuncCallExpr)
	if !ok {
		return
	}
	name := w.builtIn(call.Func)
	switch kind := w.objectOf(call.Receiver).kind; {
	case kind != "" && (slices.Contains(pureVerbs[kind], call.Method) || kind == "msg" && len(call.Args) == 0 && slices.Contains(readers, call.Method)):
		name = kind + ":" + call.Method
	case call.Receiver != nil:
		if _, text := call.Receiver.(*ast.StringExpr); !text || !slices.Contains(pure, "string."+call.Method) {
			return
		}
		name = "string." + call.Method
	case !slices.Contains(pure, name):
		return
	}
	w.warn(call.Line(), unusedResult, "the result of %s is thrown away, and it does nothing else", name)
}

// builtIn is the name of a global or of a field of one, such as "string.format";
// "" for everything else.
func (w *warner) builtIn(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.IdentExpr:
		if w.find(x.Value) == nil {
			return x.Value
		}
	case *ast.AttrGetExpr:
		object, key := nameOf(x.Object), keyOf(x)
		if object != "" && key != "" && w.find(object) == nil {
			return object + "." + key
		}
	}
	return ""
}

func nameOf(e ast.Expr) string {
	if name, ok := e.(*ast.IdentExpr); ok {
		return name.Value
	}
	return ""
}

func keyOf(e *ast.AttrGetExpr) string {
	if key, ok := e.Key.(*ast.StringExpr); ok {
		return key.Value
	}
	return ""
}

func (w *warner) objectOf(e ast.Expr) object {
	if name := nameOf(e); name != "" {
		if v := w.find(name); v != nil {
			return v.object
		}
	}
	return object{}
}

// uncalled reports msg.from where its value counts.
func (w *warner) uncalled(e ast.Expr, consequence string) {
	field, ok := e.(*ast.AttrGetExpr)
	if !ok {
		return
	}
	kind, verb := w.objectOf(field.Object).kind, keyOf(field)
	if kind != "" && slices.Contains(w.known.verbs[kind], verb) {
		w.warn(field.Line(), uncalled, "%s.%s %s: write %s:%s()", nameOf(field.Object), verb, consequence, nameOf(field.Object), verb)
	}
}

// call checks verbs and stages.
func (w *warner) call(call *ast.FuncCallExpr) {
	if call.Receiver != nil {
		w.verb(call.Line(), w.objectOf(call.Receiver), call.Method)
		return
	}
	field, ok := call.Func.(*ast.AttrGetExpr)
	if !ok {
		return
	}
	name, key := nameOf(field.Object), keyOf(field)
	switch o := w.objectOf(field.Object); {
	case o.kind != "" && slices.Contains(w.known.verbs[o.kind], key):
		if len(call.Args) == 0 || nameOf(call.Args[0]) != name {
			w.warn(call.Line(), dotCall, "%s.%s(...) fails: a verb takes a colon, as in %s:%s(...)", name, key, name, key)
		}
	case name == "stage" && w.find(name) == nil:
		w.settings(key, call.Args)
	}
}

// verb checks the name of a verb. What only has the name of a message may be a
// string.
func (w *warner) verb(line int, o object, verb string) {
	verbs := w.known.verbs[o.kind]
	if o.kind == "" || slices.Contains(verbs, verb) || !o.certain && slices.Contains(w.known.libraries["string"], verb) {
		return
	}
	w.warn(line, unknownVerb, "unknown %s verb %q%s", o.kind, verb, didYouMean(verb, verbs))
}

// settings checks the keys of stage.<name>{...}.
func (w *warner) settings(stage string, args []ast.Expr) {
	known := w.known.stages[stage]
	if known == nil || len(args) != 1 {
		return
	}
	table, ok := args[0].(*ast.TableExpr)
	if !ok {
		return
	}
	for _, f := range table.Fields {
		if key, ok := f.Key.(*ast.StringExpr); ok && !slices.Contains(known, key.Value) {
			w.warn(key.Line(), unknownKey, "stage.%s: unknown key %q%s", stage, key.Value, didYouMean(key.Value, known))
		}
	}
}

// field checks what is read of a message, a library, or stage.
func (w *warner) field(field *ast.AttrGetExpr) {
	name, key := nameOf(field.Object), keyOf(field)
	if name == "" || key == "" {
		return
	}
	if v := w.find(name); v != nil {
		if v.object.certain {
			w.verb(field.Line(), v.object, key)
		}
		return
	}
	fields, library := w.known.libraries[name]
	switch {
	case !library || slices.Contains(fields, key):
	case name == "stage":
		w.warn(field.Line(), unknownStage, "unknown stage %q%s", key, didYouMean(key, fields))
	default:
		w.warn(field.Line(), unknownField, "there is no %s.%s%s", name, key, didYouMean(key, fields))
	}
}

// endsFlow reports whether nothing of the same block runs after a statement.
func (w *warner) endsFlow(stmt ast.Stmt) bool {
	switch s := stmt.(type) {
	case *ast.ReturnStmt, *ast.BreakStmt, *ast.GotoStmt:
		return true
	case *ast.DoBlockStmt:
		return w.allEnd(s.Stmts)
	case *ast.IfStmt:
		return len(s.Else) > 0 && w.allEnd(s.Then) && w.allEnd(s.Else)
	case *ast.WhileStmt:
		_, forever := s.Condition.(*ast.TrueExpr)
		return forever && !leaves(s.Stmts)
	case *ast.FuncCallStmt:
		call, ok := s.Expr.(*ast.FuncCallExpr)
		return ok && w.builtIn(call.Func) == "error"
	}
	return false
}

// allEnd reports whether nothing runs behind a block. A label in it may be where
// something goes on.
func (w *warner) allEnd(stmts []ast.Stmt) bool {
	ends := false
	for _, stmt := range stmts {
		if _, label := stmt.(*ast.LabelStmt); label {
			return false
		}
		ends = ends || w.endsFlow(stmt)
	}
	return ends
}

// leaves reports whether a loop with these statements may be left by break or
// goto.
func leaves(stmts []ast.Stmt) bool {
	return slices.ContainsFunc(stmts, func(stmt ast.Stmt) bool {
		switch s := stmt.(type) {
		case *ast.BreakStmt, *ast.GotoStmt:
			return true
		case *ast.DoBlockStmt:
			return leaves(s.Stmts)
		case *ast.IfStmt:
			return leaves(s.Then) || leaves(s.Else)
		}
		_, blocks := inside(stmt) // of an inner loop only goto matters; break is taken for it too
		return slices.ContainsFunc(blocks, leaves)
	})
}
