package frame

import (
	"strings"
	"testing"
)

// A stranger who declares much and sends little costs little.
func TestPartialGrowsWithWhatArrived(t *testing.T) {
	l := dial(t, Config{MaxMessage: 1 << 20}, false)
	wire := masked(fin|OpText, strings.Repeat("x", 1<<20))
	l.feed(wire[:14])
	if size := l.p.Size(); size > 256 {
		t.Errorf("%d bytes held for a header", size)
	}
	for at, step := 14, 100; at+step < len(wire); at, step = at+step, step*2 {
		l.feed(wire[at : at+step])
		if size, most := l.p.Size(), 256+2*(at+step); size > most {
			t.Errorf("%d bytes held for %d that arrived", size, at+step)
		}
	}
	same(t, l.end(), "open")
}

// Text that drips is checked as it comes: at most the beginning of one rune
// waits for the next byte.
func TestDrippedTextIsNotScannedAgain(t *testing.T) {
	l := dial(t, Config{MaxMessage: maxMessage}, false)
	wire := masked(fin|OpText, strings.Repeat("aé€😀", 1000))
	for i, c := range wire[:len(wire)-1] {
		l.feed([]byte{c})
		if waits := len(l.p.message) - l.p.valid; waits > 3 {
			t.Fatalf("%d bytes are not checked after byte %d", waits, i)
		}
	}
}

func TestSizeOfNoPartialIsZero(t *testing.T) {
	var p *Partial
	if p.Size() != 0 {
		t.Errorf("got %d", p.Size())
	}
}

// Release recycles a bounded number of Partials, and only small buffers.
func TestRelease(t *testing.T) {
	r := NewReader(Config{MaxMessage: maxMessage})
	begin := func(n int) *Partial {
		var p *Partial
		in := masked(OpText, strings.Repeat("x", n))
		if _, used, ok, err := r.Next(&p, false, in); used != len(in) || ok || err != nil {
			t.Fatal(used, ok, err)
		}
		return p
	}
	var held []*Partial
	for i := range 2 * maxFree {
		held = append(held, begin(i%2*2*maxFreeSize))
	}
	for _, p := range held {
		r.Release(&p)
		if p != nil {
			t.Fatal("the connection keeps what it gave back")
		}
	}
	if len(r.free) != maxFree {
		t.Errorf("%d Partials kept, want %d", len(r.free), maxFree)
	}
	for _, p := range r.free {
		if cap(p.message) > maxFreeSize {
			t.Errorf("a buffer of %d bytes is kept", cap(p.message))
		}
		if p.inMessage || p.headLen != 0 || p.frame != (header{}) || len(p.message) != 0 || p.valid != 0 {
			t.Errorf("something is left of the last connection: %+v", p)
		}
	}
	var none *Partial
	r.Release(&none)
}

// The event of a message that came in pieces stays good until the next call,
// although its Partial is back in the free list.
func TestPayloadOutlivesItsPartial(t *testing.T) {
	r := NewReader(Config{MaxMessage: maxMessage})
	var p, other *Partial
	in := masked(fin|OpText, "hello")
	r.Next(&p, false, in[:8])
	r.Next(&other, false, []byte{0x81})
	ev, _, ok, err := r.Next(&p, false, in[8:])
	r.Release(&other)
	if !ok || err != nil || p != nil || string(ev.Payload) != "hello" {
		t.Errorf("got %q %v %v", ev.Payload, ok, err)
	}
}

// An event in place cannot be appended to over the next frame.
func TestPayloadIsCut(t *testing.T) {
	r := NewReader(Config{MaxMessage: maxMessage})
	var p *Partial
	in := append(masked(fin|OpText, "hello"), masked(fin|OpText, "world")...)
	ev, n, _, _ := r.Next(&p, false, in)
	_ = append(ev.Payload, "and so on"...)
	ev, _, _, _ = r.Next(&p, false, in[n:])
	if string(ev.Payload) != "world" {
		t.Errorf("got %q", ev.Payload)
	}
}
