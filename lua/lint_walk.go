package lua

import "github.com/yuin/gopher-lua/ast"

// collect notes the globals that statements outside of functions define.
func (l *linter) collect(stmts []ast.Stmt) {
	define := func(e ast.Expr) {
		name, ok := e.(*ast.IdentExpr)
		if !ok {
			return
		}
		_, known := l.known[name.Value]
		if _, seen := l.defined[name.Value]; !seen && !known && l.find(name.Value) == nil {
			l.defined[name.Value] = name.Line()
		}
	}
	for _, stmt := range stmts {
		switch s := stmt.(type) {
		case *ast.AssignStmt:
			for _, e := range s.Lhs {
				define(e)
			}
		case *ast.FuncDefStmt:
			if s.Name.Func != nil {
				define(s.Name.Func)
			}
		case *ast.LocalAssignStmt:
			for _, name := range s.Names {
				l.declare(name, reference{})
			}
		}
		l.scope(func() {
			declare, blocks := inside(stmt)
			for _, name := range declare {
				l.declare(name, reference{})
			}
			for _, block := range blocks {
				l.scope(func() { l.collect(block) })
			}
		})
	}
}

func (l *linter) block(stmts []ast.Stmt) {
	l.scope(func() {
		for _, stmt := range stmts {
			l.stmt(stmt)
		}
	})
}

func (l *linter) stmt(stmt ast.Stmt) {
	switch s := stmt.(type) {
	case *ast.LocalAssignStmt:
		l.localStmt(s)
	case *ast.AssignStmt:
		l.assignStmt(s)
	case *ast.FuncDefStmt:
		l.funcDef(s)
	case *ast.FuncCallStmt:
		l.expr(s.Expr)
	case *ast.ReturnStmt:
		l.exprs(s.Exprs)
	case *ast.DoBlockStmt:
		l.block(s.Stmts)
	case *ast.WhileStmt:
		l.expr(s.Condition)
		l.block(s.Stmts)
	case *ast.RepeatStmt:
		l.scope(func() { // the condition sees the locals of the block
			for _, inner := range s.Stmts {
				l.stmt(inner)
			}
			l.expr(s.Condition)
		})
	case *ast.IfStmt:
		l.expr(s.Condition)
		l.block(s.Then)
		l.block(s.Else)
	case *ast.NumberForStmt:
		l.exprs([]ast.Expr{s.Init, s.Limit, s.Step})
		l.scope(func() {
			l.declare(s.Name, reference{})
			l.block(s.Stmts)
		})
	case *ast.GenericForStmt:
		l.exprs(s.Exprs)
		l.scope(func() {
			for _, name := range s.Names {
				l.declare(name, reference{})
			}
			l.block(s.Stmts)
		})
	}
}

func (l *linter) localStmt(s *ast.LocalAssignStmt) {
	if len(s.Names) == 1 && len(s.Exprs) == 1 {
		if fn, ok := s.Exprs[0].(*ast.FunctionExpr); ok {
			l.declare(s.Names[0], reference{}) // the function sees itself
			l.function(fn, false)
			return
		}
	}
	l.exprs(s.Exprs)
	shared := make([]reference, len(s.Names))
	for i := range min(len(s.Names), len(s.Exprs)) {
		shared[i] = l.alias(s.Exprs[i])
	}
	for i, name := range s.Names {
		l.declare(name, shared[i])
	}
}

func (l *linter) assignStmt(s *ast.AssignStmt) {
	l.exprs(s.Rhs)
	for i, target := range s.Lhs {
		switch t := target.(type) {
		case *ast.IdentExpr:
			var value ast.Expr
			if i < len(s.Rhs) {
				value = s.Rhs[i]
			}
			l.assign(t.Line(), t.Value, value)
		case *ast.AttrGetExpr:
			l.expr(t.Object)
			l.expr(t.Key)
			l.assignField(t.Line(), t.Object)
		}
	}
}

func (l *linter) funcDef(s *ast.FuncDefStmt) {
	switch {
	case s.Name.Receiver != nil:
		l.expr(s.Name.Receiver)
		l.assignField(s.Line(), s.Name.Receiver)
	default:
		switch name := s.Name.Func.(type) {
		case *ast.IdentExpr:
			l.assign(s.Line(), name.Value, nil)
		case *ast.AttrGetExpr:
			l.expr(name.Object)
			l.assignField(s.Line(), name.Object)
		}
	}
	l.handling(s.Name.Func, func() { l.function(s.Func, s.Name.Receiver != nil) })
}

func (l *linter) function(fn *ast.FunctionExpr, method bool) {
	base := l.base
	l.base = l.depth + 1
	l.body(fn, method)
	l.base = base
}

// callback walks a function that is written as the argument of a call in
// another function, such as that of string.gsub: it lives as long as the call,
// so the locals around it are as good as its own.
func (l *linter) callback(fn *ast.FunctionExpr) {
	if l.depth == 0 {
		l.function(fn, false)
		return
	}
	l.body(fn, false)
}

func (l *linter) body(fn *ast.FunctionExpr, method bool) {
	l.scope(func() {
		l.depth++
		if method {
			l.declare("self", reference{})
		}
		for _, name := range fn.ParList.Names {
			l.declare(name, reference{})
		}
		l.block(fn.Stmts)
		l.depth--
	})
}

func (l *linter) exprs(list []ast.Expr) {
	for _, e := range list {
		l.expr(e)
	}
}

func (l *linter) expr(e ast.Expr) {
	switch x := e.(type) {
	case *ast.IdentExpr:
		l.use(x.Line(), x.Value)
	case *ast.FunctionExpr:
		l.function(x, false)
	case *ast.AttrGetExpr:
		l.field(x)
		l.exprs(operands(e))
	case *ast.FuncCallExpr:
		l.change(x)
		l.method(x)
		l.handling(x.Func, func() {
			for _, operand := range operands(e) {
				if fn, ok := operand.(*ast.FunctionExpr); ok {
					l.callback(fn)
				} else {
					l.expr(operand)
				}
			}
		})
	default:
		l.exprs(operands(e))
	}
}
