package shard

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

func TestASampleStandsForAllThatPassed(t *testing.T) {
	f := func(every, messages int) {
		t.Helper()
		opt := tracing(every)
		opt.Shards = 1
		r := newRig(t, opt, "")
		s, a := r.shards[0], r.connect("a")
		wire := masked(`{"type":0,"data":1}`)
		send := func(n int) {
			for i := range n {
				r.write(a, wire)
				r.turn(1)
				r.empty(a)
				if i%400 == 399 {
					r.pass(tickLength) // of a new tick the first messages are sampled anyway
				}
			}
		}
		send(777) // what came before somebody watches does not count
		s.beginPulse()
		s.pulse.busy.last = 1 << 40 // nothing fades
		send(messages)
		if got := int(s.pulse.busy.all[0].Messages); got > messages || got < messages-2*every {
			t.Errorf("at 1 in %d, %d messages count as %d", every, messages, got)
		}
		if n := s.pulse.latencies.Samples(); n < uint64(messages/every/2) {
			t.Errorf("at 1 in %d, the times of %d of %d messages are known", every, n, messages)
		}
	}
	f(1, 100)
	f(10, 2000)
	f(64, 4000)
}

// Other ones are sampled after a change of the rate, and stand for as many.
func TestAfterAChangeOfTheRateASampleStandsForAllThatPassed(t *testing.T) {
	f := func(before, now int) {
		t.Helper()
		opt := tracing(before)
		opt.Shards = 1
		x := byHand(t, opt, &hooks{}, judge)
		s, a := x.shards[0], x.connect("a")
		send := func(n int) {
			for range n {
				a.send(`{"type":0,"data":"drop"}`)
				x.turn(2)
				a.got()
			}
		}
		s.beginPulse()
		s.pulse.busy.last = 1 << 40 // nothing fades
		send(5)
		opt.TraceEvery = now
		x.adjust(opt)
		counted := func() (n int) {
			for _, b := range s.pulse.busy.all {
				n += int(b.Messages)
			}
			return n
		}
		was := counted()
		const messages = 1000
		send(messages)
		if got := counted() - was; got > messages || got < messages-2*now {
			t.Errorf("from 1 in %d to 1 in %d: %d messages count as %d", before, now, messages, got)
		}
	}
	f(1<<20, 1)
	f(1<<20, 10)
	f(0, 10)
	f(10, 100)
}

func TestWithoutTracesThereAreNoBusySenders(t *testing.T) {
	x := byHand(t, oneShard(), &hooks{}, judge)
	s, a := x.shards[0], x.connect("a")
	s.beginPulse()
	a.send(`{"type":0,"to":"a","data":1}`, `{"type":0,"data":"drop"}`, `{"type":`)
	x.turn(2)
	x.pass(time.Second)
	if p := s.tellPulse(20); len(p.Busy) != 0 || p.Latencies.Samples() != 0 || p.Stages[0].Verdicts[core.Drop] != 1 {
		t.Errorf("the shard tells %+v", p)
	}
}

func TestAPulseTellsWhatTheLiveStagesDidSinceItBegan(t *testing.T) {
	opt := tracing(1)
	opt.Shards = 1
	x := byHand(t, opt, &hooks{}, judge)
	s, a := x.shards[0], x.connect("a")
	say := func(texts ...string) {
		t.Helper()
		for _, text := range texts {
			a.send(fmt.Sprintf(`{"type":0,"to":"a","data":%q}`, text))
		}
		x.turn(2)
	}
	f := func(want core.Tally, samples, times uint64) {
		t.Helper()
		p := s.tellPulse(20)
		st := p.Stages[0]
		if len(p.Stages) != 1 || st.Verdicts != want.Verdicts || st.Errors != want.Errors || st.Samples != samples || p.Latencies.Samples() != times {
			t.Errorf("got %+v and the times of %d messages, want %+v of %d samples, and %d", st, p.Latencies.Samples(), want, samples, times)
		}
	}
	say("x", "drop", "fail")
	s.beginPulse()
	f(core.Tally{}, 0, 0)
	say("x", "x", "drop", "fail")
	f(core.Tally{Verdicts: [4]uint64{core.Next: 2, core.Drop: 1}, Errors: 1}, 4, 4)
	next := generation(2, 1, &hooks{}, judge).Programs[0]
	_, tally := next.Pipeline.Stage(0)
	tally.Verdicts[core.Next] = 99 // as a canary
	s.setProgram(next)
	say("x")
	f(core.Tally{Verdicts: [4]uint64{core.Next: 1}}, 1, 5)
	x.pass(time.Second)
	if top := s.tellPulse(20).Busy; len(top) != 1 || top[0].Client != "a" || top[0].Errors == 0 || top[0].Messages < 2*top[0].Errors {
		t.Errorf("the busiest are %+v", top)
	}
}

func TestReliableConnectionsAreCounted(t *testing.T) {
	opt := oneShard()
	opt.Sessions = 2
	x := byHand(t, opt, &hooks{}, toSender)
	f := func(want int) {
		t.Helper()
		x.turn(2)
		if got := x.shards[0].dir.reliable; got != want {
			t.Errorf("%d reliable connections are counted, want %d", got, want)
		}
	}
	a := x.connectWith(Client{ID: "a", Reliable: true})
	x.connect("plain")
	f(1)
	x.connectWith(Client{ID: "a", Reliable: true}) // in place of the first
	f(1)
	b := x.connectWith(Client{ID: "b", Reliable: true})
	f(2)
	c := x.connectWith(Client{ID: "c", Reliable: true}) // for which there is no room
	f(2)
	for _, e := range []*end{a, b, c} {
		e.close()
	}
	f(1)
	x.connect("a") // a plain one in place of the second
	f(0)
}

func TestTheWayOfAWatchedMessageDoesNotAllocate(t *testing.T) {
	if underRace {
		t.Skip("the race detector allocates")
	}
	f := func(name string, stage core.Stage, to string) {
		t.Run(name, func(t *testing.T) {
			r := &rig{byHand(t, tracing(1), &hooks{}, stage), make([]byte, 1<<20)}
			for _, s := range r.shards {
				s.beginPulse()
			}
			a, b := r.connect(r.idOn(0, "a")), r.connect(r.idOn(1, "b"))
			wire := masked(`{"type":0,"messageId":"msg-001",` + strings.ReplaceAll(to, "b", b.c.ID) + `"data":"` + data + `"}`)
			one := func() {
				r.write(a, wire)
				r.turn(4)
				r.empty(a)
				r.empty(b)
			}
			for range 2000 { // once around the ring
				one()
			}
			if n := testing.AllocsPerRun(500, one); n != 0 {
				t.Errorf("%v allocations a message", n)
			}
			if n := r.shards[0].pulse.latencies.Samples(); n < 2500 {
				t.Errorf("the times of %d of 2500 messages are known", n)
			}
		})
	}
	f("to its sender", toSender, ``)
	f("to another shard", toSender, `"to":"b",`)
	f("that is dropped", stageFunc(func(m *core.Message) (core.Verdict, error) { return m.DropFor("no"), nil }), ``)
}

func TestBacklogsAreFoundOnAllShards(t *testing.T) {
	g := start(t, "epoll", options(), &hooks{}, stageFunc(func(m *core.Message) (core.Verdict, error) {
		m.KeepIn(core.StorageMemory)
		return core.Next, nil
	}))
	a := g.connect("a")
	g.await(1)
	for i := range 30 {
		for range i + 1 {
			a.send(fmt.Sprintf(`{"type":0,"to":"b%d","data":1}`, i))
		}
	}
	a.send(`{"type":4}`)
	a.next()
	var got []Waiting
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		got = g.Backlogs(3)
		if slices.Equal(got, []Waiting{{"b29", 30}, {"b28", 29}, {"b27", 28}}) {
			return
		}
	}
	t.Errorf("the longest backlogs are %v", got)
}

// BenchmarkBacklogs is the walk over a million mailboxes: ns/op in all, and what one
// part of it takes of its shard.
func BenchmarkBacklogs(b *testing.B) {
	g := start(b, "epoll", oneShard(), &hooks{}, toSender)
	s := g.all[0]
	g.on(s, func() {
		for i := range 1 << 20 {
			s.newBox(fmt.Sprint("client-", i)).count = int32(i % 1000)
		}
	})
	steps := 0
	for b.Loop() {
		if len(g.Backlogs(20)) != 20 {
			b.Fatal("there are more")
		}
		steps += 1<<20/walkStep + 1
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(steps), "ns/part")
	g.on(s, func() {
		for _, box := range s.boxList {
			box.count = 0
		}
	})
}
