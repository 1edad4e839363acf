package lua

import (
	"github.com/stratix-gateway/stratix/core"
	glua "github.com/yuin/gopher-lua"
)

// What the verbs take, for their errors.
const (
	takesStorage  = `"none", "memory" or "disk"`
	takesOverflow = `"reject", "drop_oldest", "conflate" or "disconnect"`
)

// msgStore chooses the most that the stages keep. Those that acted already have
// marked the message, so the choice also lowers what they asked for.
func (in *instance) msgStore(L *glua.LState) int {
	h := in.message(L)
	if L.GetTop() == 1 {
		L.Push(in.wordOrNil(h.m.StorageChoice.String()))
		return 1
	}
	word := argString(L, 2, "store", takesStorage)
	choice, ok := core.ParseStorage(word)
	if !ok {
		L.RaiseError("store takes %s, not %.40q%s", takesStorage, word, didYouMean(word, storages()))
	}
	if !h.ended {
		h.m.StorageChoice = choice
		h.m.Storage = min(h.m.Storage, choice)
	}
	return 0
}

// msgOverflow sets the policy, and the key where it is conflate. The key is the
// message's own copy.
func (in *instance) msgOverflow(L *glua.LState) int {
	h := in.message(L)
	if L.GetTop() == 1 {
		L.Push(in.wordOrNil(h.m.Overflow.String()))
		return 1
	}
	word := argString(L, 2, "overflow", takesOverflow)
	policy, ok := core.ParseOverflow(word)
	if !ok {
		L.RaiseError("overflow takes %s, not %.40q%s", takesOverflow, word, didYouMean(word, overflows()))
	}
	var key []byte
	if policy == core.OverflowConflate {
		key = in.argConflateKey(L, 3)
	} else if L.Get(3) != glua.LNil {
		L.RaiseError("overflow takes a key with \"conflate\" only, not with %q", word)
	}
	if !h.ended {
		h.m.Overflow, h.m.ConflateKey = policy, key
	}
	return 0
}

// argConflateKey returns argument n, a string or a number, as a key of its own;
// a number as JSON writes it.
func (in *instance) argConflateKey(L *glua.LState, n int) []byte {
	switch v := L.Get(n).(type) {
	case glua.LString:
		if len(v) < 1 || len(v) > core.MaxConflateKey {
			L.RaiseError("overflow: a key has 1 to %d bytes, not %d", core.MaxConflateKey, len(v))
		}
		in.vm.chargeBytes(len(v))
		return []byte(v)
	case glua.LNumber:
		return append([]byte(nil), in.encoder.encode(L, v)...)
	default:
		L.RaiseError("overflow \"conflate\" takes a key, a string or a number, not a %s", v.Type())
		return nil
	}
}

// wordOrNil is a word for a script; the empty one says that nobody has chosen.
func (in *instance) wordOrNil(word string) glua.LValue {
	if word == "" {
		return glua.LNil
	}
	return in.boxes.str(word)
}

// storages are the words that core.ParseStorage knows.
func storages() []string {
	var words []string
	for s := core.StorageNone; s <= core.StorageDisk; s++ {
		words = append(words, s.String())
	}
	return words
}

// overflows are the words that core.ParseOverflow knows.
func overflows() []string {
	var words []string
	for o := core.OverflowReject; o <= core.OverflowDisconnect; o++ {
		words = append(words, o.String())
	}
	return words
}
