package lua

import (
	"github.com/stratix-gateway/stratix/core"
	glua "github.com/yuin/gopher-lua"
)

// msgLimitKey sets what a limit counts the message under. The key is the message's
// own copy; a number is as JSON writes it.
func (in *instance) msgLimitKey(L *glua.LState) int {
	h := in.message(L)
	if L.GetTop() == 1 {
		L.Push(in.wordOrNil(string(h.m.LimitKey)))
		return 1
	}
	var key []byte
	switch v := L.Get(2).(type) {
	case glua.LString:
		if len(v) < 1 || len(v) > core.MaxLimitKey {
			L.RaiseError("limit_key: a key has 1 to %d bytes, not %d", core.MaxLimitKey, len(v))
		}
		in.vm.chargeBytes(len(v))
		key = []byte(v)
	case glua.LNumber:
		key = append([]byte(nil), in.encoder.encode(L, v)...)
	default:
		L.RaiseError("limit_key takes a key, a string or a number, not a %s", v.Type())
	}
	if !h.ended {
		h.m.LimitKey = key
	}
	return 0
}
