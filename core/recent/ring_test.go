package recent

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func TestTheNewestAreKeptInOrderAndTheOthersAreSaidToGo(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	r := New(Least + 5)
	gone := 0
	var all [][]byte
	r.Evict = func(entry []byte) {
		if !bytes.Equal(entry, all[gone]) {
			t.Fatalf("entry %d goes as %q, and was %q", gone, entry, all[gone])
		}
		gone++
	}
	for i := range 5000 {
		entry := bytes.Repeat([]byte{byte(i), byte(i >> 8)}, 1+random.IntN(200))
		if !r.Add(entry) {
			t.Fatalf("an entry of %d bytes is too large", len(entry))
		}
		all = append(all, entry)
		if i%50 > 0 {
			continue
		}
		at := gone
		for next, done := uint64(0), false; !done; {
			next, done = r.Each(next, 1+random.IntN(2000), func(entry []byte) {
				if !bytes.Equal(entry, all[at]) {
					t.Fatalf("after %d entries number %d is another one", i, at)
				}
				at++
			})
		}
		if at != len(all) {
			t.Fatalf("after %d entries it ends with number %d", i, at)
		}
	}
	if r.Bytes() > Least+5 || r.Bytes() < Least/2 {
		t.Errorf("it holds %d bytes", r.Bytes())
	}
}

func TestWhatIsTooLargeIsNotKept(t *testing.T) {
	f := func(size, entry int, want bool) {
		t.Helper()
		if r := New(size); r.Add(make([]byte, entry)) != want {
			t.Errorf("a ring of %d bytes and an entry of %d: want %v", size, entry, want)
		}
	}
	f(0, 1, false)
	f(Least-1, 1, false)
	f(Least, Least/4-head, true)
	f(Least, Least/4-head+1, false)
}
