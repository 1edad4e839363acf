package arena

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// One block that comes and goes: its span is emptied each time.
func BenchmarkAllocFree(b *testing.B) {
	for _, size := range []int{64, 200, 256, 1000, 8000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			a := New(unlimited())
			defer a.Close()
			b.ReportAllocs()
			for b.Loop() {
				ref, _ := a.Alloc(size)
				a.Free(ref)
			}
		})
	}
}

// A queue of 100,000 messages of 100 to 300 bytes: one comes, the oldest goes.
func BenchmarkAllocFreeOfAQueue(b *testing.B) {
	a := New(unlimited())
	defer a.Close()
	r := rand.New(rand.NewPCG(1, 2))
	queue := make([]Ref, 100_000)
	sizes := make([]int, 1<<12)
	for i := range sizes {
		sizes[i] = 100 + r.IntN(200)
	}
	for i := range queue {
		queue[i] = mustAlloc(b, a, sizes[i&(1<<12-1)])
	}
	at := 0
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		a.Free(queue[at])
		queue[at], _ = a.Alloc(sizes[i&(1<<12-1)])
		if at++; at == len(queue) {
			at = 0
		}
	}
}

// A million messages come, then all go, with their pages; per message.
func BenchmarkFillAndDrain(b *testing.B) {
	a := New(unlimited())
	defer a.Close()
	refs := make([]Ref, 1_000_000)
	for b.Loop() {
		for i := range refs {
			refs[i], _ = a.Alloc(200)
			a.Bytes(refs[i])[0] = 1
		}
		for _, ref := range refs {
			a.Free(ref)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(refs)), "ns/message")
}

func BenchmarkBytes(b *testing.B) {
	a := New(unlimited())
	defer a.Close()
	ref := mustAlloc(b, a, 200)
	sum := 0
	for b.Loop() {
		sum += len(a.Bytes(ref))
	}
	_ = sum
}

func BenchmarkLargeAllocFree(b *testing.B) {
	a := New(unlimited())
	defer a.Close()
	for b.Loop() {
		ref, _ := a.Alloc(100_000)
		a.Bytes(ref)[0] = 1
		a.Free(ref)
	}
}

func BenchmarkPoolGetPut(b *testing.B) {
	p := NewPool[record](unlimited())
	defer p.Close()
	p.Get()
	b.ReportAllocs()
	for b.Loop() {
		index, _ := p.Get()
		p.At(index).seq = 1
		p.Put(index)
	}
}
