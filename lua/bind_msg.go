package lua

import (
	"math"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/wire"
	"github.com/tidwall/gjson"
	glua "github.com/yuin/gopher-lua"
)

// message is the msg of one turn: one call of one Lua function of the pipeline.
// It is never used again, so a script that kept it finds it spent, whatever the
// VM does meanwhile.
type message struct {
	object glua.LUserData
	m      *core.Message // nil when the turn is over
	ended  bool          // drop or reject was called: what follows has no effect
}

// messageChunk is how many messages are allocated at once.
const messageChunk = 64

func (in *instance) newMessage(m *core.Message) *message {
	if len(in.messages) == 0 {
		in.messages = make([]message, messageChunk)
	}
	h := &in.messages[0]
	in.messages = in.messages[1:]
	h.m = m
	in.moment = m.Time
	if m.Held().Program != nil {
		in.moment = 0 // it was held: its turn is over
	}
	h.object.Value = h
	h.object.Metatable = in.messageType
	return h
}

// message returns the msg that a verb was called on.
func (in *instance) message(L *glua.LState) *message {
	object, ok := L.Get(1).(*glua.LUserData)
	if ok {
		if h, ok := object.Value.(*message); ok {
			if h.m == nil {
				L.RaiseError("message used after its turn")
			}
			return h
		}
	}
	L.RaiseError("a verb of msg needs a colon, as in msg:get(path)")
	return nil
}

// messageVerbs are the verbs of msg.
func (in *instance) messageVerbs() functions {
	return functions{
		"id": in.msgID, "from": in.msgFrom, "size": in.msgSize, "generation": in.msgGeneration,
		"get": in.msgGet, "header": in.msgHeader, "claim": in.msgClaim, "set": in.msgSet, "del": in.msgDel,
		"priority": in.msgPriority, "ttl": in.msgTTL,
		"store": in.msgStore, "overflow": in.msgOverflow, "limit_key": in.msgLimitKey,
		"to": in.msgTo, "to_prefix": in.msgToPrefix, "to_group": in.msgToGroup, "to_sender": in.msgToSender, "to_own": in.msgToOwn,
		"to_upstream": in.msgToUpstream,
		"reply":       in.msgReply, "join": in.msgJoin, "leave": in.msgLeave,
		"drop": in.msgDrop, "reject": in.msgReject,
	}
}

func (in *instance) msgID(L *glua.LState) int {
	L.Push(in.messageID(in.message(L).m))
	return 1
}

func (in *instance) messageID(m *core.Message) glua.LValue {
	if m.ID == nil {
		return glua.LNil
	}
	return in.boxes.str(gjson.Parse(view(m.ID)).Str)
}

func (in *instance) msgFrom(L *glua.LState) int {
	L.Push(in.boxes.str(in.message(L).m.From.ID))
	return 1
}

func (in *instance) msgSize(L *glua.LState) int {
	L.Push(in.boxes.number(float64(in.message(L).m.Size)))
	return 1
}

func (in *instance) msgGeneration(L *glua.LState) int {
	L.Push(in.boxes.number(float64(in.message(L).m.Generation)))
	return 1
}

func (in *instance) msgPriority(L *glua.LState) int {
	h := in.message(L)
	if L.GetTop() == 1 {
		L.Push(in.boxes.number(float64(h.m.Priority)))
		return 1
	}
	if n := argWhole(L, 2, "priority", wire.MaxPriority); !h.ended {
		h.m.Priority = uint8(n)
	}
	return 0
}

func (in *instance) msgTTL(L *glua.LState) int {
	h := in.message(L)
	if L.GetTop() == 1 {
		L.Push(in.boxes.number(float64(h.m.TTL)))
		return 1
	}
	if n := argWhole(L, 2, "ttl", wire.MaxTTL); !h.ended {
		h.m.TTL = uint32(n)
	}
	return 0
}

// argString returns argument n, which must be a string.
func argString(L *glua.LState, n int, verb, takes string) string {
	v := L.Get(n)
	s, ok := v.(glua.LString)
	if !ok {
		L.RaiseError("%s takes %s, not a %s", verb, takes, v.Type())
	}
	return string(s)
}

// argWhole returns argument n, which must be a whole number from 0 to high.
func argWhole(L *glua.LState, n int, verb string, high float64) float64 {
	v := L.Get(n)
	f, ok := v.(glua.LNumber)
	if !ok || float64(f) != math.Trunc(float64(f)) || f < 0 || float64(f) > high {
		L.RaiseError("%s takes a whole number from 0 to %.0f, not %s", verb, high, v.String())
	}
	return float64(f)
}
