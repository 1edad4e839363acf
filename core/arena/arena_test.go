package arena

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

func limited(n int64) *Budget { return NewBudget(func() int64 { return n }) }

func mustAlloc(t testing.TB, a *Arena, n int) Ref {
	t.Helper()
	ref, ok := a.Alloc(n)
	if !ok || ref == 0 {
		t.Fatalf("no block of %d bytes: %d, %v", n, ref, ok)
	}
	return ref
}

// panics runs f and returns what it panics with, or "".
func panics(f func()) (text string) {
	defer func() {
		if r := recover(); r != nil {
			text = fmt.Sprint(r)
		}
	}()
	f()
	return ""
}

func wantPanic(t *testing.T, part string, f func()) {
	t.Helper()
	if got := panics(f); !strings.HasPrefix(got, "arena: ") || !strings.Contains(got, part) {
		t.Errorf("got the panic %q, want one with %q", got, part)
	}
}

func TestABlockHasRoomForWhatWasAsked(t *testing.T) {
	a := New(unlimited())
	defer a.Close()
	for _, n := range []int{0, 1, 15, 16, 17, 512, 513, 1024, 1025, 4097, 32767, 32768, 32769, 65537, 1 << 20, MaxBlock - 1, MaxBlock} {
		ref := mustAlloc(t, a, n)
		block := a.Bytes(ref)
		if len(block) < n || cap(block) != len(block) {
			t.Errorf("%d bytes: a block of %d, capacity %d", n, len(block), cap(block))
		}
		for i := range block {
			block[i] = byte(n)
		}
		if a.InUse() != int64(len(block)) {
			t.Errorf("%d bytes: %d in use", n, a.InUse())
		}
		a.Free(ref)
		if a.InUse() != 0 {
			t.Errorf("%d bytes: %d in use after Free", n, a.InUse())
		}
	}
	wantPanic(t, "-1 bytes", func() { a.Alloc(-1) })
	wantPanic(t, fmt.Sprint(MaxBlock+1), func() { a.Alloc(MaxBlock + 1) })
}

func TestAWrongRefPanics(t *testing.T) {
	a := New(unlimited())
	defer a.Close()
	f := func(ref Ref, part string) {
		t.Helper()
		wantPanic(t, part, func() { a.Free(ref) })
		wantPanic(t, part, func() { a.Bytes(ref) })
	}
	f(0, "not a block")
	f(1<<blockBits, "not a block")
	small, other, large := mustAlloc(t, a, 200), mustAlloc(t, a, 200), mustAlloc(t, a, 100_000)
	f(small+2, "after its Free") // never handed out
	f(small+4095, "not a block")
	f(large+1, "not a block")
	f(1<<32-1, "not a block")
	a.Free(small)
	f(small, "after its Free")
	a.Free(other) // the span is the spare now
	f(other, "after its Free")
	a.Free(large)
	f(large, "not a block")
	kept := mustAlloc(t, a, 300)
	a.Close()
	f(kept, "not a block")
}

func TestTheBudgetBoundsAllArenas(t *testing.T) {
	limit := int64(3 * spanBytes)
	b := NewBudget(func() int64 { return limit })
	one, two := New(b), New(b)
	fill := func(a *Arena, n int) (refs []Ref) {
		for {
			ref, ok := a.Alloc(n)
			if !ok {
				return refs
			}
			refs = append(refs, ref)
		}
	}
	first := mustAlloc(t, two, 1024)
	refs := fill(one, 1024)
	if len(refs) != 2*spanBytes/1024 || b.Used() != limit {
		t.Fatalf("%d blocks, %d bytes leased", len(refs), b.Used())
	}
	if _, ok := one.Alloc(100_000); ok {
		t.Fatal("there was room for a large block")
	}
	limit += 2 * spanBytes
	large := mustAlloc(t, one, 2*spanBytes)
	limit = 0 // takes nothing away
	if _, ok := one.Alloc(1024); ok || len(one.Bytes(refs[0])) != 1024 {
		t.Fatal("lowering the limit")
	}
	one.Free(large)
	limit = 3 * spanBytes
	for _, ref := range refs {
		one.Free(ref)
	}
	// what is free in one class is room for another
	if got := fill(one, 4096); len(got) != 2*spanBytes/4096 {
		t.Fatalf("%d blocks of another class", len(got))
	}
	two.Free(first)
	two.Close()
	if got := fill(one, 32<<10); len(got) != 2 {
		t.Fatalf("%d blocks of what another arena left", len(got))
	}
	one.Close()
	if b.Used() != 0 {
		t.Fatalf("%d bytes stay leased", b.Used())
	}
	mustAlloc(t, one, 10) // a closed arena is as new
	one.Close()
}

func TestTheBudgetIsNeverOverdrawn(t *testing.T) {
	const limit = 20 * spanBytes
	b := limited(limit)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			a := New(b)
			defer a.Close()
			for range 50 {
				var refs []Ref
				for range 10 {
					if ref, ok := a.Alloc(32 << 10); ok {
						refs = append(refs, ref)
					}
					if used := b.Used(); used < 0 || used > limit {
						t.Errorf("%d bytes leased", used)
					}
				}
				for _, ref := range refs {
					a.Free(ref)
				}
			}
		})
	}
	all.Wait()
	if b.Used() != 0 {
		t.Fatalf("%d bytes stay leased", b.Used())
	}
}

func TestWhatDrainsGoesBack(t *testing.T) {
	b := unlimited()
	a := New(b)
	defer a.Close()
	var refs []Ref
	for n := range 100_000 {
		refs = append(refs, mustAlloc(t, a, 1+n%700))
	}
	mapped := func() (n int) {
		for _, m := range a.store.mappings {
			if m.memory != nil {
				n++
			}
		}
		return n
	}
	full := mapped()
	rand.New(rand.NewPCG(5, 6)).Shuffle(len(refs), func(i, j int) { refs[i], refs[j] = refs[j], refs[i] })
	for _, ref := range refs {
		a.Free(ref)
	}
	if b.Used() > keptSpares*spanBytes || a.store.residents > keptPages || mapped() > keptSpares+1 || full < 8 {
		t.Fatalf("%d bytes leased, %d spans with pages, %d mappings of %d", b.Used(), a.store.residents, mapped(), full)
	}
	checkArena(t, a)
	spans := len(a.store.spans)
	for n := range 100_000 { // the numbers are used again, and most of all the spans
		mustAlloc(t, a, 1+n%700)
	}
	if got := len(a.store.spans); got != spans {
		t.Fatalf("%d spans, then %d", spans, got)
	}
}

func TestABlockThatComesAndGoesKeepsItsSpan(t *testing.T) {
	b := unlimited()
	a := New(b)
	defer a.Close()
	for range spanBytes / 1024 { // one span is full
		mustAlloc(t, a, 1024)
	}
	leases := 0
	b.limit = func() int64 { leases++; return 1 << 40 }
	for range 100 {
		a.Free(mustAlloc(t, a, 1024))
	}
	if leases != 1 {
		t.Fatalf("%d leases", leases)
	}
}

func TestAPairOfAllocAndFreeCostsTheHeapNothing(t *testing.T) {
	a := New(unlimited())
	defer a.Close()
	if n := testing.AllocsPerRun(100, func() { a.Free(mustAlloc(t, a, 200)) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestALargeBlockLeavesNothingBehind(t *testing.T) {
	b := unlimited()
	a := New(b)
	defer a.Close()
	for range 100 {
		ref := mustAlloc(t, a, 40_000)
		if b.Used() < 40_000 || b.Used() > 40_000+64<<10 {
			t.Fatalf("%d bytes leased for 40000", b.Used())
		}
		a.Free(ref)
		if b.Used() != 0 {
			t.Fatalf("%d bytes stay leased", b.Used())
		}
	}
	if len(a.store.spans) != 2 {
		t.Fatalf("%d spans for one block at a time", len(a.store.spans))
	}
}
