package shard

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

func TestAFloodDoesNotKeepOthersWaiting(t *testing.T) {
	x := byHand(t, oneShard(), &hooks{}, toSender)
	flood, b := x.connect("flood"), x.connect("b")
	grow(t, flood, 1<<20)
	pongs := 0
	var burst []byte
	for range 1000 {
		burst = append(burst, masked(`{"type":4}`)...)
	}
	flood.write(burst)
	for turn := range 16 {
		b.send(`{"type":4}`)
		x.turn(1)
		b.want(`{"type":5}`)
		n := len(flood.got())
		if n > turnMessages || turn < 15 && n != turnMessages {
			t.Fatalf("%d messages of one client were handled in turn %d", n, turn)
		}
		pongs += n
	}
	if pongs != 1000 {
		t.Fatalf("%d were answered", pongs)
	}
}

// Fan-outs fill a turn before all senders have had theirs. Those that had to
// wait come first in the next turn, so every sender gets its share.
func TestAFanOutDoesNotKeepOthersWaiting(t *testing.T) {
	handled := map[string]int{}
	x := byHand(t, oneShard(), &hooks{}, stageFunc(func(m *core.Message) (core.Verdict, error) {
		handled[m.From.ID]++
		m.Effects.Targets = append(m.Effects.Targets, core.Target{Kind: core.ToPrefix, Name: "member-"})
		return core.Next, nil
	}))
	s := x.shards[0]
	const members, senders, each = 512, 4, 60
	for i := range members {
		x.connect(fmt.Sprint("member-", i))
	}
	var all []*end
	for i := range senders {
		all = append(all, x.connect(fmt.Sprint("s", i)))
	}
	for _, a := range all {
		a.send(slices.Repeat([]string{`{"type":0,"data":1}`}, each)...)
	}
	const perTurn = turnDeliveries / members
	for turn := 1; turn <= senders*each/perTurn+2; turn++ {
		before := s.count.In
		x.turn(1)
		if n := s.count.In - before; n > perTurn {
			t.Fatalf("%d fan-outs in turn %d", n, turn)
		}
		if turn == senders+1 && len(handled) != senders {
			t.Fatalf("after %d turns only %v were heard", turn, handled)
		}
	}
	for id, n := range handled {
		if n != each {
			t.Fatalf("%d messages of %s were handled", n, id)
		}
	}
}

// Two shards whose clients flood each other with messages for clients that do
// not read: what is in flight is bounded, the sockets are not read, and it
// all goes on when the other shard has caught up.
func TestAShardThatIsAheadOfItsPeerStopsReading(t *testing.T) {
	opt := options()
	opt.MaxMessage, opt.QueueBytes = 1<<20, 1<<20
	x := byHand(t, opt, &hooks{})
	ahead, behind := x.shards[0], x.shards[1]
	const senders = 16
	to := x.connect(x.idOn(1, "to"))
	var all []*end
	var wire [][]byte
	for i := range senders {
		a := x.connect(x.idOn(0, fmt.Sprint("from", i, "-")))
		grow(t, a, 1<<20)
		all = append(all, a)
		var b []byte
		for j := range 8 {
			b = append(b, masked(blob(to.c.ID, j, 120<<10, ""))...)
		}
		wire = append(wire, b)
	}
	turn := func(s *Shard) {
		for i, a := range all {
			if len(wire[i]) > 0 {
				wire[i] = wire[i][a.put(wire[i]):]
			}
		}
		s.step(s.poll.wait(0), x.now)
	}
	for range 200 { // the other one makes no turn
		turn(ahead)
		if n := ahead.peers[1].inFlight; n > peerBytes+2*batchBytes {
			t.Fatalf("%d bytes are in flight", n)
		}
	}
	if !ahead.stuck || ahead.count.Stalls == 0 {
		t.Fatal("it is not stuck")
	}
	reads := ahead.count.Reads
	for range 50 {
		turn(ahead)
	}
	if ahead.count.Reads != reads {
		t.Fatalf("it read %d times while it was stuck", ahead.count.Reads-reads)
	}
	if n := ahead.poll.wait(0); n != 0 {
		t.Fatalf("%d sockets are reported again and again while it is stuck", n)
	}
	for range 400 {
		turn(ahead)
		turn(behind)
	}
	answered := 0
	for i, a := range all {
		if len(wire[i]) > 0 {
			t.Fatalf("%d bytes of client %d were not read", len(wire[i]), i)
		}
		answered += len(a.got())
	}
	if answered != 8*senders || ahead.stuck || ahead.peers[1].inFlight != 0 {
		t.Fatalf("%d messages were answered, %d bytes are in flight", answered, ahead.peers[1].inFlight)
	}
	if w := to.c.out.waiting(); w > opt.QueueBytes {
		t.Fatalf("%d bytes wait for the client that does not read", w)
	}
}

func TestAShardWithTooManyFlightsStopsReading(t *testing.T) {
	x := byHand(t, options(), &hooks{})
	s := x.shards[0]
	a := x.connect(x.idOn(0, "a"))
	for range maxFlights {
		s.flights.take()
	}
	s.step(0, x.now)
	a.send(`{"type":4}`)
	s.step(s.poll.wait(0), x.now)
	s.step(s.poll.wait(0), x.now)
	a.want()
	s.flights.give(7)
	s.step(0, x.now)
	s.step(s.poll.wait(0), x.now)
	s.step(s.poll.wait(0), x.now)
	a.want(`{"type":5}`)
}

// Of a client whose message is held, at most one read is kept; the rest stays
// in its socket.
func TestAHeldClientIsNotReadAhead(t *testing.T) {
	h := &holder{}
	x := byHand(t, oneShard(), &hooks{}, h, toSender)
	a := x.connect("a")
	grow(t, a, 1<<20)
	burst := masked(`{"type":0,"messageId":"0","data":"hold"}`)
	sent := 1
	for ; len(burst) < 3*readBytes; sent++ {
		burst = append(burst, masked(fmt.Sprintf(`{"type":0,"messageId":"%d","data":%d}`, sent, sent))...)
	}
	for len(burst) > 0 {
		n := a.put(burst)
		if burst = burst[n:]; n == 0 {
			break
		}
		x.turn(1)
	}
	rest := len(burst)
	x.turn(10)
	if !a.c.deaf || len(a.c.in.buf)-a.c.in.off > readBytes || x.shards[0].count.In != 1 {
		t.Fatalf("deaf: %v, %d bytes are kept, %d messages were handled", a.c.deaf, len(a.c.in.buf), x.shards[0].count.In)
	}
	h.resume()
	var got []string
	for len(got) < 2*sent {
		before := len(got)
		x.turn(1)
		if len(burst) > 0 {
			burst = burst[a.put(burst):]
		}
		if got = append(got, a.got()...); len(got) == before && x.shards[0].sessions.used() == 0 {
			t.Fatal("it has gone")
		}
		if x.shards[0].turn > 10000 {
			t.Fatalf("%d of %d frames arrived; %d bytes were not taken at first", len(got), 2*sent, rest)
		}
	}
	for i := range sent {
		if got[2*i+1] != acked(fmt.Sprint(i), "delivered") {
			t.Fatalf("got %s where the acknowledgement of %d is due", got[2*i+1], i)
		}
	}
}
