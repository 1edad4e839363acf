package lua

import (
	"errors"
	"strings"
	"time"

	"github.com/stratix-gateway/stratix/core/kv"
	glua "github.com/yuin/gopher-lua"
)

// kvCost is what a call of stratix.kv costs, in instructions, beside its bytes.
const kvCost = 4

// maxTTLs bounds the durations that a VM keeps as parsed.
const maxTTLs = 64

// kvFunctions are stratix.kv. They act at once: a message that is dropped later,
// or fails, takes nothing back.
func (in *instance) kvFunctions() functions {
	return functions{"get": in.kvGet, "set": in.kvSet, "add": in.kvAdd, "incr": in.kvIncr, "delete": in.kvDelete}
}

func (in *instance) kvGet(L *glua.LState) int {
	key := in.kvKey(L, "stratix.kv.get")
	v, ok := in.load.shared.kv.Get(key, in.millis())
	switch {
	case !ok:
		L.Push(glua.LNil)
	case v.Kind == kv.Number:
		L.Push(in.boxes.number(v.Num))
	case v.Kind == kv.Bool:
		L.Push(glua.LBool(v.Num != 0))
	case len(v.Str) <= maxBoxed:
		L.Push(in.boxes.str(v.Str))
	default:
		in.vm.chargeBytes(len(v.Str))
		L.Push(glua.LString(v.Str)) // nobody changes the bytes of a string
	}
	return 1
}

func (in *instance) kvSet(L *glua.LState) int {
	const name = "stratix.kv.set"
	key, v, ttl := in.kvKey(L, name), in.kvValue(L, name), in.kvTTL(L, name)
	err := in.load.shared.kv.Set(key, v, ttl, in.millis())
	return in.kvResult(L, name, glua.LTrue, err)
}

func (in *instance) kvAdd(L *glua.LState) int {
	const name = "stratix.kv.add"
	key, v, ttl := in.kvKey(L, name), in.kvValue(L, name), in.kvTTL(L, name)
	added, err := in.load.shared.kv.Add(key, v, ttl, in.millis())
	return in.kvResult(L, name, glua.LBool(added), err)
}

func (in *instance) kvIncr(L *glua.LState) int {
	const name = "stratix.kv.incr"
	key, ttl, n := in.kvKey(L, name), in.kvTTL(L, name), 1.0
	switch v := L.Get(2).(type) {
	case glua.LNumber:
		n = float64(v)
	case *glua.LNilType:
	default:
		L.RaiseError("%s takes a number after the key, not a %s", name, v.Type())
	}
	sum, err := in.load.shared.kv.Incr(key, n, ttl, in.millis())
	return in.kvResult(L, name, in.boxes.number(sum), err)
}

func (in *instance) kvDelete(L *glua.LState) int {
	key := in.kvKey(L, "stratix.kv.delete")
	L.Push(glua.LBool(in.load.shared.kv.Delete(key, in.millis())))
	return 1
}

// kvResult pushes the result, or nil and "full". Anything else that was refused
// is a mistake of the script.
func (in *instance) kvResult(L *glua.LState, name string, v glua.LValue, err error) int {
	switch {
	case err == nil:
		L.Push(v)
		return 1
	case !errors.Is(err, kv.ErrFull):
		L.RaiseError("%s: %s", name, err)
	}
	L.Push(glua.LNil)
	L.Push(in.boxes.str(err.Error()))
	return 2
}

func (in *instance) kvKey(L *glua.LState, name string) string {
	key := argString(L, 1, name, "a key that is a string")
	if key == "" || len(key) > kv.MaxKey {
		L.RaiseError("%s: %s, not %d", name, kv.ErrKey, len(key))
	}
	in.vm.charge(kvCost + len(key)/bytesPerInstruction)
	return key
}

// kvValue is argument 2. The store gets a string of its own: one that a script
// cut out of another shares its bytes.
func (in *instance) kvValue(L *glua.LState, name string) kv.Value {
	switch v := L.Get(2).(type) {
	case glua.LString:
		if len(v) > kv.MaxValue {
			L.RaiseError("%s: %s, not %d", name, kv.ErrValue, len(v))
		}
		in.vm.chargeBytes(len(v))
		return kv.Text(strings.Clone(string(v)))
	case glua.LNumber:
		return kv.Count(float64(v))
	case glua.LBool:
		return kv.Flag(bool(v))
	case *glua.LNilType:
		L.RaiseError("%s takes a value; stratix.kv.delete(key) removes one", name)
	case *glua.LTable:
		L.RaiseError("%s takes a string, a number or a boolean, not a table; json.encode makes a string of it", name)
	default:
		L.RaiseError("%s takes a string, a number or a boolean, not a %s", name, v.Type())
	}
	return kv.Value{}
}

// kvTTL is the ttl of the options that are argument 3, in milliseconds.
func (in *instance) kvTTL(L *glua.LState, name string) int64 {
	if L.Get(3) == glua.LNil {
		return 0
	}
	v := options(L, 3, name, "ttl").RawGetString("ttl")
	text, ok := v.(glua.LString)
	switch number, isNumber := v.(glua.LNumber); {
	case v == glua.LNil:
		return 0
	case isNumber:
		L.RaiseError("%s: ttl is a duration with its unit, such as \"%ss\", not a number", name, number.String())
	case !ok:
		L.RaiseError("%s: ttl is a duration such as \"30s\", not a %s", name, v.Type())
	}
	if ttl, ok := in.ttls[string(text)]; ok {
		return ttl
	}
	d, err := time.ParseDuration(string(text))
	if err != nil || d < time.Millisecond {
		L.RaiseError("%s: ttl %.40q is no duration; write one such as \"30s\", \"5m\" or \"24h\"", name, string(text))
	}
	if len(in.ttls) == maxTTLs {
		clear(in.ttls)
	}
	in.ttls[strings.Clone(string(text))] = d.Milliseconds()
	return d.Milliseconds()
}

// millis is the time for stratix.kv: that of the turn which took the message,
// unless it was held since; else that of the call.
func (in *instance) millis() int64 {
	if in.moment == 0 {
		in.moment = in.vm.now().UnixMilli()
	}
	return in.moment
}
