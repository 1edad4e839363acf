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

	boxes    *boxes
	encoder  encoder
	parser   *wire.Parser
	paths    map[string]*path
	headers  map[string]*path // by the header's name
	messages []message        // the rest of the current chunk

	messageType, connType *glua.LTable    // metatables
	arrayMark             *glua.LTable    // the metatable of tables that are JSON arrays
	null                  *glua.LUserData // stratix.null
}

// ownGlobals are the globals that the bindings define beside Lua's own; true
// marks the tables.
var ownGlobals = knownGlobals{"pipeline": false, "stage": true, "stratix": true, "log": true, "json": true}

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

	stratix := v.library(functions{"now": in.now, "array": in.array})
	stratix.RawSetString("null", in.null)
	stratix.RawSetString("shard", glua.LNumber(in.shard))
	stratix.RawSetString("generation", glua.LNumber(in.load.number))
	stratix.Metatable = unknownKeys(L, "field of stratix", []string{"now", "array", "null", "shard", "generation"})

	levels := functions{}
	for name, level := range logLevels {
		levels[name] = in.logAt(level)
	}
	log := v.library(levels)
	log.Metatable = unknownKeys(L, "function of log", slices.Collect(maps.Keys(levels)))

	json := v.library(functions{"encode": in.jsonEncode, "decode": in.jsonDecode})
	json.Metatable = unknownKeys(L, "function of json", []string{"encode", "decode"})

	L.SetGlobal("pipeline", L.NewFunction(in.definePipeline))
	L.SetGlobal("stage", v.seal(in.stageTable(L)))
	L.SetGlobal("stratix", v.seal(stratix))
	L.SetGlobal("log", v.seal(log))
	L.SetGlobal("json", v.seal(json))
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
