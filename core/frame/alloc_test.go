package frame

import (
	"slices"
	"strings"
	"testing"
)

// Nothing on a message's way allocates once the free list is warm.
func TestAllocations(t *testing.T) {
	if underRace {
		t.Skip("the race detector allocates")
	}
	r := NewReader(Config{MaxMessage: maxMessage})
	json := strings.Repeat(`{"type":0,"data":"é"}`, 6)
	f := func(name string, deflate bool, events int, pieces ...[]byte) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			scratch := make([]byte, 4096)
			var p *Partial
			got := testing.AllocsPerRun(100, func() {
				seen := 0
				for _, piece := range pieces {
					in := scratch[:copy(scratch, piece)]
					for {
						_, n, ok, err := r.Next(&p, deflate, in)
						if err != nil {
							t.Fatal(err)
						}
						if !ok {
							break
						}
						in = in[n:]
						seen++
					}
				}
				if seen != events || p != nil {
					t.Fatalf("%d events, want %d", seen, events)
				}
			})
			if got != 0 {
				t.Errorf("%v allocations", got)
			}
		})
	}
	message := masked(fin|OpText, json)
	ping := masked(fin|OpPing, "are you there")
	f("whole messages", false, 3, slices.Concat(message, message, message))
	f("a ping", false, 1, ping)
	f("a close", false, 1, masked(fin|OpClose, closing(1000, "bye")))
	f("a message in two pieces", false, 1, message[:50], message[50:])
	f("a header in two pieces", false, 1, message[:3], message[3:])
	f("a ping in two pieces", false, 1, ping[:9], ping[9:])
	f("fragments and a ping in pieces", false, 2, masked(OpText, json), ping[:9], ping[9:], masked(fin, json))
	f("a compressed message", true, 1, masked(fin|deflated|OpText, deflate(json)))
}

func TestWritingDoesNotAllocate(t *testing.T) {
	if underRace {
		t.Skip("the race detector allocates")
	}
	payload := []byte(strings.Repeat(`{"type":0,"data":"é"}`, 6))
	d := NewDeflater()
	dst := make([]byte, 0, 4096)
	f := func(name string, write func()) {
		t.Helper()
		if got := testing.AllocsPerRun(100, write); got != 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
	f("AppendFrame", func() { AppendFrame(dst, OpText, payload) })
	f("AppendMasked", func() { AppendMasked(dst, OpText, key, payload) })
	f("AppendClose", func() { AppendClose(dst, 4001, "replaced by a newer connection") })
	f("Deflater.AppendFrame", func() { d.AppendFrame(dst, OpText, payload) })
}
