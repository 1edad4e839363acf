//go:build !race

package load

import (
	"testing"
)

func TestReceivingAMessageDoesNotAllocate(t *testing.T) {
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
	n := uint32(0)
	allocs := testing.AllocsPerRun(1000, func() {
		text.stamp(n)
		n++
		c.from.sent.Store(n)
		plain := text.frame[len(text.frame)-MinSize:]
		for i := range plain {
			plain[i] ^= maskByte
		}
		w.text(c, plain)
		for i := range plain {
			plain[i] ^= maskByte
		}
	})
	if allocs != 0 || w.Delivered != uint64(n) {
		t.Errorf("%v allocations a message, %d of %d delivered", allocs, w.Delivered, n)
	}
}
