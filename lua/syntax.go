package lua

import "github.com/yuin/gopher-lua/ast"

// maxNesting bounds how deep a script may nest: what walks and compiles it
// recurses.
const maxNesting = 500

// tooDeep returns the line where a script nests deeper than maxNesting, or 0.
func tooDeep(stmts []ast.Stmt) int { return nested(stmts, 0) }

func nested(stmts []ast.Stmt, depth int) int {
	for _, stmt := range stmts {
		if depth > maxNesting {
			return max(stmt.Line(), 1)
		}
		for _, e := range expressions(stmt) {
			if nestedExpr(e, depth+1) {
				return max(stmt.Line(), 1)
			}
		}
		_, blocks := inside(stmt)
		for _, block := range blocks {
			if line := nested(block, depth+1); line > 0 {
				return line
			}
		}
	}
	return 0
}

func nestedExpr(e ast.Expr, depth int) bool {
	if depth > maxNesting {
		return true
	}
	if fn, ok := e.(*ast.FunctionExpr); ok {
		return nested(fn.Stmts, depth+1) > 0
	}
	for _, operand := range operands(e) {
		if nestedExpr(operand, depth+1) {
			return true
		}
	}
	return false
}

// expressions lists the expressions of a statement, without those of the blocks
// in it.
func expressions(stmt ast.Stmt) []ast.Expr {
	switch s := stmt.(type) {
	case *ast.LocalAssignStmt:
		return s.Exprs
	case *ast.AssignStmt:
		return append(append([]ast.Expr{}, s.Lhs...), s.Rhs...)
	case *ast.FuncDefStmt:
		return []ast.Expr{s.Name.Func, s.Name.Receiver, s.Func}
	case *ast.FuncCallStmt:
		return []ast.Expr{s.Expr}
	case *ast.ReturnStmt:
		return s.Exprs
	case *ast.WhileStmt:
		return []ast.Expr{s.Condition}
	case *ast.RepeatStmt:
		return []ast.Expr{s.Condition}
	case *ast.IfStmt:
		return []ast.Expr{s.Condition}
	case *ast.NumberForStmt:
		return []ast.Expr{s.Init, s.Limit, s.Step}
	case *ast.GenericForStmt:
		return s.Exprs
	}
	return nil
}

// inside lists the blocks of a statement and the names visible in them.
func inside(stmt ast.Stmt) (names []string, blocks [][]ast.Stmt) {
	switch s := stmt.(type) {
	case *ast.DoBlockStmt:
		return nil, [][]ast.Stmt{s.Stmts}
	case *ast.WhileStmt:
		return nil, [][]ast.Stmt{s.Stmts}
	case *ast.RepeatStmt:
		return nil, [][]ast.Stmt{s.Stmts}
	case *ast.IfStmt:
		return nil, [][]ast.Stmt{s.Then, s.Else}
	case *ast.NumberForStmt:
		return []string{s.Name}, [][]ast.Stmt{s.Stmts}
	case *ast.GenericForStmt:
		return s.Names, [][]ast.Stmt{s.Stmts}
	}
	return nil, nil
}

// operands lists the expressions that e consists of, without the body of a
// function.
func operands(e ast.Expr) []ast.Expr {
	switch x := e.(type) {
	case *ast.AttrGetExpr:
		return []ast.Expr{x.Object, x.Key}
	case *ast.TableExpr:
		list := make([]ast.Expr, 0, 2*len(x.Fields))
		for _, field := range x.Fields {
			list = append(list, field.Key, field.Value)
		}
		return list
	case *ast.FuncCallExpr:
		return append([]ast.Expr{x.Func, x.Receiver}, x.Args...)
	case *ast.LogicalOpExpr:
		return []ast.Expr{x.Lhs, x.Rhs}
	case *ast.RelationalOpExpr:
		return []ast.Expr{x.Lhs, x.Rhs}
	case *ast.StringConcatOpExpr:
		return chain(x)
	case *ast.ArithmeticOpExpr:
		return []ast.Expr{x.Lhs, x.Rhs}
	case *ast.UnaryMinusOpExpr:
		return []ast.Expr{x.Expr}
	case *ast.UnaryNotOpExpr:
		return []ast.Expr{x.Expr}
	case *ast.UnaryLenOpExpr:
		return []ast.Expr{x.Expr}
	}
	return nil
}

// chain lists the operands of a .. b .. c, which the parser nests to the right.
func chain(e *ast.StringConcatOpExpr) []ast.Expr {
	list := []ast.Expr{e.Lhs}
	for {
		next, ok := e.Rhs.(*ast.StringConcatOpExpr)
		if !ok {
			return append(list, e.Rhs)
		}
		list = append(list, next.Lhs)
		e = next
	}
}
