package lua

import (
	"slices"
	"strings"

	"github.com/yuin/gopher-lua/ast"
)

func (w *warner) find(name string) *variable {
	for i := len(w.visible) - 1; i >= 0; i-- {
		if w.visible[i].name == name {
			return w.visible[i]
		}
	}
	return nil
}

func (w *warner) declare(line int, name string, o object) *variable {
	if outer := w.find(name); outer != nil && name == "msg" && outer.object.kind == "msg" {
		w.warn(line, shadowedMsg, "this 'msg' hides the message of line %d", outer.line)
	}
	v := &variable{name: name, line: line, object: o}
	w.visible = append(w.visible, v)
	return v
}

// scope runs walk and forgets the locals that it declared.
func (w *warner) scope(walk func()) {
	outer := len(w.visible)
	walk()
	w.visible = w.visible[:outer]
}

// stmts walks statements in the scope of the caller.
func (w *warner) stmts(stmts []ast.Stmt) {
	ended, reported := false, false
	for _, stmt := range stmts {
		if _, label := stmt.(*ast.LabelStmt); label {
			ended = false
		}
		if ended && !reported {
			w.warn(stmt.Line(), unreachable, "nothing gets here")
			reported = true
		}
		w.stmt(stmt)
		ended = ended || w.endsFlow(stmt)
	}
}

func (w *warner) stmt(stmt ast.Stmt) {
	switch s := stmt.(type) {
	case *ast.LocalAssignStmt:
		w.localStmt(s)
	case *ast.AssignStmt:
		w.exprs(s.Rhs)
		for i, target := range s.Lhs {
			w.assign(target, s.Rhs, i)
		}
	case *ast.FuncDefStmt:
		w.funcDef(s)
	case *ast.FuncCallStmt:
		w.unusedResult(s.Expr)
		w.expr(s.Expr)
	case *ast.RepeatStmt:
		w.scope(func() { // the condition sees the locals of the block
			from := len(w.visible)
			w.stmts(s.Stmts)
			w.condition(s.Condition)
			w.unused(from)
		})
	case *ast.IfStmt:
		w.condition(s.Condition)
		w.nested(s.Then)
		w.nested(s.Else)
	case *ast.WhileStmt:
		w.condition(s.Condition)
		w.nested(s.Stmts)
	default:
		w.exprs(expressions(stmt))
		names, blocks := inside(stmt)
		for _, block := range blocks {
			w.scope(func() {
				for _, name := range names {
					w.declare(stmt.Line(), name, object{}).read = true
				}
				w.nested(block)
			})
		}
	}
}

// nested walks a block and reports what it declares for nothing.
func (w *warner) nested(stmts []ast.Stmt) {
	w.scope(func() {
		from := len(w.visible)
		w.stmts(stmts)
		w.unused(from)
	})
}

// unused reports the visible locals from this one on that nobody read.
func (w *warner) unused(from int) {
	for _, v := range w.visible[from:] {
		read := v.read
		for _, behind := range v.behind {
			read = read || behind.read
		}
		if !read && !strings.HasPrefix(v.name, "_") {
			w.warn(v.line, unusedLocal, "the local '%s' is never used", v.name)
		}
	}
}

func (w *warner) localStmt(s *ast.LocalAssignStmt) {
	if len(s.Names) == 1 && len(s.Exprs) == 1 {
		if fn, ok := s.Exprs[0].(*ast.FunctionExpr); ok {
			w.declare(s.Line(), s.Names[0], object{}) // the function sees itself
			w.function(fn, w.handles(fn, s.Names[0]))
			return
		}
	}
	w.exprs(s.Exprs)
	objects := make([]object, len(s.Names))
	for i := range min(len(s.Names), len(s.Exprs)) {
		objects[i] = w.objectOf(s.Exprs[i])
	}
	made := make([]*variable, len(s.Names))
	for i, name := range s.Names {
		made[i] = w.declare(s.Line(), name, objects[i])
	}
	if last := len(s.Exprs) - 1; last >= 0 {
		for i, v := range made[min(last, len(made)):] { // results of one call
			v.behind = made[last+i+1:]
		}
	}
}

func (w *warner) assign(target ast.Expr, values []ast.Expr, i int) {
	name, ok := target.(*ast.IdentExpr)
	if !ok {
		w.expr(target)
		return
	}
	if v := w.find(name.Value); v != nil {
		v.object = object{}
		if i < len(values) {
			v.object = w.objectOf(values[i])
		}
	}
}

func (w *warner) funcDef(s *ast.FuncDefStmt) {
	first := object{}
	switch name := s.Name.Func.(type) {
	case *ast.IdentExpr:
		first = w.handles(s.Func, name.Value)
		if w.find(name.Value) == nil && name.Value != onTick && slices.Contains(hookNames, name.Value) {
			first = object{"conn", true}
		}
	case *ast.AttrGetExpr:
		w.expr(name.Object)
	}
	if s.Name.Receiver != nil {
		w.expr(s.Name.Receiver)
		w.scope(func() {
			w.declare(s.Line(), "self", object{}).read = true
			w.function(s.Func, first)
		})
		return
	}
	w.function(s.Func, first)
}

// handles is what the first parameter of a function holds.
func (w *warner) handles(fn *ast.FunctionExpr, name string) object {
	if w.handlers.functions[fn] || w.handlers.names[name] {
		return object{"msg", true}
	}
	return object{}
}

func (w *warner) function(fn *ast.FunctionExpr, first object) {
	w.scope(func() {
		for i, name := range fn.ParList.Names {
			o := object{}
			switch {
			case i == 0 && first.kind != "":
				o = first
			case name == "msg" || name == "conn":
				o = object{kind: name}
			}
			w.declare(fn.Line(), name, o).read = true
		}
		w.nested(fn.Stmts)
	})
}

func (w *warner) exprs(list []ast.Expr) {
	for _, e := range list {
		w.expr(e)
	}
}

// condition walks an expression whose truth alone counts.
func (w *warner) condition(e ast.Expr) {
	w.uncalled(e, "is true whatever the message is")
	w.expr(e)
}

func (w *warner) expr(e ast.Expr) {
	switch x := e.(type) {
	case *ast.IdentExpr:
		if v := w.find(x.Value); v != nil {
			v.read = true
		}
	case *ast.FunctionExpr:
		w.function(x, w.handles(x, ""))
	case *ast.FuncCallExpr:
		w.call(x)
		w.exprs(operands(e))
	case *ast.AttrGetExpr:
		w.field(x)
		w.exprs(operands(e))
	case *ast.LogicalOpExpr:
		w.condition(x.Lhs)
		w.expr(x.Rhs)
	case *ast.UnaryNotOpExpr:
		w.condition(x.Expr)
	case *ast.RelationalOpExpr, *ast.ArithmeticOpExpr, *ast.StringConcatOpExpr, *ast.UnaryLenOpExpr, *ast.UnaryMinusOpExpr:
		for _, operand := range operands(e) {
			w.uncalled(operand, "is a function here, and not what it returns")
			w.expr(operand)
		}
	default:
		w.exprs(operands(e))
	}
}
