package shard

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/trace"
)

func TestTheWayOfATracedMessageDoesNotAllocate(t *testing.T) {
	if underRace {
		t.Skip("the race detector allocates")
	}
	f := func(name, to string, opt Options, stage core.Stage, turns int) {
		t.Run(name, func(t *testing.T) {
			r := &rig{byHand(t, opt, &hooks{}, stage), make([]byte, 1<<20)}
			a, b := r.connect(r.idOn(0, "a")), r.connect(r.idOn(opt.Shards-1, "b"))
			wire := masked(`{"type":0,"messageId":"msg-001",` + strings.ReplaceAll(to, "b", b.c.ID) + `"data":"` + data + `"}`)
			one := func() {
				r.write(a, wire)
				r.turn(turns)
				r.empty(a)
				r.empty(b)
			}
			for range 2000 { // once around the ring
				one()
			}
			if n := testing.AllocsPerRun(500, one); n != 0 {
				t.Errorf("%v allocations a message", n)
			}
			if s := r.shards[0]; s.count.Traced < 2500 && s.tracer.every == 1 {
				t.Errorf("%d of 2500 messages left a trace", s.count.Traced)
			}
		})
	}
	one := tracing(1)
	one.Shards = 1
	f("to its sender", ``, one, toSender, 1)
	f("to a client", `"to":"b",`, one, toSender, 2)
	f("to another shard", `"to":"b",`, tracing(1), toSender, 4)
	f("that is dropped", ``, one, stageFunc(func(m *core.Message) (core.Verdict, error) { return m.DropFor("no"), nil }), 1)
	some := tracing(1 << 30)
	some.Shards = 1
	f("that is not sampled, and dropped", ``, some, stageFunc(func(m *core.Message) (core.Verdict, error) { return m.DropFor("no"), nil }), 1)
}

func TestOneMessageInSoManyIsSampled(t *testing.T) {
	f := func(every, messages, least, most int) {
		t.Helper()
		opt := tracing(every)
		opt.Shards = 1
		r := newRig(t, opt, "")
		a := r.connect("a")
		wire := masked(`{"type":0,"messageId":"1","data":1}`)
		for range messages {
			r.write(a, wire)
			r.turn(1)
			r.empty(a)
		}
		if n := int(r.shards[0].count.Traced); n < least || n > most {
			t.Errorf("of %d messages %d left a trace at 1 in %d", messages, n, every)
		}
	}
	f(1, 100, 100, 100)
	f(0, 1000, 0, 0)
	f(10, 10_000, 800, 1200) // the mean of 1,000 intervals is off by 2 % now and then
	f(1<<30, 1000, 0, 0)
}

func TestAFloodOfWhatCameToNothingPushesOutNothingElse(t *testing.T) {
	opt := tracing(1 << 30)
	opt.Shards = 1
	x := byHand(t, opt, &hooks{}, judge)
	s := x.shards[0]
	a := x.connect("a")
	f := func(traced, skipped uint64) {
		t.Helper()
		if s.count.Traced != traced || s.count.TracesSkipped != skipped {
			t.Errorf("%d traced and %d skipped, want %d and %d", s.count.Traced, s.count.TracesSkipped, traced, skipped)
		}
	}
	flood := func(n int) {
		for range n {
			a.send(`{"type":0,"messageId":"1","data":"drop"}`)
			x.turn(1)
			a.got()
		}
	}
	s.untraced = 1
	a.send(`{"type":0,"messageId":"sampled","to":"a","data":1}`)
	x.turn(1)
	f(1, 0)
	flood(endedTick + 10)
	f(1+endedTick, 10)
	x.pass(tickLength)
	flood(3)
	f(1+endedTick+3, 10)
	for range 40 {
		x.pass(tickLength)
		flood(endedTick)
	}
	if k := s.tracer.ended.Kept(); k.Evicted == 0 || k.Bytes > 64<<10 {
		t.Errorf("of what came to nothing %+v is kept", k)
	}
	if k := s.tracer.sampled.Kept(); k.Traces != 1 || k.Evicted != 0 {
		t.Errorf("of what was sampled %+v is kept", k)
	}
}

func TestTheLateEndOfAMessageIsWrittenDown(t *testing.T) {
	f := func(every int, ending string, want string) {
		t.Helper()
		opt := tracing(every)
		opt.Shards = 1
		x := byHand(t, opt, &hooks{}, judge)
		a := x.connect("a")
		a.send(`{"type":0,"messageId":"1","to":"away","data":"kept","ttl":1,"receipt":true}`)
		x.turn(2)
		if ending == "expires" {
			x.pass(30 * time.Second)
		} else {
			away := x.connect("away")
			away.send(`{"type":4}`)
			x.turn(4)
			away.got()
		}
		var got []string
		s := x.shards[0]
		for _, ring := range []*trace.Ring{s.tracer.sampled, s.tracer.ended} {
			var tr trace.Trace
			ring.Each(0, 1<<20, func(e []byte) { trace.Read(e, &tr) })
			if tr.Late != nil {
				got = append(got, fmt.Sprintf("%v %s %s %s", tr.Sampled, tr.MessageID, tr.Client, tr.Late.Outcome))
			}
		}
		if strings.Join(got, ",") != want {
			t.Errorf("1 in %d, %s: got %q, want %s", every, ending, got, want)
		}
	}
	f(1, "expires", "true 1 a expired")
	f(1, "is delivered", "true 1 a delivered")
	f(1<<30, "expires", "false 1 a expired")
	f(1<<30, "is delivered", "")
}

// BenchmarkPairTraced is BenchmarkPair with traces, and while somebody watches.
func BenchmarkPairTraced(b *testing.B) {
	for i := range 6 {
		every, watched := []int{0, 64, 1}[i/2], i%2 == 1
		b.Run(fmt.Sprintf("1in%d,watched=%v", every, watched), func(b *testing.B) {
			opt := tracing(every)
			opt.Shards = 1
			r := newRig(b, opt, "")
			if watched {
				r.shards[0].beginPulse()
			}
			const pairs = 50
			var from, to []*end
			var wire [][]byte
			for i := range pairs {
				from = append(from, r.connect(fmt.Sprint("from-", i)))
				to = append(to, r.connect(fmt.Sprint("to-", i)))
				wire = append(wire, masked(fmt.Sprintf(`{"type":0,"messageId":"msg-001","to":"to-%d","data":"%s"}`, i, data)))
			}
			b.ReportAllocs()
			for n := 0; n < b.N; n += pairs {
				for i, a := range from {
					r.write(a, wire[i])
				}
				r.turn(2)
				for i := range pairs {
					r.empty(from[i])
					r.empty(to[i])
				}
			}
		})
	}
}
