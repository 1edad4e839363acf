package arena

import (
	"math/rand/v2"
	"testing"
	"unsafe"
)

type record struct {
	next, seq uint32
	at        uint64
	key       [3]uint64
}

func TestAPoolHoldsNoPointers(t *testing.T) {
	b := unlimited()
	NewPool[record](b)
	NewPool[[4]struct{ a, b uint16 }](b)
	NewPool[struct {
		a uintptr
		b complex128
		c [0]*int
	}](b)
	wantPanic(t, "hold pointers", func() { NewPool[*record](b) })
	wantPanic(t, "hold pointers", func() { NewPool[string](b) })
	wantPanic(t, "hold pointers", func() { NewPool[struct{ a [2]struct{ b []byte } }](b) })
	wantPanic(t, "hold pointers", func() { NewPool[struct{ a unsafe.Pointer }](b) })
	wantPanic(t, "hold pointers", func() { NewPool[any](b) })
	wantPanic(t, "hold pointers", func() { NewPool[struct{ f func() }](b) })
	wantPanic(t, "hold pointers", func() { NewPool[struct{ m map[int]int }](b) })
	wantPanic(t, "hold pointers", func() { NewPool[chan int](b) })
	wantPanic(t, "too large", func() { NewPool[[chunkBytes/2 + 1]byte](b) })
	if b.Used() != 0 {
		t.Fatalf("%d bytes leased for nothing", b.Used())
	}
}

func TestAPoolAgainstAModel(t *testing.T) {
	b := unlimited()
	p := NewPool[record](b)
	r := rand.New(rand.NewPCG(2, 3))
	live := map[uint32]uint64{}
	var order []uint32
	for round := range 3 {
		for range 50_000 {
			if r.IntN(3) == 0 && len(order) > 0 {
				at := r.IntN(len(order))
				index := order[at]
				order[at] = order[len(order)-1]
				order = order[:len(order)-1]
				if got := p.At(index); got.at != live[index] || got.key[2] != ^live[index] {
					t.Fatalf("record %d was overwritten: %v", index, *got)
				}
				p.Put(index)
				delete(live, index)
				continue
			}
			index, ok := p.Get()
			if _, twice := live[index]; !ok || index == 0 || twice {
				t.Fatalf("record %d, %v, handed out before: %v", index, ok, twice)
			}
			if got := p.At(index); *got != (record{}) {
				t.Fatalf("record %d is not of zeroes: %v", index, *got)
			}
			mark := r.Uint64()
			*p.At(index) = record{next: 1, seq: 2, at: mark, key: [3]uint64{3, 4, ^mark}}
			live[index] = mark
			order = append(order, index)
		}
		if round == 0 && b.Used() < int64(len(order))*int64(unsafe.Sizeof(record{})) {
			t.Fatalf("%d bytes leased for %d records", b.Used(), len(order))
		}
	}
	for _, index := range order {
		p.Put(index)
	}
	if b.Used() != int64(p.bytes) || len(p.chunks) != 1 {
		t.Fatalf("an empty pool has %d bytes leased in %d chunks", b.Used(), len(p.chunks))
	}
	if index, ok := p.Get(); !ok || index != 1 {
		t.Fatalf("got %d, %v", index, ok)
	}
	p.Close()
	if b.Used() != 0 {
		t.Fatalf("%d bytes stay leased", b.Used())
	}
	if _, ok := p.Get(); !ok {
		t.Fatal("a closed pool is not as new")
	}
	p.Close()
}

func TestRecordsOfAllSizesStandApart(t *testing.T) {
	pool[uint8](t, 4)
	pool[uint16](t, 4)
	pool[uint32](t, 4)
	pool[[5]byte](t, 8)
	pool[uint64](t, 8)
	pool[struct{}](t, 4)
	pool[[20]byte](t, 20)
	pool[[3]uint64](t, 24)
	pool[[chunkBytes / 2]byte](t, chunkBytes/2)
}

func pool[T any](t *testing.T, stride uintptr) {
	t.Helper()
	p := NewPool[T](unlimited())
	defer p.Close()
	last := uintptr(0)
	inChunk := 1<<p.shift - 1 // record 0 is none
	for range inChunk {
		index, ok := p.Get()
		at := uintptr(unsafe.Pointer(p.At(index)))
		if !ok || last != 0 && at != last+stride {
			t.Fatalf("%T: record %d is at %#x after one at %#x", *new(T), index, at, last)
		}
		last = at
	}
	if p.bytes < int(stride)<<p.shift || len(p.chunks) > 1 {
		t.Fatalf("%T: %d records of %d bytes in a chunk of %d", *new(T), 1<<p.shift, stride, p.bytes)
	}
	if index, ok := p.Get(); !ok || index>>p.shift != uint32(len(p.chunks)-1) {
		t.Fatalf("%T: record %d, %v of another chunk", *new(T), index, ok)
	}
}

func TestAPoolKeepsToTheBudget(t *testing.T) {
	b := limited(3*chunkBytes - 1)
	p := NewPool[uint64](b)
	defer p.Close()
	n := 0
	for {
		if _, ok := p.Get(); !ok {
			break
		}
		n++
	}
	if n != 2*chunkBytes/8-1 || b.Used() != 2*chunkBytes {
		t.Fatalf("%d records, %d bytes leased", n, b.Used())
	}
	p.Put(7)
	if index, ok := p.Get(); !ok || index != 7 {
		t.Fatalf("got %d, %v", index, ok)
	}
}

func TestPuttingBackWhatWasNotHandedOutPanics(t *testing.T) {
	p := NewPool[record](unlimited())
	defer p.Close()
	wantPanic(t, "record 0", func() { p.Put(0) })
	wantPanic(t, "record 1", func() { p.Put(1) })
	index, _ := p.Get()
	p.Put(index)
	wantPanic(t, "record 1", func() { p.Put(index) }) // none is out
}
