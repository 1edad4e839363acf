//go:build !race

package load

import (
	"strconv"
	"testing"
)

func TestReceivingAMessageDoesNotAllocate(t *testing.T) {
	receiving(t, false)
}

func TestAcknowledgingAMessageDoesNotAllocate(t *testing.T) {
	receiving(t, true)
}

func receiving(t *testing.T, reliable bool) {
	f, err := newFleet(target{}, 2, 1, func(int) string { return "bench" })
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	c, w := f.conns[1], f.workers[0]
	c.from = f.conns[0]
	f.traffic = &traffic{window: 1, copies: 1}
	w.time(0, 1)
	text, err := newTemplate(c.from.origin, "", "", MinSize)
	if err != nil {
		t.Fatal(err)
	}
	f.reliable = reliable
	c.blocked = true // what it sends is kept
	seq := []byte(seqMark + "000000000,")
	acks := 0
	n := uint32(0)
	allocs := testing.AllocsPerRun(1000, func() {
		text.stamp(n)
		n++
		c.from.sent.Store(n)
		plain := text.frame[len(text.frame)-MinSize:]
		for i := range plain {
			plain[i] ^= maskByte
		}
		if reliable {
			// The template has no seq: it is settled by hand, as took does.
			w.line = strconv.AppendUint(w.line[:0], uint64(n)+1_000_000_000, 10)
			copy(seq[len(seqMark):], w.line[1:])
			if !w.took(c, seq) {
				t.Fatal("it was taken for an old one")
			}
			f.reliable = false
		}
		w.text(c, plain)
		f.reliable = reliable
		if len(c.out) > 0 {
			acks++
			c.out = c.out[:0]
		}
		for i := range plain {
			plain[i] ^= maskByte
		}
	})
	if want := uint64(n) / ackEvery; reliable && (uint64(acks) != want || c.settled.upto != uint64(n)) {
		t.Errorf("%d acknowledgements of %d messages, up to %d", acks, n, c.settled.upto)
	}
	if allocs != 0 || w.Delivered != uint64(n) {
		t.Errorf("%v allocations a message, %d of %d delivered", allocs, w.Delivered, n)
	}
}
