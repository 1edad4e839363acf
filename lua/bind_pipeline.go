package lua

import (
	"fmt"
	"math"

	"github.com/stratix-gateway/stratix/core"
	glua "github.com/yuin/gopher-lua"
)

// spec is what stage.<name>{...} returns: a Go stage that main.lua asked for; or an
// upstream that it has named.
type spec struct {
	name, pos string
	values    map[string]any
}

// entry is one item of the pipeline: a Go stage or a Lua function.
type entry struct {
	spec *spec
	fn   *glua.LFunction
}

// label names the entry in metrics, logs and rejections: the stage's name, or
// the place of the function.
func (e entry) label() string {
	if e.spec != nil {
		return e.spec.name
	}
	return functionPlace(e.fn)
}

// functionPlace is where a Lua function begins, such as "main.lua:12".
func functionPlace(fn *glua.LFunction) string {
	return position(fn.Proto.SourceName, fn.Proto.LineDefined)
}

// definePipeline is pipeline{...}. It takes the pipeline from main.lua, once.
func (in *instance) definePipeline(L *glua.LState) int {
	switch {
	case !in.loading:
		L.RaiseError("pipeline can only be called while the scripts load")
	case in.defined != "":
		L.RaiseError("pipeline is called a second time; the first is at %s", in.defined)
	}
	items, ok := L.Get(1).(*glua.LTable)
	if !ok {
		L.RaiseError("pipeline takes a table of functions and stages, not a %s", L.Get(1).Type())
	}
	in.defined = in.vm.where()
	n := items.MaxN()
	in.pipeline = make([]entry, 0, n)
	for i := 1; i <= n; i++ {
		in.pipeline = append(in.pipeline, pipelineEntry(L, i, items.RawGetInt(i)))
	}
	if key := beyondList(items, n); key != glua.LNil {
		L.RaiseError("the pipeline is a list; it has no key %q", key.String())
	}
	return 0
}

func pipelineEntry(L *glua.LState, i int, v glua.LValue) entry {
	switch v := v.(type) {
	case *glua.LFunction:
		if v.IsG {
			L.RaiseError("item %d of the pipeline is a built-in function; write function(msg) ... end", i)
		}
		return entry{fn: v}
	case *glua.LUserData:
		if s, ok := v.Value.(*spec); ok {
			return entry{spec: s}
		}
	case *glua.LNilType:
		L.RaiseError("item %d of the pipeline is nil", i)
	}
	L.RaiseError("item %d of the pipeline is a %s; it takes functions and stages", i, v.Type())
	return entry{}
}

// stageConstructor makes stage.<name>.
func (in *instance) stageConstructor(name string) glua.LGFunction {
	return func(L *glua.LState) int {
		if !in.loading {
			L.RaiseError("stage.%s can only be used while the scripts load", name)
		}
		s := &spec{name: name, pos: in.vm.where(), values: map[string]any{}}
		switch v := L.Get(1).(type) {
		case *glua.LNilType:
		case *glua.LTable:
			values, ok := in.setting(L, "stage."+name, v, 0).(map[string]any)
			if !ok {
				L.RaiseError("stage.%s takes settings by name, as in stage.%s { key = value }", name, name)
			}
			s.values = values
		default:
			L.RaiseError("stage.%s takes a table of settings, not a %s", name, v.Type())
		}
		object := L.NewUserData()
		object.Value = s
		L.Push(object)
		return 1
	}
}

// setting turns a Lua value into what core.Config holds. at names it in errors.
func (in *instance) setting(L *glua.LState, at string, v glua.LValue, depth int) any {
	switch v := v.(type) {
	case glua.LString:
		return string(v)
	case glua.LNumber:
		if f := float64(v); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f
		}
		L.RaiseError("%s: %s is no number for a setting", at, v.String())
	case glua.LBool:
		return bool(v)
	case *glua.LTable:
		if depth == maxDepth {
			L.RaiseError("%s: the table is nested deeper than %d", at, maxDepth)
		}
		return in.settings(L, at, v, depth+1)
	}
	L.RaiseError("%s: a setting is a string, a number, a boolean or a table, not a %s", at, v.Type())
	return nil
}

// settings turns a table into a []any if it is a list, else a map[string]any.
func (in *instance) settings(L *glua.LState, at string, t *glua.LTable, depth int) any {
	if n := t.MaxN(); n > 0 {
		if key := beyondList(t, n); key != glua.LNil {
			L.RaiseError("%s: the key %s does not fit; settings are lists or tables with names, not both in one", at, key.String())
		}
		list := make([]any, n)
		for i := range list {
			list[i] = in.setting(L, fmt.Sprintf("%s[%d]", at, i+1), t.RawGetInt(i+1), depth)
		}
		return list
	}
	table := map[string]any{}
	for key, v := t.Next(glua.LNil); key != glua.LNil; key, v = t.Next(key) {
		name, ok := key.(glua.LString)
		if !ok {
			L.RaiseError("%s: the key %s does not fit; keys are names", at, key.String())
		}
		table[string(name)] = in.setting(L, at+"."+string(name), v, depth)
	}
	return table
}

// stageTable makes the global stage, which names the stage that was meant when
// a script asks for one that does not exist.
func (in *instance) stageTable(L *glua.LState) *glua.LTable {
	t := L.NewTable()
	var names []string
	for _, p := range core.Plugins() {
		names = append(names, p.Name)
		t.RawSetString(p.Name, L.NewFunction(in.stageConstructor(p.Name)))
	}
	t.Metatable = unknownKeys(L, "stage", names)
	return t
}

// unknownKeys makes a metatable that turns the use of a key that a table does
// not have into an error with the nearest of the known.
func unknownKeys(L *glua.LState, what string, known []string) *glua.LTable {
	meta := L.NewTable()
	meta.RawSetString("__index", L.NewFunction(func(L *glua.LState) int {
		key := L.Get(2).String()
		L.RaiseError("unknown %s %q%s", what, key, didYouMean(key, known))
		return 0
	}))
	meta.RawSetString("__metatable", glua.LFalse)
	return meta
}

// didYouMean is the hint at the end of an error about an unknown word.
func didYouMean(word string, known []string) string {
	if near := core.Nearest(word, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}
