package trace

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/coretest"
	"github.com/stratix-gateway/stratix/core/wire"
)

// message is one that three stages have seen.
func message() *core.Message {
	m := coretest.Message("client-7", `{"b":2,"token":"t0k"}`)
	m.From.Remote = netip.MustParseAddr("192.0.2.7")
	m.ID = []byte(`"m-\u0031"`)
	m.Generation, m.Instructions, m.Priority, m.Storage = 3, 42, 5, core.StorageDisk
	first := core.Look{Data: []byte(`{"a":1,"token":"t0k"}`), Headers: []byte(`{"auth":"x"}`)}
	edited := first
	edited.Data, edited.Headers = m.Data, nil
	routed := edited
	routed.Targets, routed.Priority, routed.Storage = 1, 5, core.StorageDisk
	m.Trace = &core.Trace{First: first, Steps: []core.Step{
		{Stage: "main.lua:2", Verdict: core.Next, Spent: 1500, Instructions: 42, After: edited},
		{Stage: "prefix", Verdict: core.Hold, Held: 2 * time.Second, After: edited},
		{Stage: "disk", Verdict: core.Next, Spent: 250, After: routed},
	}}
	return m
}

// text is an entry, or several of one trace, as JSON.
func text(t *testing.T, entries ...[]byte) string {
	t.Helper()
	var tr Trace
	for _, e := range entries {
		if !Read(e, &tr) {
			t.Fatalf("cannot be read: %q", e)
		}
	}
	b, err := json.Marshal(tr)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestADecisionIsReadAsItWasWritten(t *testing.T) {
	f := func(d Decision, m *core.Message, want string) {
		t.Helper()
		got := text(t, AppendDecision(nil, &d, m))
		if got != strings.ReplaceAll(want, "\n", "") {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	const head = `{"time":"2026-01-01T00:00:00Z","messageId":"m-1","client":"client-7","remote":"192.0.2.7","size":21,"generation":3,`
	targets := []core.Target{{Kind: core.ToGroup, Name: "room"}}
	f(Decision{Number: 8, Shard: 1, Targets: targets, Own: true}, message(), head+`"shard":1,"sampled":true,"verdict":"accepted","instructions":42,"priority":5,"storage":"disk",
"stages":[
{"stage":"main.lua:2","verdict":"next","micros":1.5,"instructions":42,"changes":[
{"what":"data","was":21,"is":21,"keys":"+b -a"},{"what":"headers","was":12,"is":0,"keys":"-auth"}]},
{"stage":"prefix","verdict":"hold","micros":0,"heldMillis":2000,"instructions":0},
{"stage":"disk","verdict":"next","micros":0.25,"instructions":0,"changes":[
{"what":"targets","was":0,"is":1},{"what":"priority","was":0,"is":5},{"what":"storage","was":0,"is":3,"before":"unset","after":"disk"}]}],
"ownTargets":true,"targetCount":1,"targets":[{"kind":"group","name":"room"}]}`)

	f(Decision{Preview: 100}, message(), head+`"shard":0,"sampled":true,"verdict":"accepted","instructions":42,"priority":5,"storage":"disk",
"stages":[
{"stage":"main.lua:2","verdict":"next","micros":1.5,"instructions":42,"changes":[
{"what":"data","was":21,"is":21,"keys":"+b -a","before":"{\"a\":1,\"token\":…}","after":"{\"b\":2,\"token\":…}"},{"what":"headers","was":12,"is":0,"keys":"-auth"}]},
{"stage":"prefix","verdict":"hold","micros":0,"heldMillis":2000,"instructions":0},
{"stage":"disk","verdict":"next","micros":0.25,"instructions":0,"changes":[
{"what":"targets","was":0,"is":1},{"what":"priority","was":0,"is":5},{"what":"storage","was":0,"is":3,"before":"unset","after":"disk"}]}],
"targetCount":0,"data":"{\"b\":2,\"token\":…}"}`)

	m := message()
	m.Trace = nil
	f(Decision{Outcome: Dropped, Code: "dropped", Reason: "too big", Stage: "main.lua:2"}, m, head+`"shard":0,"sampled":false,"verdict":"dropped","code":"dropped","reason":"too big",
"instructions":42,"priority":5,"storage":"disk","stages":[{"stage":"main.lua:2","verdict":"drop","micros":0,"instructions":0}],"targetCount":0}`)
	f(Decision{Outcome: Failed, Code: "script_error", Stage: "main.lua:2"}, m, head+`"shard":0,"sampled":false,"verdict":"error","code":"script_error",
"instructions":42,"priority":5,"storage":"disk","stages":[{"stage":"main.lua:2","verdict":"error","micros":0,"instructions":0}],"targetCount":0}`)
	f(Decision{Outcome: Malformed}, &core.Message{From: &core.Session{ID: "a"}}, `{"time":"1970-01-01T00:00:00Z","client":"a","shard":0,"sampled":false,"verdict":"malformed","instructions":0,"priority":0,"targetCount":0}`)
}

func TestWhatIsKnownLaterJoinsTheDecision(t *testing.T) {
	m := coretest.Message("a", `1`)
	m.Trace = &core.Trace{}
	decision := AppendDecision(nil, &Decision{Number: 4}, m)
	f := func(want string, later ...[]byte) {
		t.Helper()
		got := text(t, append([][]byte{decision}, later...)...)
		if _, got, _ = strings.Cut(got, `"targetCount":0`); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	ok := AppendAnswer(nil, 4, 1000, true, wire.Counts{Delivered: 1, Queued: 2, Offline: 3, Refused: 4}, "disk", "queued", "", "")
	f(`,"answer":{"time":"1970-01-01T00:00:01Z","told":true,"delivered":1,"queued":2,"offline":3,"refused":4,"stored":"disk","status":"queued"}}`, ok)
	f(`,"answer":{"time":"1970-01-01T00:00:01Z","told":false,"delivered":0,"queued":0,"offline":1,"refused":0,"code":"offline","reason":"nobody"}}`,
		AppendAnswer(nil, 4, 1000, false, wire.Counts{Offline: 1}, "", "", "offline", "nobody"))
	f(`,"answer":{"time":"1970-01-01T00:00:01Z","told":true,"delivered":1,"queued":2,"offline":3,"refused":4,"stored":"disk","status":"queued"},"late":{"time":"1970-01-01T00:00:02Z","outcome":"expired"}}`,
		ok, AppendLate(nil, 4, 2000, "expired"))
	f(`,"answer":{"time":"1970-01-01T00:00:01Z","told":true,"delivered":0,"queued":1,"offline":0,"refused":0,"repeats":1,"stored":"disk","status":"queued"}}`,
		AppendAnswer(nil, 4, 1000, true, wire.Counts{Queued: 1, Repeats: 1}, "disk", "queued", "", ""))
}

func TestADecisionIsFoundByItsMessage(t *testing.T) {
	entry := AppendDecision(nil, &Decision{Number: 4}, message())
	f := func(id, client string, want bool) {
		t.Helper()
		if got := Is(entry, id, client); got != want {
			t.Errorf("%q of %q: got %v", id, client, got)
		}
	}
	f("m-1", "", true)
	f("m-1", "client-7", true)
	f("m-1", "client-8", false)
	f("m-2", "", false)
	f("", "", false)
	if number, decision, ok := Head(entry); number != 4 || !decision || !ok {
		t.Errorf("its head is %d %v %v", number, decision, ok)
	}
}

func TestAnEntryIsBounded(t *testing.T) {
	m := message()
	long := strings.Repeat("x", 1<<20)
	m.Data = []byte(`"` + long + `"`)
	m.From.ID = long
	m.ID = []byte(`"` + long + `"`)
	var targets []core.Target
	for range core.MaxTargets {
		targets = append(targets, core.Target{Kind: core.ToClient, Name: long})
	}
	step := core.Step{Stage: long, After: core.Look{Data: m.Data}}
	other := step
	other.After.Data = []byte(`[` + string(m.Data) + `]`)
	for range 1000 {
		m.Trace.Steps = append(m.Trace.Steps, step, other)
	}
	entry := AppendDecision(nil, &Decision{Code: long, Reason: long, Targets: targets, Preview: MaxPreview}, m)
	if len(entry) > 24<<10 {
		t.Errorf("it has %d bytes", len(entry))
	}
	var tr Trace
	if !Read(entry, &tr) || tr.TargetCount != core.MaxTargets || len(tr.MessageID) != core.MaxMessageID {
		t.Errorf("it reads as %+v", tr)
	}
}

func TestWritingATraceDoesNotAllocate(t *testing.T) {
	m := message()
	d := Decision{Targets: []core.Target{{Kind: core.ToClient, Name: "a"}}, Preview: 100}
	ring := NewRing(1 << 20)
	var buf []byte
	one := func() {
		buf = AppendDecision(buf[:0], &d, m)
		ring.Add(buf)
		buf = AppendAnswer(buf[:0], 1, 1, true, wire.Counts{}, "disk", "queued", "", "")
		ring.Add(buf)
	}
	one()
	coretest.AllocCeiling(t, 0, one)
}

func BenchmarkDecision(b *testing.B) {
	m := message()
	d := Decision{Targets: []core.Target{{Kind: core.ToClient, Name: "a"}}}
	ring := NewRing(1 << 20)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendDecision(buf[:0], &d, m)
		ring.Add(buf)
	}
}

// FuzzRead reads any bytes: they are an entry that is understood, or none.
func FuzzRead(f *testing.F) {
	f.Add(AppendDecision(nil, &Decision{Number: 1, Targets: []core.Target{{Kind: core.ToGroup, Name: "g"}}, Preview: 50}, message()))
	f.Add(AppendAnswer(nil, 1, 2, true, wire.Counts{Queued: 1}, "disk", "queued", "", ""))
	f.Add(AppendLate(nil, 1, 2, "lost"))
	f.Fuzz(func(t *testing.T, entry []byte) {
		var tr Trace
		Is(entry, "m-1", "client-7")
		if Read(entry, &tr) {
			if _, err := json.Marshal(&tr); err != nil {
				t.Errorf("%+v: %v", tr, err)
			}
		}
	})
}

func TestAConcealedTraceShowsNoData(t *testing.T) {
	var tr Trace
	if !Read(AppendDecision(nil, &Decision{Preview: 100}, message()), &tr) {
		t.Fatal("cannot be read")
	}
	tr.Conceal()
	b, err := json.Marshal(&tr)
	shown := strings.Replace(string(b), `"before":"unset","after":"disk"`, "", 1) // which is no data
	if err != nil || strings.Contains(shown, `"before"`) || shown == string(b) || strings.Contains(string(b), `"data":`) || !strings.Contains(string(b), `"keys":"+b -a"`) {
		t.Errorf("got %s, %v", b, err)
	}
}
