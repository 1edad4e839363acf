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
	return func(key string) string {
		file := s.pos[:max(strings.LastIndexByte(s.pos, ':'), 0)]
		stmts, err := parse.Parse(bytes.NewReader(l.src[file]), file)
		if err != nil {
			return ""
		}
		place := ""
		eachCall(reflect.ValueOf(stmts), func(call *ast.FuncCallExpr) {
			if place != "" || position(file, call.Line()) != s.pos || !constructs(call, s.name) || len(call.Args) != 1 {
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
