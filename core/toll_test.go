package core

import "testing"

func TestABucketOfATollIsAnEighthWide(t *testing.T) {
	last := -1
	for _, n := range []int{0, 1, 15, 16, 17, 18, 31, 32, 99, 100, 260, 500, 65_535, 65_536, 100_000, 1 << 26, 1<<27 - 1} {
		w := weightOf(n)
		least, below := floorOf(w), floorOf(w+1)
		if w < last || n < least || n >= below {
			t.Errorf("%d is in bucket %d, of %d to %d", n, w, least, below)
		}
		if n >= 16 && (below-least)*8 > least {
			t.Errorf("the bucket of %d reaches from %d to %d", n, least, below)
		}
		last = w
	}
	if w := weightOf(1<<31 - 1); w != weights-1 {
		t.Errorf("what no bucket reaches is in bucket %d of %d", w, weights)
	}
}

func TestATollKnowsWhatOneMessageInAHundredTakes(t *testing.T) {
	f := func(many, few int, wantLeast, wantBelow int) {
		t.Helper()
		var toll, other Toll
		for range 970 {
			toll.Count(many, false)
		}
		for range 30 {
			other.Count(few, false)
		}
		toll.Add(&other)
		if least, below := toll.P99(); least != wantLeast || below != wantBelow {
			t.Errorf("%d, and %d of 3%%: from %d to %d, want %d to %d", many, few, least, below, wantLeast, wantBelow)
		}
	}
	f(3, 260, 256, 288)
	f(3, 500, 480, 512)
	f(500, 3, 480, 512)
	f(0, 0, 0, 1)
	if least, below := new(Toll).P99(); least != 0 || below != 0 {
		t.Errorf("of no message it is %d to %d", least, below)
	}
}

func TestClientsAreCountedOnce(t *testing.T) {
	var a, b Clients
	a.Add(1)
	a.Add(2)
	a.Add(1)
	b.Add(2)
	b.Add(3)
	a.addAll(&b)
	if a.Len() != 3 {
		t.Errorf("there are %d", a.Len())
	}
	for i := range uint64(100) {
		a.Add(i)
	}
	if a.Len() != MostClients {
		t.Errorf("there are %d", a.Len())
	}
}
