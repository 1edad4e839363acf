package lua

import (
	"bytes"
	"reflect"
	"strings"

	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// keyPos gives the places of the keys of stage.<name>{...} for the errors of a
// stage. The file is only read again when a place is asked for.
func (l *load) keyPos(s *spec) func(key string) string {
	return l.keyPosIn(s, func(call *ast.FuncCallExpr, file string) bool {
		return position(file, call.Line()) == s.pos && constructs(call, s.name)
	})
}

// upstreamKeyPos is keyPos for upstream "name" {...}.
func (l *load) upstreamKeyPos(s *spec) func(key string) string {
	return l.keyPosIn(s, func(call *ast.FuncCallExpr, _ string) bool { return namesUpstream(call, s.name) })
}

// keyPosIn gives the places of the keys in the table of the call that is meant.
func (l *load) keyPosIn(s *spec, meant func(call *ast.FuncCallExpr, file string) bool) func(key string) string {
	return func(key string) string {
		file := s.pos[:max(strings.LastIndexByte(s.pos, ':'), 0)]
		stmts, err := parse.Parse(bytes.NewReader(l.src[file]), file)
		if err != nil {
			return ""
		}
		place := ""
		eachCall(reflect.ValueOf(stmts), func(call *ast.FuncCallExpr) {
			if place != "" || len(call.Args) != 1 || !meant(call, file) {
				return
			}
			table, ok := call.Args[0].(*ast.TableExpr)
			if !ok {
				return
			}
			for _, f := range table.Fields {
				if k, ok := f.Key.(*ast.StringExpr); ok && k.Value == key {
					place = position(file, k.Line())
				}
			}
		})
		return place
	}
}

// constructs reports whether the call is one of stage.<name>.
func constructs(call *ast.FuncCallExpr, name string) bool {
	fn, ok := call.Func.(*ast.AttrGetExpr)
	if !ok {
		return false
	}
	object, _ := fn.Object.(*ast.IdentExpr)
	key, _ := fn.Key.(*ast.StringExpr)
	return object != nil && key != nil && object.Value == "stage" && key.Value == name
}

// namesUpstream reports whether the call gives a table to upstream "name".
func namesUpstream(call *ast.FuncCallExpr, name string) bool {
	inner, ok := call.Func.(*ast.FuncCallExpr)
	if !ok || len(inner.Args) != 1 || nameOf(inner.Func) != "upstream" {
		return false
	}
	text, ok := inner.Args[0].(*ast.StringExpr)
	return ok && text.Value == name
}

// eachCall visits all calls within a syntax tree.
func eachCall(node reflect.Value, visit func(*ast.FuncCallExpr)) {
	switch node.Kind() {
	case reflect.Interface, reflect.Pointer:
		if node.IsNil() {
			return
		}
		if call, ok := node.Interface().(*ast.FuncCallExpr); ok && node.Kind() == reflect.Pointer {
			visit(call)
		}
		eachCall(node.Elem(), visit)
	case reflect.Slice:
		for i := range node.Len() {
			eachCall(node.Index(i), visit)
		}
	case reflect.Struct:
		for i := range node.NumField() {
			if node.Type().Field(i).IsExported() {
				eachCall(node.Field(i), visit)
			}
		}
	}
}
