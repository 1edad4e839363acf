package lua

import (
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

func TestStoreChoosesAndLowers(t *testing.T) {
	f := func(before core.Storage, body string, wantChoice, want core.Storage) {
		t.Helper()
		m := newMessage()
		m.Storage = before
		if got := handle(t, m, body); got != "done" {
			t.Errorf("%s: %s", body, got)
		}
		if m.StorageChoice != wantChoice || m.Storage != want {
			t.Errorf("%s of %q: got the choice %q and %q, want %q and %q", body, before, m.StorageChoice, m.Storage, wantChoice, want)
		}
	}
	f(core.StorageUnset, `msg:store("none")`, core.StorageNone, core.StorageUnset)
	f(core.StorageUnset, `msg:store("memory")`, core.StorageMemory, core.StorageUnset)
	f(core.StorageUnset, `msg:store("disk")`, core.StorageDisk, core.StorageUnset)
	f(core.StorageDisk, `msg:store("none")`, core.StorageNone, core.StorageNone)
	f(core.StorageDisk, `msg:store("memory")`, core.StorageMemory, core.StorageMemory)
	f(core.StorageDisk, `msg:store("disk")`, core.StorageDisk, core.StorageDisk)
	f(core.StorageMemory, `msg:store("disk")`, core.StorageDisk, core.StorageMemory)
	f(core.StorageDisk, `msg:store("none") msg:store("disk")`, core.StorageDisk, core.StorageNone)
}

func TestOverflowSetsThePolicyAndItsKey(t *testing.T) {
	f := func(body string, want core.Overflow, wantKey string) {
		t.Helper()
		m := newMessage()
		m.Overflow, m.ConflateKey = core.OverflowConflate, []byte("former")
		if got := handle(t, m, body); got != "done" {
			t.Errorf("%s: %s", body, got)
		}
		if m.Overflow != want || string(m.ConflateKey) != wantKey {
			t.Errorf("%s: got %q and the key %q, want %q and %q", body, m.Overflow, m.ConflateKey, want, wantKey)
		}
	}
	f(``, core.OverflowConflate, `former`)
	f(`msg:overflow("reject")`, core.OverflowReject, ``)
	f(`msg:overflow("drop_oldest")`, core.OverflowDropOldest, ``)
	f(`msg:overflow("disconnect")`, core.OverflowDisconnect, ``)
	f(`msg:overflow("disconnect", nil)`, core.OverflowDisconnect, ``)
	f(`msg:overflow("conflate", "EURUSD")`, core.OverflowConflate, `EURUSD`)
	f(`msg:overflow("conflate", msg:get("data.s"))`, core.OverflowConflate, `x`)
	f(`msg:overflow("conflate", msg:get("data.big"))`, core.OverflowConflate, `12345678901234567890`)
	f(`msg:overflow("conflate", "\0\255")`, core.OverflowConflate, "\x00\xff")
	f(`msg:overflow("conflate", 17)`, core.OverflowConflate, `17`)
	f(`msg:overflow("conflate", -1.5)`, core.OverflowConflate, `-1.5`)
	f(`msg:overflow("conflate", 1) msg:overflow("conflate", 2)`, core.OverflowConflate, `2`)
	longest := strings.Repeat("k", core.MaxConflateKey)
	f(`msg:overflow("conflate", "`+longest+`")`, core.OverflowConflate, longest)
}

func TestStoreAndOverflowAreRead(t *testing.T) {
	f := func(expr, want string) {
		t.Helper()
		if got := handle(t, newMessage(), "msg:reply("+expr+")"); got != "done reply="+want {
			t.Errorf("%s = %s, want %s", expr, got, want)
		}
	}
	f(`msg:store() == nil`, `true`)
	f(`msg:overflow() == nil`, `true`)
	f(`msg:store("memory") or msg:store()`, `"memory"`)
	f(`msg:overflow("drop_oldest") or msg:overflow()`, `"drop_oldest"`)
	f(`msg:overflow("conflate", "k") or msg:overflow()`, `"conflate"`)
}

func TestStoreAndOverflowRefuse(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		m := newMessage()
		if got := failure(t, m, body); got != "main.lua:3: "+want {
			t.Errorf("%s:\n got %s\nwant %s", body, got, want)
		}
		if m.StorageChoice != core.StorageUnset || m.Overflow != core.OverflowUnset || m.ConflateKey != nil {
			t.Errorf("%s: the message became %+v", body, m)
		}
	}
	f(`msg:store("dsk")`, `store takes "none", "memory" or "disk", not "dsk"; did you mean "disk"?`)
	f(`msg:store("Memory")`, `store takes "none", "memory" or "disk", not "Memory"; did you mean "memory"?`)
	f(`msg:store("ring")`, `store takes "none", "memory" or "disk", not "ring"`)
	f(`msg:store("")`, `store takes "none", "memory" or "disk", not ""`)
	f(`msg:store(5)`, `store takes "none", "memory" or "disk", not a number`)
	f(`msg:store(nil)`, `store takes "none", "memory" or "disk", not a nil`)

	const policies = `overflow takes "reject", "drop_oldest", "conflate" or "disconnect", not `
	f(`msg:overflow("drop_oldset")`, policies+`"drop_oldset"; did you mean "drop_oldest"?`)
	f(`msg:overflow("conflat", "k")`, policies+`"conflat"; did you mean "conflate"?`)
	f(`msg:overflow("block")`, policies+`"block"`)
	f(`msg:overflow(true)`, policies+`a boolean`)
	f(`msg:overflow(nil)`, policies+`a nil`)

	f(`msg:overflow("conflate")`, `overflow "conflate" takes a key, a string or a number, not a nil`)
	f(`msg:overflow("conflate", msg:get("data.n"))`, `overflow "conflate" takes a key, a string or a number, not a userdata`)
	f(`msg:overflow("conflate", {})`, `overflow "conflate" takes a key, a string or a number, not a table`)
	f(`msg:overflow("conflate", "")`, `overflow: a key has 1 to 128 bytes, not 0`)
	f(`msg:overflow("conflate", string.rep("k", 129))`, `overflow: a key has 1 to 128 bytes, not 129`)
	f(`msg:overflow("conflate", 0/0)`, `the number NaN has no JSON form`)
	f(`msg:overflow("reject", "k")`, `overflow takes a key with "conflate" only, not with "reject"`)

	f(`msg:stor("none")`, `unknown msg verb "stor"; did you mean "store"?`)
	f(`msg:overflw("reject")`, `unknown msg verb "overflw"; did you mean "overflow"?`)
}

// The key must not be a view of the payload or of the encoder's buffer.
func TestAConflateKeyIsTheMessagesOwn(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		m := newMessage()
		m.Data = []byte(`{"s":"symbol-1"}`)
		frame := m.Data
		handle(t, m, body+` msg:reply({ 111111, 222222 })`)
		clear(frame)
		if string(m.ConflateKey) != want {
			t.Errorf("%s: got %q, want %q", body, m.ConflateKey, want)
		}
	}
	f(`msg:overflow("conflate", msg:get("data.s"))`, `symbol-1`)
	f(`msg:overflow("conflate", 654321)`, `654321`)
}

func TestStoringDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	p := mustLoad(t, Options{}, "main.lua", `pipeline { function(msg)
  if msg:store() == nil then msg:store("memory") end
  msg:overflow("drop_oldest")
end }`).Programs[0].Pipeline
	m := newMessage()
	if got := testing.AllocsPerRun(1000, func() {
		m.StorageChoice = core.StorageUnset
		if _, err := p.Run(m); err != nil {
			t.Fatal(err)
		}
	}); got > 0 {
		t.Errorf("%v allocations a message", got)
	}
}
