package ring_test

import (
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/coretest"
	_ "github.com/stratix-gateway/stratix/plugins/ring"
)

type values = map[string]any

func TestMessagesAreMarkedForTheMemory(t *testing.T) {
	s := coretest.Open(t, "ring", values{}, nil)
	f := func(before, choice, want core.Storage) {
		t.Helper()
		m := coretest.Message("ann", `1`)
		m.Storage, m.StorageChoice = before, choice
		if v := coretest.RunStage(t, s, m); v != core.Next {
			t.Errorf("got the verdict %v", v)
		}
		if m.Storage != want || m.StorageChoice != choice || m.Effects.Routed() {
			t.Errorf("kept in %q with the choice %q before: got %q, want %q", before, choice, m.Storage, want)
		}
	}
	f(core.StorageUnset, core.StorageUnset, core.StorageMemory)
	f(core.StorageDisk, core.StorageUnset, core.StorageDisk)
	f(core.StorageUnset, core.StorageNone, core.StorageNone)
	f(core.StorageUnset, core.StorageMemory, core.StorageMemory)
	f(core.StorageUnset, core.StorageDisk, core.StorageMemory)
}

func TestThePolicyIsThatOfTheSettingUnlessTheMessageHasOne(t *testing.T) {
	f := func(setting string, before, want core.Overflow) {
		t.Helper()
		v := values{"overflow": setting}
		if setting == "conflate" {
			v["key"] = "data.k"
		}
		m := coretest.Message("ann", `{"k":"v"}`)
		m.Overflow = before
		coretest.RunStage(t, coretest.Open(t, "ring", v, nil), m)
		if m.Overflow != want || (m.ConflateKey != nil) != (before == core.OverflowUnset && want == core.OverflowConflate) {
			t.Errorf("%s on %q: got %q with the key %q, want %q", setting, before, m.Overflow, m.ConflateKey, want)
		}
	}
	f("reject", core.OverflowUnset, core.OverflowReject)
	f("drop_oldest", core.OverflowUnset, core.OverflowDropOldest)
	f("conflate", core.OverflowUnset, core.OverflowConflate)
	f("disconnect", core.OverflowUnset, core.OverflowDisconnect)
	f("drop_oldest", core.OverflowReject, core.OverflowReject)
	f("conflate", core.OverflowDisconnect, core.OverflowDisconnect)

	m := coretest.Message("ann", `1`)
	coretest.RunStage(t, coretest.Open(t, "ring", values{}, nil), m)
	if m.Overflow != core.OverflowReject {
		t.Errorf("without a setting: got %q", m.Overflow)
	}
}

func TestTheKeyIsWhatStandsAtThePath(t *testing.T) {
	f := func(path, data, want string) {
		t.Helper()
		m := coretest.Message("ann", data)
		coretest.RunStage(t, coretest.Open(t, "ring", values{"overflow": "conflate", "key": path}, nil), m)
		policy := core.OverflowConflate
		if want == "" {
			policy = core.OverflowReject
		}
		if string(m.ConflateKey) != want || m.Overflow != policy {
			t.Errorf("%s in %s: got %q and %q, want %q", path, data, m.ConflateKey, m.Overflow, want)
		}
	}
	f("data.symbol", `{"symbol":"EURUSD","bid":1}`, `"EURUSD"`)
	f("data.symbol", ` { "bid" : 1 , "symbol" : 17.50 } `, `17.50`)
	f("data.symbol", `{"symbol":true}`, `true`)
	f("data.symbol", `{"symbol":[1, 2]}`, `[1, 2]`)
	f("data.symbol", `{"symbol":{"a":"}"} }`, `{"a":"}"}`)
	f("data.symbol", `{"symbol":""}`, `""`)
	f("data.symbol", `{"symbol":"a\"b"}`, `"a\"b"`)
	f("data.symbol", `{"s\u0079mbol":1}`, `1`)
	f("data.a.b.c", `{"a":{"b":{"c":5}}}`, `5`)
	f("data.0", `["x","y"]`, `"x"`)
	f("data.1.s", `[{"s":1},{"s":2}]`, `2`)
	f("data.0", `{"0":"x"}`, `"x"`)
	f("data.ключ", `{"ключ":"x"}`, `"x"`)

	f("data.symbol", `{"bid":1}`, ``)
	f("data.symbol", `{"symbol":null}`, ``)
	f("data.symbol", `{}`, ``)
	f("data.symbol", `[]`, ``)
	f("data.symbol", `5`, ``)
	f("data.symbol", `"{\"symbol\":1}"`, ``)
	f("data.0", `"[7]"`, ``)
	f("data.symbol", `{"x":{"symbol":1}}`, ``)
	f("data.a.b", `{"a":"{\"b\":1}"}`, ``)
	f("data.a.b", `{"a":5,"b":6}`, ``)
	f("data.2", `[1,2]`, ``)
	f("data.x", `[1,2]`, ``)

	fits := `"` + strings.Repeat("x", core.MaxConflateKey-2) + `"`
	f("data.k", `{"k":`+fits+`}`, fits)
	f("data.k", `{"k":"x`+fits[1:]+`}`, ``)
}

// What appends to the key must not write over the payload behind it.
func TestTheKeyEndsWhereItsBytesEnd(t *testing.T) {
	m := coretest.Message("ann", `{"k":1,"x":2}`)
	coretest.RunStage(t, coretest.Open(t, "ring", values{"overflow": "conflate", "key": "data.k"}, nil), m)
	if len(m.ConflateKey) != 1 || cap(m.ConflateKey) != 1 {
		t.Errorf("%d bytes of %d", len(m.ConflateKey), cap(m.ConflateKey))
	}
}

func TestTheKeyOutlivesAHold(t *testing.T) {
	m := coretest.Message("ann", `{"k":"abc"}`)
	frame := m.Data
	coretest.RunStage(t, coretest.Open(t, "ring", values{"overflow": "conflate", "key": "data.k"}, nil), m)
	m.Detach()
	clear(frame)
	if string(m.ConflateKey) != `"abc"` {
		t.Errorf("got %q", m.ConflateKey)
	}
}

func TestHandleDoesNotAllocate(t *testing.T) {
	f := func(v values) {
		t.Helper()
		s := coretest.Open(t, "ring", v, nil)
		messages := []*core.Message{
			coretest.Message("ann", `{"bid":1.25,"a":{"symbol":"EURUSD"}}`),
			coretest.Message("ann", `{"bid":1.25,"a":{"symbol":null}}`),
			coretest.Message("ann", `{"a":[{"symbol":1}]}`),
			coretest.Message("ann", `"text"`),
		}
		coretest.AllocCeiling(t, 0, func() {
			for _, m := range messages {
				m.Overflow, m.ConflateKey = core.OverflowUnset, nil
				_, _ = s.Handle(m)
			}
		})
	}
	f(values{})
	f(values{"overflow": "drop_oldest"})
	f(values{"overflow": "conflate", "key": "data.a.symbol"})
	f(values{"overflow": "conflate", "key": "data.a.0.symbol"})
}

func BenchmarkConflate(b *testing.B) {
	s := coretest.Open(b, "ring", values{"overflow": "conflate", "key": "data.symbol"}, nil)
	m := coretest.Message("ann", `{"venue":"XETR","bid":1.0712,"ask":1.0714,"symbol":"EURUSD"}`)
	b.ReportAllocs()
	for b.Loop() {
		m.Overflow = core.OverflowUnset
		_, _ = s.Handle(m)
	}
}

func TestTheReadmeIsTrue(t *testing.T) {
	var stages []core.Stage
	for _, source := range coretest.Fences(t, "README.md", "lua") {
		if strings.Contains(source, "pipeline") {
			continue // plugins/all loads these
		}
		for _, s := range coretest.Stages(t, source) {
			stages = append(stages, coretest.Open(t, s.Name, s.Values, nil))
		}
	}
	if len(stages) != 2 {
		t.Fatalf("%d stages", len(stages))
	}
	f := func(stage int, data string, policy core.Overflow, key string) {
		t.Helper()
		m := coretest.Message("ann", data)
		coretest.RunStage(t, stages[stage], m)
		if m.Storage != core.StorageMemory || m.Overflow != policy || string(m.ConflateKey) != key {
			t.Errorf("stage %d, %s: got %q and the key %q", stage, data, m.Overflow, m.ConflateKey)
		}
	}
	f(0, `{"symbol":"A"}`, core.OverflowReject, ``)
	f(1, `{"symbol":"A"}`, core.OverflowConflate, `"A"`)
	f(1, `{"symbol":"\u0041"}`, core.OverflowConflate, `"\u0041"`)
	f(1, `{"symbol":1.0}`, core.OverflowConflate, `1.0`)
	f(1, `{"symbol":null}`, core.OverflowReject, ``)
}
