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

func TestWhatIsSparedGoesToTheBack(t *testing.T) {
	r := New(Least)
	var gone []byte
	r.Evict = func(entry []byte) { gone = append(gone, entry[0]) }
	count := func() map[byte]int {
		n := map[byte]int{}
		r.Each(0, Least, func(entry []byte) { n[entry[0]]++ })
		return n
	}
	add := func(kind byte, size int, keep func([]byte) bool) {
		r.Rotate(size, keep)
		r.Add(bytes.Repeat([]byte{kind}, size))
	}
	upper := func(entry []byte) bool { return entry[0] < 'a' }
	for i := range 20 {
		add("Aa"[i&1], 400, upper)
	}
	for range 200 {
		add('b', 330, upper)
	}
	if n := count(); n['A'] < 9 || n['a'] != 0 || n['b'] < 20 { // one may go where the ring has its seam
		t.Errorf("it holds %v", n)
	}
	gone = nil
	add('b', 4000, func([]byte) bool { return true })
	if n := count(); n['b'] == 0 || len(gone) == 0 {
		t.Errorf("where all are spared, the oldest go: %q are gone, and it holds %v", gone, n)
	}
}
