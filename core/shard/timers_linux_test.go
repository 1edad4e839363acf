package shard

import (
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/frame"
)

// farewells notes the reasons that on_disconnect is called with.
func farewells(h *hooks) *[]string {
	var all []string
	h.disconnect = func(s *core.Session, reason string) { all = append(all, s.ID+" "+reason) }
	return &all
}

func wantList(t testing.TB, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

func timed() Options {
	opt := oneShard()
	opt.PingEvery, opt.IdleTimeout, opt.StallTimeout = 2*time.Second, 5*time.Second, time.Second
	return opt
}

func TestAQuietClientIsPingedAndThenClosed(t *testing.T) {
	h := &hooks{}
	why := farewells(h)
	x := byHand(t, timed(), h)
	a := x.connect("a")
	x.pass(1750 * time.Millisecond)
	a.want()
	x.pass(250 * time.Millisecond)
	a.want("ping ")
	x.pass(2 * time.Second)
	a.want("ping ")
	x.pass(750 * time.Millisecond)
	a.want()
	x.pass(250 * time.Millisecond)
	a.want("close 4009")
	wantList(t, *why, "a idle")
	x.pass(closeWait - tickLength)
	a.want()
	x.pass(tickLength)
	a.want("end")
	if x.left != 1 || x.shards[0].sessions.used() != 0 {
		t.Fatalf("%d places left, %d sessions are used", x.left, x.shards[0].sessions.used())
	}
}

func TestAClientThatAnswersPingsStays(t *testing.T) {
	x := byHand(t, timed(), &hooks{})
	a := x.connect("a")
	for range 10 {
		x.pass(2 * time.Second)
		a.want("ping ")
		a.write(frame.AppendMasked(nil, frame.OpPong, mask, nil))
		x.turn(1)
	}
	a.want()
}

func TestAClientThatTalksIsNotPinged(t *testing.T) {
	x := byHand(t, timed(), &hooks{}, toSender)
	a := x.connect("a")
	for range 20 {
		x.pass(time.Second)
		a.send(`{"type":4}`)
		x.turn(1)
		a.want(`{"type":5}`)
	}
	x.pass(1750 * time.Millisecond)
	a.want()
	x.pass(time.Second)
	a.want("ping ")
}

func TestTimeoutsLongerThanTheWheel(t *testing.T) {
	opt := oneShard()
	opt.PingEvery, opt.IdleTimeout = 300*time.Second, 500*time.Second // the wheel holds 128
	x := byHand(t, opt, &hooks{})
	a := x.connect("a")
	x.pass(300*time.Second - tickLength)
	a.want()
	x.pass(tickLength)
	a.want("ping ")
	x.pass(200*time.Second - tickLength)
	a.want()
	x.pass(tickLength)
	a.want("close 4009")
}

func TestAMessageMustArriveInTime(t *testing.T) {
	h := &hooks{}
	why := farewells(h)
	x := byHand(t, timed(), h, toSender)
	a := x.connect("a")
	x.pass(time.Second)
	whole := frame.AppendMasked(nil, frame.OpText, mask, []byte(`{"type":4}`))
	for range 3 { // dripping does not buy time, whole messages do
		a.write(whole[:3])
		x.pass(500 * time.Millisecond)
		a.write(whole[3:6])
		x.pass(250 * time.Millisecond)
		a.want()
		a.write(whole[6:])
		x.turn(1)
		a.want(`{"type":5}`)
	}
	a.write(whole[:3])
	x.turn(1)
	x.pass(750 * time.Millisecond)
	a.write(whole[3:6])
	x.turn(1)
	a.want()
	x.pass(250 * time.Millisecond)
	a.want("close 4010")
	wantList(t, *why, "a stalled")
	// The rest of that message and the answer to the close frame are understood.
	a.write(whole[6:])
	a.sendClose(4010)
	x.turn(1)
	a.want("end")
	if x.left != 1 {
		t.Fatal("it was not understood")
	}
}

// A client that sends without a pause is never seen between two messages.
func TestAMessageIsInTimeThoughTheNextHasBegun(t *testing.T) {
	x := byHand(t, timed(), &hooks{})
	a := x.connect("a")
	whole := masked(`{"type":4}`)
	a.write(whole[:3])
	for range 20 {
		x.pass(500 * time.Millisecond)
		a.write(whole[3:])
		a.write(whole[:3])
		x.turn(1)
		a.want(`{"type":5}`)
	}
	// Control frames inside a message do not buy time.
	a.write(whole[3:])
	x.turn(1)
	a.want(`{"type":5}`)
	first := masked(`{"type":4}`)
	first[0] &^= 0x80 // to be continued
	a.write(first)
	for range 3 {
		x.turn(1)
		x.pass(250 * time.Millisecond)
		a.write(frame.AppendMasked(nil, frame.OpPong, mask, nil))
	}
	x.pass(250 * time.Millisecond)
	a.want("close 4010")
}

func TestAMessageThatTheGatewayDoesNotReadIsNotLate(t *testing.T) {
	held := &holder{}
	x := byHand(t, timed(), &hooks{}, held, toSender)
	a := x.connect("a")
	a.send(`{"type":0,"messageId":"1","data":"hold"}`)
	x.turn(1)
	a.send(`{"type":0,"messageId":"2","data":2}`)
	x.pass(30 * time.Second)
	for _, g := range a.got() {
		if g != "ping " {
			t.Fatalf("got %s while the first message was held", g)
		}
	}
	held.resume()
	x.turn(2)
	a.want(`{"type":0,"seq":1,"from":"a","messageId":"1","data":"hold"}`,
		`{"type":1,"messageId":"1","stored":"memory","status":"delivered"}`,
		`{"type":0,"seq":2,"from":"a","messageId":"2","data":2}`,
		`{"type":1,"messageId":"2","stored":"memory","status":"delivered"}`)
}

func TestAClientThatReadsSlowlyIsAlive(t *testing.T) {
	x := byHand(t, timed(), &hooks{})
	from, slow := x.connect("from"), x.connect("slow")
	body := make([]byte, 60<<10)
	for i := range body {
		body[i] = 'x'
	}
	for range 8 {
		from.sendAll(x, `{"type":0,"to":"slow","data":"`+string(body)+`"}`)
	}
	slow.sendAll(x, `{"type":4}`)
	buf := make([]byte, 8<<10)
	for range 15 { // 480 KB take 30 seconds
		x.pass(time.Second)
		slow.skip(buf)
		from.send(`{"type":4}`)
		x.turn(1)
	}
	if slow.c.state != open {
		t.Fatal("it was closed")
	}
	x.pass(5 * time.Second)
	if slow.c.state == open {
		t.Fatal("it reads no more and was not closed")
	}
}

func TestThePeerThatDoesNotAnswerACloseIsCutOff(t *testing.T) {
	x := byHand(t, oneShard(), &hooks{})
	a := x.connect("a")
	b := x.connect("a")
	a.want("close 4001")
	for range 12 { // it talks on instead
		a.send(`{"type":4}`)
		x.pass(tickLength)
	}
	a.want("end")
	b.send(`{"type":4}`)
	x.turn(1)
	b.want(`{"type":5}`)
}

func TestTicksRunOncePerSecondOnTheFirstShard(t *testing.T) {
	var at []int64
	opt := options()
	x := byHand(t, opt, &hooks{tick: func(now int64) { at = append(at, now) }})
	x.pass(3500 * time.Millisecond)
	if len(at) != 3 || at[0] != 1700000001000 || at[2] != 1700000003000 {
		t.Fatalf("ticked at %v", at)
	}
}
