package shard

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/wire"
)

// Whatever goes into a batch comes out of it: messages at their recipients,
// receipts at the flights that wait for them.
func FuzzBatch(f *testing.F) {
	f.Add("b", "", "body", byte(1), uint8(3), byte(0))
	f.Add("", "b", "", byte(0), uint8(0), byte(1))
	f.Add("b", strings.Repeat("n", 128), "\x00\xff", byte(7), uint8(200), byte(1))
	opt := oneShard()
	opt.QueueBytes = 1 << 30
	x := byHand(f, opt, &hooks{})
	s := x.shards[0]
	b := x.connect("b")
	other := &Shard{index: 0} // the producer; receipts go to index 0
	f.Fuzz(func(t *testing.T, first, second, body string, kind byte, n uint8, late byte) {
		if len(first) > 128 || len(second) > 128 || len(body) > 8<<10 {
			t.Skip("longer than names and messages are")
		}
		kinds := []core.TargetKind{core.ToClient, core.ToPrefix, core.ToGroup}
		targets := []core.Target{{Kind: kinds[int(kind)%3], Name: first}, {Kind: kinds[int(n)%3], Name: second}}
		slot, fl := s.flights.take()
		fl.shards, fl.receipt = 1, true
		counts := wire.Counts{Delivered: 1, Queued: uint32(n), Offline: 5, Refused: 1 << 31, Repeats: 3}

		batch := appendMessage(nil, entryMessage, 7, wantsReceipt, targets, []byte(body))
		batch = appendReceipt(batch, slot, counts, storedMemory, faultNone)
		for range n {
			batch = appendLate(batch, slot, late)
		}
		batch = appendMessage(batch, entryMessage, 8, 0, nil, nil)
		s.turn++
		if !s.unpack(&parcel{from: other, buf: batch}) {
			t.Fatal("the batch was not unpacked to its end")
		}

		if len(s.receipts) != 2 || s.receipts[0].slot != 7 || !s.receipts[0].wanted || s.receipts[1].slot != 8 || s.receipts[1].wanted {
			t.Fatalf("receipts are owed for %+v", s.receipts)
		}
		want := 0
		for _, to := range targets {
			if to.Name == "b" && to.Kind == core.ToClient || to.Kind == core.ToPrefix && strings.HasPrefix("b", to.Name) {
				want = 1
			}
		}
		if len(s.deliveries) != want {
			t.Fatalf("%d deliveries for %v, want %d", len(s.deliveries), targets, want)
		}
		if want == 1 {
			queued := string(b.c.out.buf)
			if !strings.HasSuffix(queued, fmt.Sprintf(`{"type":0,"seq":%d,%s`, b.c.seq, body)) {
				t.Fatalf("%q is queued for the body %q", queued, body)
			}
			s.dropOutbound(b.c)
		}
		if s.flights.late != 0 || len(s.flights.unused) != len(s.flights.slots) {
			t.Fatalf("the flight did not end after its %d late receipts", n)
		}
		clear(s.deliveries)
		s.deliveries, s.receipts = s.deliveries[:0], s.receipts[:0]
	})
}

func TestABatchIsUsedAgain(t *testing.T) {
	x := byHand(t, options(), &hooks{})
	a, b := x.connect(x.idOn(0, "a")), x.connect(x.idOn(1, "b"))
	for i := range 100 {
		a.send(fmt.Sprintf(`{"type":0,"messageId":"m","to":%q,"data":%d}`, b.c.ID, i))
		x.turn(4)
		b.want(fmt.Sprintf(`{"type":0,"seq":%d,"from":%q,"messageId":"m","data":%d}`, i+1, a.c.ID, i))
		a.want(acked("m", "delivered"))
	}
	for _, s := range x.shards {
		made := 0
		for p := s.blanks; p != nil; p = p.next {
			made++
		}
		if made != s.blankCount || made > 2 {
			t.Fatalf("%d batches were made, %d are counted", made, s.blankCount)
		}
		for i := range s.peers {
			if s.peers[i].inFlight != 0 {
				t.Fatalf("%d bytes are in flight to %d", s.peers[i].inFlight, i)
			}
		}
	}
}

// Fan-outs that come from another shard are bounded in a turn like those of the
// shard's own clients, and what waits is not given back: its sender stops in the
// end.
func TestFanOutsFromAnotherShardAreSpreadOverTurns(t *testing.T) {
	x := byHand(t, options(), &hooks{}, stageFunc(func(m *core.Message) (core.Verdict, error) {
		m.Effects.Targets = append(m.Effects.Targets, core.Target{Kind: core.ToPrefix, Name: "member-"})
		return core.Next, nil
	}))
	from, to := x.shards[0], x.shards[1]
	const members, fanOuts = 256, 40
	var one *end
	for i := range members {
		one = x.connect(x.idOn(1, fmt.Sprint("member-", i, "-")))
	}
	a := x.connect(x.idOn(0, "a"))
	a.send(slices.Repeat([]string{`{"type":0,"messageId":"m","data":1}`}, fanOuts)...)
	from.step(from.poll.wait(0), x.now)
	const perTurn = turnDeliveries / 2 / members
	for left := fanOuts; left > 0; left -= perTurn {
		before := one.c.seq
		to.step(to.poll.wait(0), x.now)
		if n := int(one.c.seq - before); n != min(left, perTurn) {
			t.Fatalf("%d fan-outs in a turn, want %d of the %d left", n, min(left, perTurn), left)
		}
		from.collect()
		if done := left <= perTurn; done != (from.peers[1].inFlight == 0) {
			t.Fatalf("%d bytes are in flight with %d fan-outs left", from.peers[1].inFlight, left-perTurn)
		}
	}
	if len(to.batches) != 0 {
		t.Fatalf("%d batches are left", len(to.batches))
	}
}

// Batches that a wave has left go when a tick has not needed them; few stay, with
// small buffers.
func TestBatchesThatNothingNeedsGo(t *testing.T) {
	x := byHand(t, options(), &hooks{})
	s := x.shards[0]
	use := func(n int) { // as many at the same time
		var all []*parcel
		for range n {
			p := s.blank()
			p.peer, p.buf = 1, make([]byte, 2*smallBlank)
			s.peers[1].inFlight += len(p.buf)
			all = append(all, p)
		}
		for _, p := range all {
			s.returned.push(p)
		}
	}
	f := func(count, large int) {
		t.Helper()
		s.thinBlanks()
		size := 0
		for p := s.blanks; p != nil; p = p.next {
			size += cap(p.buf)
		}
		if s.blankCount != count || size != large*2*smallBlank {
			t.Errorf("%d batches of %d bytes are left, want %d, and %d large ones", s.blankCount, size, count, large)
		}
	}
	use(keepBlanks)
	f(keepBlanks, keepBlanks) // they have just come back
	use(10)
	f(10, 10)
	f(fewBlanks, 0)
	use(2)
	f(fewBlanks, 2) // they may be needed again
	f(fewBlanks, 0)
}
