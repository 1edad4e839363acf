package lua

import (
	"maps"
	"slices"

	"github.com/stratix-gateway/stratix/core/wire"
	glua "github.com/yuin/gopher-lua"
)

// instance is one VM with what main.lua left in it. It belongs to one shard,
// and its bindings to it alone: nothing in it is shared.
type instance struct {
	load  *load
	shard int
	vm    *vm
	muted bool // the log is silent while main.lua runs again for another shard

	// What main.lua defines while loading is true.
	loading  bool
	defined  string // where pipeline was called
	pipeline []entry
	hooks    hooks
	// upstreams are those that main.lua has named; one without values lacks its table.
	upstreams []*spec

	boxes    *boxes
	encoder  encoder
	parser   *wire.Parser
	paths    map[string]*path
	headers  map[string]*path // by the header's name
	claims   map[string]*path // by the path within them
	messages []message        // the rest of the current chunk

	ttls map[string]int64 // durations as parsed, in milliseconds
	// moment is the time of the call that runs, in milliseconds since 1970; 0
	// until somebody asks.
	moment int64

	messageType, connType                 *glua.LTable // metatables
	wordsType, expressionType             *glua.LTable
	prefixesType                          *glua.LTable
	counterType, gaugeType, histogramType *glua.LTable

	arrayMark *glua.LTable    // the metatable of tables that are JSON arrays
	null      *glua.LUserData // stratix.null
}

// ownGlobals are the globals that the bindings define beside Lua's own; true
// marks the tables.
var ownGlobals = knownGlobals{"pipeline": false, "upstream": false, "stage": true, "stratix": true, "log": true, "json": true}

// install defines the globals of the bindings in a new VM.
func (in *instance) install(v *vm) {
	in.vm = v
	L := v.L
	in.arrayMark = L.NewTable() // not protected: scripts may change the arrays
	in.arrayMark.Metatable = v.refusing("the mark of JSON arrays cannot be changed")
	in.null = L.NewUserData()
	in.null.Metatable = nullType(L)
	in.messageType = in.objectType("msg verb", in.messageVerbs())
	in.connType = in.objectType("conn verb", in.connVerbs())

	in.wordsType = in.objectType("verb of words", in.wordsVerbs())
	in.expressionType = in.objectType("verb of re", in.expressionVerbs())
	in.prefixesType = in.objectType("verb of prefix", in.prefixesVerbs())
	in.counterType = in.objectType("verb of a counter", in.counterVerbs())
	in.gaugeType = in.objectType("verb of a gauge", in.gaugeVerbs())
	in.histogramType = in.objectType("verb of a histogram", in.histogramVerbs())

	L.SetGlobal("pipeline", L.NewFunction(in.definePipeline))
	L.SetGlobal("upstream", L.NewFunction(in.newUpstream))
	L.SetGlobal("stage", v.seal(in.stageTable(L)))
	L.SetGlobal("stratix", in.stratixTable())
	L.SetGlobal("log", in.sealedLibrary("function of log", in.logFunctions(), nil))
	L.SetGlobal("json", in.sealedLibrary("function of json", in.jsonFunctions(), nil))
}

// stratixFunctions are the functions of stratix itself.
func (in *instance) stratixFunctions() functions {
	return functions{
		"now": in.now, "array": in.array, "env": in.env,
		"words": in.newWords, "re": in.newExpression, "prefix": in.newPrefixes,
	}
}

// stratixValues are what else is in stratix.
var stratixValues = []string{"null", "shard", "generation", "kv", "metric"}

// stratixTable makes the global stratix.
func (in *instance) stratixTable() *glua.LTable {
	return in.sealedLibrary("field of stratix", in.stratixFunctions(), map[string]glua.LValue{
		"null":       in.null,
		"shard":      glua.LNumber(in.shard),
		"generation": glua.LNumber(in.load.number),
		"kv":         in.sealedLibrary("function of stratix.kv", in.kvFunctions(), nil),
		"metric":     in.sealedLibrary("function of stratix.metric", in.metricFunctions(), nil),
	})
}

// sealedLibrary makes a table that scripts cannot change, of functions and other
// values; what names a key in errors.
func (in *instance) sealedLibrary(what string, fns functions, values map[string]glua.LValue) *glua.LTable {
	t := in.vm.library(fns)
	known := slices.Collect(maps.Keys(fns))
	for name, value := range values {
		t.RawSetString(name, value)
		known = append(known, name)
	}
	t.Metatable = unknownKeys(in.vm.L, what, known)
	return in.vm.seal(t)
}

// objectType makes the metatable of an object with verbs.
func (in *instance) objectType(what string, verbs functions) *glua.LTable {
	L := in.vm.L
	table := in.vm.library(verbs)
	table.Metatable = unknownKeys(L, what, slices.Collect(maps.Keys(verbs)))
	meta := L.NewTable()
	meta.RawSetString("__index", table)
	meta.RawSetString("__newindex", L.NewFunction(func(L *glua.LState) int {
		L.RaiseError("%q cannot be assigned; call a verb with a colon instead", L.Get(2).String())
		return 0
	}))
	meta.RawSetString("__metatable", glua.LFalse)
	return meta
}

func nullType(L *glua.LState) *glua.LTable {
	meta := L.NewTable()
	meta.RawSetString("__tostring", L.NewFunction(func(L *glua.LState) int {
		L.Push(glua.LString("null"))
		return 1
	}))
	meta.RawSetString("__metatable", glua.LFalse)
	return meta
}
