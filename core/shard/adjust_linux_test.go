package shard

import (
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/frame"
)

// adjust is Set.Adjust.
func (x *hand) adjust(opt Options) {
	for _, s := range x.shards {
		s.adjust(&opt)
	}
}

func TestAShorterIdleTimeoutGivesTheSilentTimeToAnswer(t *testing.T) {
	opt := oneShard()
	opt.PingEvery, opt.IdleTimeout = 100*time.Second, 300*time.Second
	x := byHand(t, opt, &hooks{})
	var all []*end
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		all = append(all, x.connect(id))
	}
	x.pass(90 * time.Second)
	opt.PingEvery, opt.IdleTimeout = 4*time.Second, 10*time.Second
	x.adjust(opt)
	pong := frame.AppendMasked(nil, frame.OpPong, mask, nil)
	pinged := map[int]int{}
	for range 4 * 20 { // each is pinged within the new period, though none has said a word for 90 s
		x.pass(tickLength)
		for i, e := range all[1:] {
			for _, got := range e.got() {
				if got != "ping " {
					t.Fatalf("client %d gets %s", i, got)
				}
				pinged[i]++
				e.write(pong)
			}
		}
	}
	if len(pinged) != 4 || pinged[0] < 4 {
		t.Errorf("pinged are %v", pinged)
	}
	// The one that answers nothing has its time, and then goes.
	if got := all[0].got(); got[0] != "ping " || got[len(got)-1] != "end" && !strings.HasPrefix(got[len(got)-1], "close 4009") {
		t.Errorf("who is silent gets %q", got)
	}
}

func TestAShorterMessageTimeoutBeginsAnew(t *testing.T) {
	opt := oneShard()
	opt.StallTimeout = 20 * time.Second
	x := byHand(t, opt, &hooks{}, toSender)
	a := x.connect("a")
	whole := frame.AppendMasked(nil, frame.OpText, mask, []byte(`{"type":4}`))
	a.write(whole[:3])
	x.pass(10 * time.Second)
	opt.StallTimeout = 2 * time.Second
	x.adjust(opt)
	x.pass(2*time.Second - tickLength)
	a.want()
	a.write(whole[3:])
	x.turn(1)
	a.want(`{"type":5}`)
	a.write(whole[:3])
	x.pass(2*time.Second + tickLength)
	a.want("close 4010")
}

func TestANarrowerQueueDropsNothingThatWaits(t *testing.T) {
	for _, policy := range []Policy{DropOldest, Reject, Disconnect} {
		opt := oneShard()
		opt.QueuePolicy = policy
		x := byHand(t, opt, &hooks{})
		a, b := x.connect("a"), x.connect("b")
		big := strings.Repeat("x", 40_000)
		for range 4 {
			a.sendAll(x, `{"type":0,"to":"b","data":"`+big+`"}`)
		}
		waiting := b.c.out.waiting()
		opt.QueueBytes = 1000
		x.adjust(opt)
		x.turn(2)
		if b.c.state != open || b.c.out == nil || b.c.out.waiting() != waiting {
			t.Errorf("policy %v: what waits has changed with the bound", policy)
		}
	}
}

func TestTracesBeginAndEnd(t *testing.T) {
	opt := oneShard()
	opt.TraceEvery, opt.TraceBytes = 0, 1<<20
	x := byHand(t, opt, &hooks{}, toSender)
	a := x.connect("a")
	s := x.shards[0]
	traces := func(want uint64) {
		t.Helper()
		for range 10 {
			a.send(`{"type":0,"messageId":"m","data":1}`)
			x.turn(2)
			a.got()
		}
		if s.count.Traced != want {
			t.Errorf("%d messages left a trace, want %d", s.count.Traced, want)
		}
	}
	traces(0)
	opt.TraceEvery = 1
	x.adjust(opt)
	traces(10)
	opt.TraceEvery = 0
	x.adjust(opt)
	traces(10)
}

func TestABudgetReachesProgramsThatComeLater(t *testing.T) {
	opt := oneShard()
	opt.Budget = 5
	x := byHand(t, opt, &hooks{})
	s := x.shards[0]
	var got []int
	program := func(n uint32) *core.Program {
		gen := generation(n, 1, &hooks{})
		gen.Programs[0].SetBudget = func(to int) { got = append(got, int(n)*1000+to) }
		return gen.Programs[0]
	}
	s.setProgram(program(2))
	opt.Budget = 7
	x.adjust(opt)
	x.adjust(opt) // the same again
	s.setCanary(canary{program: program(3)})
	s.setCanary(canary{})
	if want := []int{2005, 2007, 3007}; len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTheBoundOfHeavyMessagesIsOfAllPrograms(t *testing.T) {
	opt := oneShard()
	opt.Heavy = 5
	x := byHand(t, opt, &hooks{})
	s := x.shards[0]
	program := func(n uint32) *core.Program { return generation(n, 1, &hooks{}).Programs[0] }
	f := func(p *core.Program, want int) {
		t.Helper()
		if got := p.Toll.Most; got != want {
			t.Errorf("for generation %d it is %d, want %d", p.Generation, got, want)
		}
	}
	f(s.program, 5)
	live, tried := program(2), program(3)
	s.setProgram(live)
	f(live, 5)
	opt.Heavy = 7
	x.adjust(opt)
	s.setCanary(canary{program: tried})
	f(live, 7)
	f(tried, 7)
	opt.Heavy = 9
	x.adjust(opt)
	f(live, 9)
	f(tried, 9)
}
