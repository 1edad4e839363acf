package lua

import (
	"slices"
	"strconv"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
)

// The names of the functions that rewritten code calls. No script can name
// them: they are not identifiers.
const (
	concatName   = "(concat)"
	setIndexName = "(set)"
	keyName      = "(key)"
	tableName    = "(table)"
	emptyName    = "(empty)"
)

// maxOperands is how many values one concatenation takes; registers are few.
const maxOperands = 50

// smallIndex is the largest constant index whose assignment is left alone: the
// array of a table may always be filled up to it.
const smallIndex = 64

// rewrite replaces the operations of the VM that take memory out of proportion
// to their one instruction with calls of functions that bound and charge for
// it: a .. b, t[k] = v, { [k] = v }, and { } itself. Lines stay what they are.
func rewrite(stmts []ast.Stmt) []ast.Stmt {
	for i, stmt := range stmts {
		stmts[i] = rewriteStmt(stmt)
	}
	return stmts
}

func rewriteStmt(stmt ast.Stmt) ast.Stmt {
	switch s := stmt.(type) {
	case *ast.LocalAssignStmt:
		rewriteExprs(s.Exprs)
	case *ast.AssignStmt:
		rewriteExprs(s.Lhs)
		rewriteExprs(s.Rhs)
		return rewriteAssign(s)
	case *ast.FuncDefStmt:
		rewrite(s.Func.Stmts)
	case *ast.FuncCallStmt:
		s.Expr = rewriteExpr(s.Expr)
	case *ast.ReturnStmt:
		rewriteExprs(s.Exprs)
	case *ast.DoBlockStmt:
		rewrite(s.Stmts)
	case *ast.WhileStmt:
		s.Condition = rewriteExpr(s.Condition)
		rewrite(s.Stmts)
	case *ast.RepeatStmt:
		rewrite(s.Stmts)
		s.Condition = rewriteExpr(s.Condition)
	case *ast.IfStmt:
		s.Condition = rewriteExpr(s.Condition)
		rewrite(s.Then)
		rewrite(s.Else)
	case *ast.NumberForStmt:
		s.Init, s.Limit, s.Step = rewriteExpr(s.Init), rewriteExpr(s.Limit), rewriteExpr(s.Step)
		rewrite(s.Stmts)
	case *ast.GenericForStmt:
		rewriteExprs(s.Exprs)
		rewrite(s.Stmts)
	}
	return stmt
}

func rewriteExprs(list []ast.Expr) {
	for i, e := range list {
		list[i] = rewriteExpr(e)
	}
}

func rewriteExpr(e ast.Expr) ast.Expr {
	switch x := e.(type) {
	case *ast.StringConcatOpExpr:
		list := chain(x)
		rewriteExprs(list)
		return concatCall(x, list)
	case *ast.FunctionExpr:
		rewrite(x.Stmts)
	case *ast.AttrGetExpr:
		x.Object, x.Key = rewriteExpr(x.Object), rewriteExpr(x.Key)
	case *ast.TableExpr:
		x.Fields = keyedFirst(x.Fields)
		for _, field := range x.Fields {
			field.Key, field.Value = rewriteExpr(field.Key), rewriteExpr(field.Value)
			if field.Key != nil && !harmless(field.Key) {
				field.Key = hidden(keyName, field.Key, field.Key)
			}
		}
		if len(x.Fields) == 0 {
			return hidden(emptyName, x, x)
		}
		return hidden(tableName, x, x)
	case *ast.FuncCallExpr:
		x.Func, x.Receiver = rewriteExpr(x.Func), rewriteExpr(x.Receiver)
		rewriteExprs(x.Args)
	case *ast.LogicalOpExpr:
		x.Lhs, x.Rhs = rewriteExpr(x.Lhs), rewriteExpr(x.Rhs)
	case *ast.RelationalOpExpr:
		x.Lhs, x.Rhs = rewriteExpr(x.Lhs), rewriteExpr(x.Rhs)
	case *ast.ArithmeticOpExpr:
		x.Lhs, x.Rhs = rewriteExpr(x.Lhs), rewriteExpr(x.Rhs)
	case *ast.UnaryMinusOpExpr:
		x.Expr = rewriteExpr(x.Expr)
	case *ast.UnaryNotOpExpr:
		x.Expr = rewriteExpr(x.Expr)
	case *ast.UnaryLenOpExpr:
		x.Expr = rewriteExpr(x.Expr)
	}
	return e
}

// hidden is a call, at the place of at, of one of the functions named above. It
// has one result, and so has each of its arguments.
func hidden(name string, at ast.PositionHolder, args ...ast.Expr) *ast.FuncCallExpr {
	fn := &ast.IdentExpr{Value: name}
	call := &ast.FuncCallExpr{Func: fn, Args: args}
	for _, node := range []ast.PositionHolder{fn, call} {
		node.SetLine(at.Line())
		node.SetLastLine(at.LastLine())
	}
	single(args)
	return call
}

// single makes the last of several expressions give one value only.
func single(list []ast.Expr) {
	if len(list) == 0 {
		return
	}
	switch last := list[len(list)-1].(type) {
	case *ast.FuncCallExpr:
		last.AdjustRet = true
	case *ast.Comma3Expr:
		last.AdjustRet = true
	}
}

// concatCall joins the operands, those of a long chain in groups.
func concatCall(at ast.PositionHolder, list []ast.Expr) ast.Expr {
	for len(list) > maxOperands {
		var groups []ast.Expr
		for group := range slices.Chunk(list, maxOperands) {
			groups = append(groups, hidden(concatName, at, group...))
		}
		list = groups
	}
	return hidden(concatName, at, list...)
}

// keyedFirst moves the fields with keys before those without in a constructor
// with many items: gopher-lua 1.1.2 loses an item where a computed key follows
// the fiftieth.
func keyedFirst(fields []*ast.Field) []*ast.Field {
	items := make([]*ast.Field, 0, len(fields))
	keyed := make([]*ast.Field, 0, len(fields))
	for _, field := range fields {
		if field.Key == nil {
			items = append(items, field)
		} else {
			keyed = append(keyed, field)
		}
	}
	if len(items) < glua.FieldsPerFlush || len(keyed) == 0 {
		return fields
	}
	if last := len(fields) - 1; fields[last].Key != nil {
		values := []ast.Expr{items[len(items)-1].Value}
		single(values) // it was not the last field, which alone gives all its values
	}
	return append(keyed, items...)
}

// harmless reports whether a key cannot make a table's array grow by much.
func harmless(key ast.Expr) bool {
	switch k := key.(type) {
	case *ast.StringExpr, *ast.TrueExpr, *ast.FalseExpr:
		return true
	case *ast.NumberExpr:
		n, err := strconv.Atoi(k.Value)
		return err == nil && n <= smallIndex
	}
	return false
}

func guarded(target ast.Expr) bool {
	field, ok := target.(*ast.AttrGetExpr)
	return ok && !harmless(field.Key)
}

func rewriteAssign(s *ast.AssignStmt) ast.Stmt {
	if len(s.Lhs) > 1 || len(s.Rhs) > 1 {
		return rewriteMultiple(s)
	}
	if guarded(s.Lhs[0]) {
		field := s.Lhs[0].(*ast.AttrGetExpr)
		return callStmt(hidden(setIndexName, field, field.Object, field.Key, s.Rhs[0]))
	}
	if call, ok := s.Rhs[0].(*ast.FuncCallExpr); ok {
		// One value is taken anyway, and gopher-lua 1.1.2 compiles x = (f(x)) to
		// nil where x is the last parameter.
		call.AdjustRet = false
	}
	return s
}

func callStmt(call *ast.FuncCallExpr) *ast.FuncCallStmt {
	stmt := &ast.FuncCallStmt{Expr: call}
	stmt.SetLine(call.Line())
	stmt.SetLastLine(call.LastLine())
	return stmt
}

// rewriteMultiple turns a[i], b = x, y into a block that evaluates everything
// into locals first and then assigns one target after the other, the last one
// first. gopher-lua 1.1.2 by itself makes 2, 2 of a, b = b, a.
func rewriteMultiple(s *ast.AssignStmt) ast.Stmt {
	temporaries := &ast.LocalAssignStmt{}
	hold := func(kind string, i int, e ast.Expr) ast.Expr {
		name := "(" + kind + strconv.Itoa(i) + ")"
		temporaries.Names = append(temporaries.Names, name)
		temporaries.Exprs = append(temporaries.Exprs, e)
		held := &ast.IdentExpr{Value: name}
		held.SetLine(e.Line())
		return held
	}
	values := &ast.LocalAssignStmt{Exprs: s.Rhs}
	assign := make([]ast.Stmt, 0, len(s.Lhs))
	for i, target := range s.Lhs {
		name := "(value" + strconv.Itoa(i) + ")"
		values.Names = append(values.Names, name)
		value := &ast.IdentExpr{Value: name}
		value.SetLine(target.Line())

		field, isField := target.(*ast.AttrGetExpr)
		if isField {
			field.Object = hold("table", i, field.Object)
			if !harmless(field.Key) {
				field.Key = hold("key", i, field.Key)
			}
		}
		if guarded(target) {
			assign = append(assign, callStmt(hidden(setIndexName, field, field.Object, field.Key, value)))
			continue
		}
		one := &ast.AssignStmt{Lhs: []ast.Expr{target}, Rhs: []ast.Expr{value}}
		one.SetLine(target.Line())
		assign = append(assign, one)
	}
	slices.Reverse(assign)
	var before []ast.Stmt
	if len(temporaries.Names) > 0 {
		single(temporaries.Exprs)
		before = append(before, temporaries)
	}
	block := &ast.DoBlockStmt{Stmts: slices.Concat(before, []ast.Stmt{values}, assign)}
	for _, stmt := range []ast.Stmt{temporaries, values, block} {
		stmt.SetLine(s.Line())
		stmt.SetLastLine(s.LastLine())
	}
	return block
}
