package shard

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/trace"
)

// tracing are options with which every nth message leaves a trace.
func tracing(n int) Options {
	opt := options()
	opt.TraceEvery, opt.TraceBytes = n, 256<<10
	return opt
}

// judge is a stage that does what the data says.
var judge = stageFunc(func(m *core.Message) (core.Verdict, error) {
	switch string(m.Data) {
	case `"drop"`:
		return m.DropFor("no"), nil
	case `"reject"`:
		return m.Reject("nope", "really no"), nil
	case `"fail"`:
		return core.Drop, fmt.Errorf("on purpose")
	case `"panic"`:
		panic("on purpose")
	case `"many"`:
		m.Effects.Targets = make([]core.Target, core.MaxTargets+1)
	case `"join"`:
		m.Effects.Joins = append(m.Effects.Joins, "room")
	case `"reply"`:
		m.Effects.Replies = append(m.Effects.Replies, []byte(`1`))
	case `"kept"`:
		m.KeepIn(core.StorageMemory)
	}
	return core.Next, nil
})

// account is a trace in words, without times.
func account(t *trace.Trace) string {
	words := []string{t.Client, t.Verdict.String()}
	word := func(ok bool, format string, args ...any) {
		if ok {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	word(t.Code != "", "code=%s", t.Code)
	for _, s := range t.Stages {
		word(true, "%s:%s", s.Stage, s.Verdict)
	}
	for _, to := range t.Targets {
		word(true, "%s:%s", to.Kind, to.Name)
	}
	word(t.TargetCount > len(t.Targets), "targets=%d", t.TargetCount)
	word(t.Replies+t.Groups > 0, "replies=%d groups=%d", t.Replies, t.Groups)
	if a := t.Answer; a != nil {
		word(true, "told=%v %s%s%s d=%d q=%d o=%d r=%d", a.Told, a.Stored, a.Status, a.Code, a.Delivered, a.Queued, a.Offline, a.Refused)
		word(a.Repeats > 0, "repeats=%d", a.Repeats)
	}
	word(t.Late != nil, "late=%v", t.Late != nil && t.Late.Outcome == "delivered")
	return strings.Join(words, " ")
}

// ways are the accounts of the messages with an id, a line each.
func (g *gate) ways(id, client string) string {
	found, _ := g.Explain(id, client)
	var lines []string
	for i := range found {
		lines = append(lines, account(&found[i]))
	}
	return strings.Join(lines, "\n")
}

func TestEveryEndOfAMessageIsExplained(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		f := func(every int, wants map[string][2]string) {
			t.Helper()
			g := start(t, transport, tracing(every), &hooks{maySend: func(_ *core.Session, to core.Target) string {
				if to.Name == "forbidden" {
					return "not you"
				}
				return ""
			}}, judge)
			a, b := g.connect("a"), g.connect("b")
			g.await(2)
			for what, want := range wants {
				a.send(fmt.Sprintf(`{"type":0,"messageId":%q,%s}`, what, want[0]))
				for strings.Contains(a.text(), `"type":0`) {
				}
				if got := g.ways(what, ""); got != want[1] {
					t.Errorf("1 in %d, %s:\ngot  %s\nwant %s", every, what, got, want[1])
				}
			}
			_ = b
		}
		f(1, map[string][2]string{
			"delivered": {`"to":"b","data":1`, "a accepted stage0:next client:b told=true memorydelivered d=1 q=0 o=0 r=0"},
			"list":      {`"to":["b","nobody"],"data":1`, "a accepted stage0:next client:b client:nobody told=true memorydelivered d=1 q=0 o=1 r=0"},
			"prefix":    {`"to":{"prefix":"b"},"data":1`, "a accepted stage0:next prefix:b told=true memorydelivered d=1 q=0 o=0 r=0"},
			"self":      {`"to":"a","data":1`, "a accepted stage0:next client:a told=true memorydelivered d=1 q=0 o=0 r=0"},
			"kept":      {`"to":"away","data":"kept"`, "a accepted stage0:next client:away told=true memoryqueued d=0 q=1 o=0 r=0"},
			"offline":   {`"to":"nobody","data":1`, "a accepted stage0:next client:nobody told=true offline d=0 q=0 o=1 r=0"},
			"drop":      {`"data":"drop"`, "a dropped code=dropped stage0:drop"},
			"reject":    {`"data":"reject"`, "a rejected code=nope stage0:drop"},
			"fail":      {`"data":"fail"`, "a error code=stage_error stage0:error"},
			"panic":     {`"data":"panic"`, "a error code=stage_error stage0:error"},
			"no route":  {`"data":1`, "a no_route code=no_route stage0:next"},
			"forbidden": {`"to":"forbidden","data":1`, "a forbidden code=forbidden stage0:next"},
			"malformed": {`"to":{"perfix":1},"data":1`, "a malformed code=bad_message stage0:next"},
			"many":      {`"data":"many"`, "a rejected code=limit stage0:next"},
			"join":      {`"data":"join"`, "a accepted stage0:next replies=0 groups=1 told=true memorydelivered d=1 q=0 o=0 r=0"},
			"reply":     {`"data":"reply"`, "a accepted stage0:next replies=1 groups=0 told=true memorydelivered d=1 q=0 o=0 r=0"},
		})
		// What is not sampled and comes to nothing leaves its end.
		f(1<<30, map[string][2]string{
			"delivered": {`"to":"b","data":1`, ""},
			"offline":   {`"to":"nobody","data":1`, "a accepted told=true offline d=0 q=0 o=1 r=0"},
			"drop":      {`"data":"drop"`, "a dropped code=dropped stage0:drop"},
			"fail":      {`"data":"fail"`, "a error code=stage_error stage0:error"},
			"panic":     {`"data":"panic"`, "a error code=stage_error stage0:error"},
			"no route":  {`"data":1`, "a no_route code=no_route"},
			"malformed": {`"to":{"perfix":1},"data":1`, "a malformed code=bad_message"},
		})
		f(0, map[string][2]string{
			"delivered": {`"to":"b","data":1`, ""},
			"drop":      {`"data":"drop"`, ""},
			"offline":   {`"to":"nobody","data":1`, ""},
		})
	})
}

func TestARepeatIsExplainedAsOne(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		g := start(t, transport, tracing(1), &hooks{}, judge)
		a := g.connect("a")
		g.await(1)
		f := func(to, want string) {
			t.Helper()
			a.send(fmt.Sprintf(`{"type":0,"messageId":"m","to":%s,"data":"kept"}`, to))
			a.text()
			if got := g.ways("m", ""); got[strings.LastIndex(got, "\n")+1:] != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
		f(`"b"`, "a accepted stage0:next client:b told=true memoryqueued d=0 q=1 o=0 r=0")
		f(`"b"`, "a accepted stage0:next client:b told=true memoryqueued d=0 q=1 o=0 r=0 repeats=1")
		f(`["b","c"]`, "a accepted stage0:next client:b client:c told=true memoryqueued d=0 q=2 o=0 r=0 repeats=1")
	})
}

func TestAnIdThatSeveralUsedIsExplainedForEach(t *testing.T) {
	g := start(t, transports[len(transports)-1], tracing(1), &hooks{}, toSender)
	for _, id := range []string{"a", "b", "c"} {
		c := g.connect(id)
		c.send(`{"type":0,"messageId":"same","data":1}`)
		c.text()
		c.text()
	}
	if got := g.ways("same", ""); strings.Count(got, "accepted") != 3 {
		t.Errorf("got %s", got)
	}
	if got := g.ways("same", "b"); strings.Count(got, "accepted") != 1 || !strings.HasPrefix(got, "b ") {
		t.Errorf("of b: %s", got)
	}
	if got := g.ways("other", ""); got != "" {
		t.Errorf("of another message: %s", got)
	}
}

func TestADeliveryIsWaitedForThoughNobodyAsked(t *testing.T) {
	g := start(t, transports[len(transports)-1], tracing(1), &hooks{}, judge)
	a := g.connect("a")
	a.send(`{"type":0,"messageId":"1","to":"away","data":"kept"}`)
	a.want(`{"type":1,"messageId":"1","stored":"memory","status":"queued"}`)
	if sum := g.Stats(); sum[0].InFlight+sum[1].InFlight != 0 {
		t.Error("it counts as in flight")
	}
	away := g.connect("away")
	away.send(`{"type":4}`)
	away.text()
	away.text()
	for end := time.Now().Add(patience); !strings.HasSuffix(g.ways("1", ""), "late=true"); {
		if time.Now().After(end) {
			t.Fatalf("got %s", g.ways("1", ""))
		}
	}
	// Its sender has not asked, and is not told.
	a.send(`{"type":4}`)
	a.want(`{"type":5}`)
}

func TestAHeldMessageIsExplained(t *testing.T) {
	held := make(chan *core.Message, 1)
	hold := stageFunc(func(m *core.Message) (core.Verdict, error) {
		m.Detach()
		held <- m
		return core.Hold, nil
	})
	g := start(t, transports[len(transports)-1], tracing(1), &hooks{}, hold, toSender)
	a := g.connect("a")
	f := func(id string, err error, want string) {
		t.Helper()
		a.send(fmt.Sprintf(`{"type":0,"messageId":%q,"data":1}`, id))
		m := <-held
		m.Held().Err = err
		m.Priority = 3
		core.Resume([]*core.Message{m})
		for strings.Contains(a.text(), `"type":0`) {
		}
		if got := g.ways(id, ""); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	f("1", nil, "a accepted stage0:hold stage1:next sender: told=true memorydelivered d=1 q=0 o=0 r=0")
	f("2", &core.Rejection{Code: "late", Text: "no answer"}, "a error code=late stage0:hold")
}

func TestATailFollows(t *testing.T) {
	f := func(filter trace.Filter, want ...string) {
		t.Helper()
		g := start(t, transports[len(transports)-1], tracing(0), &hooks{}, judge)
		if err := filter.Check(); err != nil {
			t.Fatal(err)
		}
		tail, err := g.OpenTail(filter)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"a-1", "b-1"} {
			c := g.connect(id)
			for i, what := range []string{`"to":"nobody","data":1`, `"data":"drop"`, `"to":"` + id + `","data":1`} {
				c.send(fmt.Sprintf(`{"type":0,"messageId":"%d",%s}`, i, what))
				for strings.Contains(c.text(), `"type":0`) {
				}
			}
			c.send("{")
			c.text()
		}
		var got []string
		for len(got) < len(want) {
			_, ok := tail.Next(t.Context(), patience, func(tr *trace.Trace) { got = append(got, account(tr)) })
			if !ok {
				break
			}
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%+v:\ngot\n%s\nwant\n%s", filter, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		tail.Close()
		if n := g.Stats()[0].Traced; n != 0 {
			t.Errorf("%d traces are kept of a tail", n)
		}
	}
	f(trace.Filter{Client: "a-1"},
		"a-1 accepted stage0:next client:nobody told=true offline d=0 q=0 o=1 r=0",
		"a-1 dropped code=dropped stage0:drop",
		"a-1 accepted stage0:next client:a-1 told=true memorydelivered d=1 q=0 o=0 r=0",
		"a-1 malformed code=bad_json")
	f(trace.Filter{Prefix: "b", Code: "offline"}, "b-1 accepted stage0:next client:nobody told=true offline d=0 q=0 o=1 r=0")
	f(trace.Filter{Prefix: "b", Verdict: "drop"}, "b-1 dropped code=dropped stage0:drop")
	f(trace.Filter{Client: "b-1", Stage: "stage0", Verdict: "drop"}, "b-1 dropped code=dropped stage0:drop")
}

func TestASlowTailMissesAndSaysSo(t *testing.T) {
	g := start(t, transports[len(transports)-1], tracing(0), &hooks{}, judge)
	tail, err := g.OpenTail(trace.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Close()
	c := g.connect("a")
	message := masked(`{"type":0,"messageId":"x","data":"drop"}`)
	var burst []byte
	for range 500 {
		burst = append(burst, message...)
	}
	sent := 0
	for end := time.Now().Add(patience); g.counts().TailMissed == 0; sent += 500 {
		if time.Now().After(end) {
			t.Fatal("nothing is missed")
		}
		c.write(burst)
		for range 500 {
			c.text()
		}
	}
	var got, missed uint64
	for got+missed < uint64(sent) {
		n, ok := tail.Next(t.Context(), patience, func(*trace.Trace) { got++ })
		if missed += n; !ok {
			t.Fatal("it ended")
		}
		c.send(`{"type":4}`) // another turn, with which the rest goes
		c.text()
	}
	if got+missed != uint64(sent) || got == 0 || missed != g.counts().TailMissed {
		t.Errorf("of %d messages %d came and %d were missed", sent, got, missed)
	}
}

func TestEightTailsMayBeOpen(t *testing.T) {
	g := start(t, transports[len(transports)-1], tracing(1), &hooks{}, toSender)
	var open []*Tail
	for range MaxTails {
		tail, err := g.OpenTail(trace.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, tail)
	}
	if _, err := g.OpenTail(trace.Filter{}); err != ErrTails {
		t.Errorf("one more: %v", err)
	}
	open[3].Close()
	tail, err := g.OpenTail(trace.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range append(open, tail) {
		if i != 3 {
			o.Close()
		}
	}
	// Sampling goes on as before.
	c := g.connect("a")
	c.send(`{"type":0,"messageId":"after","data":1}`)
	c.text()
	c.text()
	if got := g.ways("after", ""); !strings.Contains(got, "accepted") {
		t.Errorf("after the last tail: %q", got)
	}
}

func TestTracesAreJSONWithoutData(t *testing.T) {
	g := start(t, transports[len(transports)-1], tracing(1), &hooks{}, toSender)
	c := g.connect("a")
	c.send(`{"type":0,"messageId":"1","headers":{"authorization":"s3cret"},"data":{"name":"s3cret"}}`)
	c.text()
	c.text()
	found, _ := g.Explain("1", "")
	if b, err := json.Marshal(found); err != nil || strings.Contains(string(b), "s3cret") || len(found) != 1 {
		t.Errorf("%s %v", b, err)
	}
}
