package shard

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

// later delays messages by the milliseconds that are their data.
var later = stageFunc(func(m *core.Message) (core.Verdict, error) {
	millis, err := strconv.ParseInt(string(m.Data), 10, 64)
	if err != nil || millis == 0 {
		return core.Next, err
	}
	return m.Delay(m.Time + millis), nil
})

func TestDelayedMessagesGoOnInTheOrderInWhichTheyAreDue(t *testing.T) {
	x := byHand(t, oneShard(), &hooks{}, later, toSender)
	var order []string
	x.shards[0].program.Pipeline = core.NewPipeline(1, []string{"later", "note"}, []core.Stage{later,
		stageFunc(func(m *core.Message) (core.Verdict, error) {
			order = append(order, m.From.ID+string(m.Data))
			return m.DropFor("noted"), nil
		})})
	for i, millis := range []int{500, 250, 0, 250, 750} {
		e := x.connect(fmt.Sprint("c", i))
		e.send(fmt.Sprintf(`{"type":0,"data":%d}`, millis))
		x.turn(1)
	}
	f := func(d time.Duration, want string) {
		t.Helper()
		x.pass(d)
		if got := fmt.Sprint(order); got != want {
			t.Errorf("after %v: %s, want %s", d, got, want)
		}
		order = nil
	}
	f(0, "[c20]")
	f(tickLength, "[c1250 c3250]")
	f(tickLength, "[c0500]")
	f(tickLength, "[c4750]")
}

func TestASendersMessagesWaitBehindADelayedOne(t *testing.T) {
	x := byHand(t, oneShard(), &hooks{}, later, toSender)
	a := x.connect("a")
	a.send(`{"type":0,"messageId":"1","data":250}`, `{"type":0,"messageId":"2","data":0}`, `{"type":0,"messageId":"3","data":250}`, `{"type":4}`)
	x.turn(2)
	a.want()
	x.pass(tickLength)
	x.turn(1)
	a.want(echoed(1, "a", "1", "250"), acked("1", "delivered"), echoed(2, "a", "2", "0"), acked("2", "delivered"))
	x.pass(tickLength)
	x.turn(1)
	a.want(echoed(3, "a", "3", "250"), acked("3", "delivered"), `{"type":5}`)
}

// A step of the clock moves no delay.
func TestADelayGoesByTimeThatHasPassed(t *testing.T) {
	x := byHand(t, oneShard(), &hooks{}, later, toSender)
	a := x.connect("a")
	a.send(`{"type":0,"messageId":"1","data":500}`)
	x.turn(1)
	s := x.shards[0]
	if s.untilDue(1000) != 500 {
		t.Errorf("the loop would wait for %d ms, want 500", s.untilDue(1000))
	}
	s.unixMillis -= 3_600_000
	x.pass(tickLength)
	a.want()
	x.pass(tickLength)
	x.turn(1)
	a.want(echoed(1, "a", "1", "500"), acked("1", "delivered"))
	if s.untilDue(1000) != 1000 {
		t.Errorf("with nothing delayed the loop would wait for %d ms", s.untilDue(1000))
	}
}

func TestADelayedMessageOutlivesItsSender(t *testing.T) {
	x := byHand(t, oneShard(), &hooks{}, later)
	a, b := x.connect("a"), x.connect("b")
	a.send(`{"type":0,"messageId":"1","to":"b","data":250}`)
	x.turn(1)
	a.sendClose(1000)
	x.turn(2)
	x.pass(tickLength)
	x.turn(1)
	b.want(`{"type":0,"seq":1,"from":"a","messageId":"1","data":250}`)
}

func TestWhoDoesNotKeepToALimitIsToldAndClosed(t *testing.T) {
	limit := stageFunc(func(m *core.Message) (core.Verdict, error) {
		m.Effects.RetryAfter = 40
		if string(m.Data) == "1" {
			return m.Reject("rate_limited", "slowly"), nil
		}
		return m.Disconnect("rate_limited", "slowly"), nil
	})
	onEachTransport(t, func(t *testing.T, transport string) {
		g := start(t, transport, options(), &hooks{}, limit)
		a := g.connect("a")
		a.send(`{"type":0,"messageId":"1","data":1}`)
		a.send(`{"type":0,"messageId":"2","data":2}`)
		a.send(`{"type":0,"messageId":"3","data":1}`) // too late
		for _, id := range []string{"1", "2"} {
			a.want(`{"type":2,"messageId":"` + id + `","code":"rate_limited","error":"slowly","retryAfter":40}`)
		}
		a.wantClose(CloseLimited, "slowly")
		g.await(0)
		if c := g.counts(); c.Limited != 1 || c.Closed != 1 || c.Rejected != 2 {
			t.Errorf("counted %+v", c)
		}
	})
}
