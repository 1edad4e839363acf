package shard

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestTicksRoundUp(t *testing.T) {
	f := func(d time.Duration, want uint32) {
		t.Helper()
		if got := ticks(d); got != want {
			t.Errorf("%v: got %d, want %d", d, got, want)
		}
	}
	f(0, 1)
	f(1, 1)
	f(tickLength, 1)
	f(tickLength+1, 2)
	f(75*time.Second, 300)
	f(1<<32*tickLength, maxTicks) // what would be 0 in 32 bits
	f(1<<63-1, maxTicks)
}

// Sessions fire at their tick, or early when it is further than the wheel
// reaches; those that were cancelled or scheduled anew do not.
func TestTheWheelAgainstAModel(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var w wheel
	var all slab
	w.init()
	due := map[*session]uint32{}
	var sessions []*session
	for range 600 {
		c := all.take()
		c.state = open
		sessions = append(sessions, c)
	}
	fired := 0
	for range 3000 {
		for range r.IntN(8) {
			c := sessions[r.IntN(len(sessions))]
			switch r.IntN(4) {
			case 0:
				w.cancel(&all, c)
				delete(due, c)
			case 1:
				at := w.now + uint32(r.IntN(2000))
				w.schedule(&all, c, at)
				due[c] = min(max(at, w.now+1), w.now+wheelSlots-1)
			default:
				at := w.now + uint32(r.IntN(20))
				w.schedule(&all, c, at)
				due[c] = max(at, w.now+1)
			}
		}
		w.next()
		for c := w.pop(&all); c != nil; c = w.pop(&all) {
			if due[c] != w.now {
				t.Fatalf("at tick %d one fires that is due at %d", w.now, due[c])
			}
			delete(due, c)
			fired++
		}
		for c, at := range due {
			if at <= w.now {
				t.Fatalf("slot %d is due at %d and did not fire until %d", c.slot, at, w.now)
			}
		}
	}
	if fired < 1000 {
		t.Fatalf("only %d fired", fired)
	}
}

func TestASlotIsUsedAgainUnderAnotherSerial(t *testing.T) {
	var all slab
	c := all.take()
	c.state = open
	slot, serial := c.slot, c.serial
	if all.find(slot, serial) != c || all.used() != 1 {
		t.Fatal("it is not found")
	}
	all.give(c)
	if all.find(slot, serial) != nil || all.used() != 0 {
		t.Fatal("it is found after its end")
	}
	d := all.take()
	d.state = open
	if d != c || all.find(slot, serial) != nil || all.find(slot, serial+1) != d {
		t.Fatal("the slot does not tell its users apart")
	}
	for _, stranger := range []uint32{slabChunk, none} {
		if all.find(stranger, 0) != nil {
			t.Fatalf("slot %d is found", stranger)
		}
	}
	seen := 0
	for range slabChunk {
		all.take().state = open
	}
	all.each(func(*session) { seen++ })
	if seen != slabChunk+1 || len(all.chunks) != 2 {
		t.Fatalf("%d sessions in %d chunks", seen, len(all.chunks))
	}
}
