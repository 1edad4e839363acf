package frame

import (
	"errors"
	"strings"
	"testing"
)

func TestAMessageKeepsTheBoundItBeganUnder(t *testing.T) {
	r := NewReader(Config{MaxMessage: 1000})
	var p *Partial
	first := masked(OpText, strings.Repeat("x", 600))
	if _, _, ok, err := r.Next(&p, false, first); ok || err != nil {
		t.Fatal(ok, err)
	}
	r.SetMaxMessage(100)
	more := masked(OpContinuation, strings.Repeat("x", 400))
	if _, _, _, err := r.Next(&p, false, more); err != nil {
		t.Fatalf("within the bound from before: %v", err)
	}
	if ev, _, ok, err := r.Next(&p, false, masked(finBit|OpContinuation, "")); !ok || err != nil || len(ev.Payload) != 1000 {
		t.Fatalf("%d bytes, %v, %v", len(ev.Payload), ok, err)
	}
	var big *CloseError
	if _, _, _, err := r.Next(&p, false, masked(finBit|OpText, strings.Repeat("x", 101))); !errors.As(err, &big) || big.Code != CloseTooBig {
		t.Errorf("the next message: %v", err)
	}
	p = nil
	if _, _, ok, err := r.Next(&p, false, masked(finBit|OpText, strings.Repeat("x", 100))); !ok || err != nil {
		t.Errorf("within the new bound: %v", err)
	}

	// Nor is there more room than before for one that has outgrown the new bound.
	r.SetMaxMessage(1000)
	if _, _, _, err := r.Next(&p, false, masked(OpText, strings.Repeat("x", 600))); err != nil {
		t.Fatal(err)
	}
	r.SetMaxMessage(10)
	if _, _, _, err := r.Next(&p, false, masked(OpContinuation, strings.Repeat("x", 401))); !errors.As(err, &big) || big.Code != CloseTooBig {
		t.Errorf("beyond the bound from before: %v", err)
	}
}
