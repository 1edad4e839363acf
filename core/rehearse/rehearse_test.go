package rehearse_test

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/coretest"
	"github.com/stratix-gateway/stratix/core/rehearse"
)

// decide runs one message through a function with this body.
func decide(t testing.TB, body string, in rehearse.Input) rehearse.Decision {
	t.Helper()
	script := "pipeline { function(msg) " + body + " end }\n" +
		"function on_policy(conn, action, kind, name) return name ~= 'secret', 'no' end"
	r := rehearse.New(load(t, script, rehearse.NewClock(noon)).Programs[0])
	return r.Run(&in)
}

func TestADecisionIsOneLine(t *testing.T) {
	f := func(body, to, want string) {
		t.Helper()
		in := rehearse.Input{From: "a", ID: []byte(`"m"`), Data: []byte(`{"n":1}`)}
		if to != "" {
			in.To = []byte(to)
		}
		d := decide(t, body, in)
		if got := d.String(); got != want {
			t.Errorf("%s with to %s:\n got %s\nwant %s", body, to, got, want)
		}
	}
	f("", `"b"`, "-> client b")
	f("", `["b","c"]`, "-> client b, client c")
	f("msg:to('desk-7') msg:priority(3)", `"b"`, "-> client desk-7 [prio 3]")
	f("msg:to_prefix('desk-') msg:to_sender() msg:ttl(30)", "", "-> prefix desk-, sender [ttl 30s]")
	f("msg:overflow('conflate', 'k')", `{"group":"g"}`, "-> group g [conflate k]")
	f("msg:reply({1}) msg:join('g') msg:leave('h')", `"b"`, "reply [1]; join g; leave h")
	f("msg:join('g')", "", "join g")
	f("msg:set('data.n', 2) msg:set('headers.k', 'v')", `"b"`, `-> client b; data {"n":2}; headers {"k":"v"}`)
	f("msg:set('data', ('é'):rep(300))", `"b"`, `-> client b; data "`+strings.Repeat("é", 99)+"...")
	f("msg:drop('too long')", "", "drop: too long (main.lua:1)")
	f("msg:reject('busy', 'not\\nnow')", "", "reject busy: not now (main.lua:1)")
	f("local x = nil; x.y = 1", `"b"`, "error script_error: main.lua:1: attempt to index a non-table object(nil) with key 'y' (main.lua:1)")
	f("", "", "reject no_route: nothing in the pipeline routed this message, and it names no recipient")
	f("", "7", `reject bad_message: to must be a ClientID, a list of them, {"prefix":"..."} or {"group":"..."}`)
	f("", `"secret"`, "reject forbidden: no")
}

func TestEqualDecisionsAreThoseThatClientsSeeAlike(t *testing.T) {
	f := func(a, b string, want bool) {
		t.Helper()
		in := rehearse.Input{From: "a", Data: []byte(`{"n":1}`), To: []byte(`"b"`)}
		one, other := decide(t, a, in), decide(t, b, in)
		if got := one.Equal(&other); got != want || other.Equal(&one) != want {
			t.Errorf("%q and %q are equal: %v\n%s\n%s", a, b, got, one.String(), other.String())
		}
		if !one.Equal(&one) {
			t.Errorf("%q is not equal to itself", a)
		}
	}
	f("", "local n = 0 for i = 1, 100 do n = n + i end", true)
	f("", "\n\n", true)
	f("local x = nil; x.y = 1", "\nlocal x = nil; x.z = 1", true)
	f("", "msg:to('b')", true)
	f("", "msg:to('c')", false)
	f("", "msg:drop('x')", false)
	f("msg:drop('x')", "\nmsg:drop('x')", true)
	f("msg:drop('x')", "msg:drop('y')", false)
	f("msg:drop('x')", "local x = nil; x.y = 1", false)
	f("", "msg:set('data.n', 1)", true)
	f("", "msg:set('data.n', 2)", false)
	f("", "msg:set('headers.k', 'v')", false)
	f("", "msg:priority(1)", false)
	f("", "msg:ttl(1)", false)
	f("", "msg:overflow('drop_oldest')", false)
	f("msg:reply(1)", "msg:reply(2)", false)
	f("msg:join('g')", "msg:join('h')", false)
	f("msg:leave('g')", "msg:join('g')", false)
}

// program is a pipeline of Go stages.
func program(stages ...core.Stage) *core.Program {
	names := make([]string, len(stages))
	for i := range names {
		names[i] = fmt.Sprintf("s%d", i)
	}
	return &core.Program{Pipeline: core.NewPipeline(1, names, stages), Hooks: noHooks{}}
}

type noHooks struct{}

func (noHooks) Connect(*core.Conn) error                           { return nil }
func (noHooks) Disconnect(*core.Session, string) error             { return nil }
func (noHooks) Tick(int64) error                                   { return nil }
func (noHooks) MaySend(*core.Session, core.Target) (string, error) { return "", nil }
func (noHooks) MayJoin(*core.Session, string) (string, error)      { return "", nil }

type stageFunc func(m *core.Message) (core.Verdict, error)

func (f stageFunc) Handle(m *core.Message) (core.Verdict, error) { return f(m) }

func TestStagesEndAMessageEachInItsWay(t *testing.T) {
	f := func(stage stageFunc, want string) {
		t.Helper()
		skipped := stageFunc(func(m *core.Message) (core.Verdict, error) {
			m.Priority = 9
			return core.Next, nil
		})
		r := rehearse.New(program(stage, skipped))
		d := r.Run(&rehearse.Input{From: "a", Data: []byte("1"), To: []byte(`"b"`)})
		if got := d.String() + " at " + d.Stage; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	f(func(*core.Message) (core.Verdict, error) { return core.Next, nil }, "-> client b [prio 9] at ")
	f(func(*core.Message) (core.Verdict, error) { return core.Done, nil }, "-> client b at s0")
	f(func(*core.Message) (core.Verdict, error) { return core.Drop, nil }, "drop:  (s0) at s0")
	f(func(*core.Message) (core.Verdict, error) { panic("oh no") }, "error stage_error: stage s0 panicked: oh no (s0) at s0")
	f(func(*core.Message) (core.Verdict, error) { return 0, fmt.Errorf("broken") }, "error stage_error: broken (s0) at s0")
	f(func(*core.Message) (core.Verdict, error) { return 0, &core.Rejection{Code: "quota", Text: "used up"} },
		"reject quota: used up (s0) at s0")
}

// keeper is a stage that holds messages until the test gives them back.
type keeper struct{ held []*core.Message }

func (k *keeper) Handle(m *core.Message) (core.Verdict, error) {
	if !bytes.Contains(m.Data, []byte("hold")) {
		return core.Next, nil
	}
	m.Detach()
	k.held = append(k.held, m)
	return core.Hold, nil
}

func (k *keeper) release(err error) {
	for _, m := range k.held {
		m.Held().Err = err
	}
	batch := k.held
	k.held = nil
	core.Resume(batch)
}

func TestAHeldMessageIsDecidedWhenItsStageGivesItBack(t *testing.T) {
	k := &keeper{}
	r := rehearse.New(program(k, stageFunc(func(m *core.Message) (core.Verdict, error) {
		m.Priority = 3
		return core.Next, nil
	})))
	run := func(data string) string {
		d := r.Run(&rehearse.Input{From: "a", Data: []byte(data), To: []byte(`"b"`)})
		return d.String()
	}
	if got := run(`"hold"`); got != "hold (s0)" {
		t.Error(got)
	}
	if got := run(`"go"`); got != "-> client b [prio 3]" {
		t.Error(got)
	}
	var resumed []string
	note := func(order uint32, d rehearse.Decision) { resumed = append(resumed, fmt.Sprint(order, " ", d.String())) }
	r.Resumed(note)
	k.release(nil)
	r.Resumed(note)
	run(`"hold"`)
	k.release(&core.Rejection{Code: "late", Text: "gave up"})
	r.Resumed(note)
	if got := strings.Join(resumed, "\n"); got != "1 -> client b [prio 3]\n3 reject late: gave up (s0)" {
		t.Error(got)
	}
}

func TestARehearsalLeavesItsInputAlone(t *testing.T) {
	in := rehearse.Input{From: "a", ID: []byte(`"m"`), Data: []byte(`{"n":1}`), Headers: []byte(`{"k":"v"}`), To: []byte(`["b"]`)}
	d := decide(t, "msg:set('data.n', 2) msg:del('headers.k')", in)
	if string(in.Data) != `{"n":1}` || string(in.Headers) != `{"k":"v"}` {
		t.Errorf("the input became %s %s", in.Data, in.Headers)
	}
	if string(d.Data) != `{"n":2}` || !d.DataEdited || string(d.Headers) != `{}` || !d.HeadersEdited {
		t.Errorf("decided %s", d.String())
	}
	copy(in.To, `["c"]`)
	if d.Targets[0].Name != "b" {
		t.Errorf("the decision aliases its input: %v", d.Targets)
	}
}

func TestTheSizeIsThatOfTheFrame(t *testing.T) {
	in := rehearse.Input{From: "a", ID: []byte(`"m"`), Data: []byte(`1`), To: []byte(`"b"`), Priority: 1, TTL: 12, Receipt: true, Headers: []byte(`{}`)}
	frame := `{"type":0,"messageId":"m","data":1,"to":"b","headers":{},"priority":1,"ttl":12,"receipt":true}`
	d := decide(t, "msg:reply(msg:size())", in)
	if got := string(d.Replies[0]); got != fmt.Sprint(len(frame)) {
		t.Errorf("size %s, want %d", got, len(frame))
	}
	in.Size = 7
	if d = decide(t, "msg:reply(msg:size())", in); string(d.Replies[0]) != "7" {
		t.Errorf("size %s, want 7", d.Replies[0])
	}
}

func TestTheSameMessagesAreDecidedTheSameAgain(t *testing.T) {
	run := func() string {
		return func() string {
			d := decide(t, "msg:reply({ math.random(1e6), math.random(1e6), stratix.now(), os.time(), os.date('%X'), os.clock() })",
				rehearse.Input{From: "a", Data: []byte("1")})
			return d.String()
		}()
	}
	first := run()
	if again := run(); again != first {
		t.Errorf("first %s, then %s", first, again)
	}
	if !strings.Contains(first, `1767268800000,1767268800,"12:00:00",0]`) {
		t.Errorf("the clock is not the given one: %s", first)
	}
}

func BenchmarkRehearsal(b *testing.B) {
	r := rehearse.New(load(b, `
		pipeline {
		  function(msg)
		    if msg:size() > 8192 then return msg:drop("too big") end
		    if msg:get("data.kind") == "order" then msg:to_group("orders") msg:priority(3) end
		  end,
		  stage.disk {}, stage.ring {},
		}`, rehearse.NewClock(noon)).Programs[0])
	in := rehearse.Input{From: "client-1", ID: []byte(`"m1"`), Data: []byte(`{"kind":"order","text":"some text that is not read"}`)}
	b.ReportAllocs()
	for b.Loop() {
		if d := r.Run(&in); len(d.Targets) != 1 {
			b.Fatal(d.String())
		}
	}
}

func TestARunWithoutEditsCostsFewAllocations(t *testing.T) {
	r := rehearse.New(program(stageFunc(func(*core.Message) (core.Verdict, error) { return core.Next, nil })))
	in := rehearse.Input{From: "a", ID: []byte(`"m"`), Data: []byte("1"), To: []byte(`"b"`)}
	coretest.AllocCeiling(t, 3, func() { r.Run(&in) }) // the session, the target and its name
}

// later delays messages by the milliseconds that are their data.
var later = stageFunc(func(m *core.Message) (core.Verdict, error) {
	millis, err := strconv.ParseInt(string(m.Data), 10, 64)
	if err != nil || millis == 0 {
		return core.Next, err
	}
	return m.Delay(m.Time + millis), nil
})

func TestADelayedMessageGoesOnAtOnceWhereNobodyWaits(t *testing.T) {
	r := rehearse.New(program(later, later))
	for _, data := range []string{"500", "0"} {
		d := r.Run(&rehearse.Input{From: "a", Data: []byte(data), To: []byte(`"b"`), Time: 1000})
		if got := d.String(); got != "-> client b" {
			t.Errorf("%s: %s", data, got)
		}
	}
	if due, ok := r.Due(); ok {
		t.Errorf("a message waits until %d", due)
	}
}
