// Package arena is memory outside of the Go heap for what waits: a million
// pending messages cost the collector nothing to look at and do not raise its
// target, and what they leave goes back to the system.
//
// Memory comes in mappings of 4 MiB, cut into spans of 64 KiB. A span in use
// serves blocks of one class; when its blocks are all free it can serve another.
// Larger blocks have mappings of their own.
package arena

import (
	"fmt"
	"os"
	"unsafe"
)

// MaxBlock is the size of the largest block in bytes.
const MaxBlock = 17 << 20

// Ref names a block of one arena: its span and its number in there. 0 is none.
// A Ref is a number to the collector, and is used again after Free.
type Ref uint32

const (
	blockBits = 12 // a span holds up to 4096 blocks
	maxSpans  = 1 << (32 - blockBits)
)

// Arena hands out blocks of memory outside of the Go heap. It belongs to one
// goroutine. What it holds is bounded by its Budget, all but a few free spans
// that it keeps to use again (1 MiB at the most) and the free bits (1 % at the
// most). Where the system has no such memory, it is the Go heap's.
type Arena struct {
	budget *Budget
	over   bool // the budget is not asked
	inUse  int64
	leased int64
	store  store

	room  [classes]uint32 // lists of the spans with blocks in use and blocks free
	spare [classes]uint32 // a span without a block in use, or 0
	// spares counts those of spare, at most keptSpares. hand is the class whose
	// spare goes first when they are more.
	spares, hand int
}

// keptSpares is how many spans stay leased though no block is in use, so that
// blocks that come and go do not take the long way.
const keptSpares = 8

// New makes an arena that leases its memory from b. It holds none until Alloc.
func New(b *Budget) *Arena { return &Arena{budget: b, store: newStore()} }

// Alloc returns a block of at least n bytes, of any content. ok is false when
// the budget has no room or the system no memory; a later call may succeed. It
// panics unless 0 <= n <= MaxBlock.
func (a *Arena) Alloc(n int) (ref Ref, ok bool) {
	if uint(n) > maxSmall {
		return a.allocLarge(n)
	}
	class := classFor[(n+blockStep-1)/blockStep]
	at := a.room[class]
	if at == 0 {
		if at = a.makeRoom(class); at == 0 {
			return 0, false
		}
	}
	s := &a.store.spans[at]
	block := s.take()
	if s.used == s.count {
		a.store.unlink(&a.room[class], at)
	}
	a.inUse += int64(s.size)
	return Ref(at<<blockBits | block), true
}

// AllocOver is Alloc past the budget, for what is bounded by other means. It
// panics when the system has no memory.
func (a *Arena) AllocOver(n int) Ref {
	a.over = true
	ref, ok := a.Alloc(n)
	a.over = false
	if !ok {
		panic("arena: the system has no memory")
	}
	return ref
}

// makeRoom puts a span without a block in use into the class's list and returns
// it, or 0.
func (a *Arena) makeRoom(class uint8) uint32 {
	at := a.spare[class]
	if at != 0 {
		a.spare[class] = 0
		a.spares--
	} else {
		if !a.lease(spanBytes) {
			return 0
		}
		if at = a.store.take(); at == 0 {
			a.giveBack(spanBytes)
			return 0
		}
		a.store.spans[at].serve(class)
	}
	a.store.push(&a.room[class], at)
	return at
}

// lease takes n bytes from the budget, after giving back what no block needs if
// it must.
func (a *Arena) lease(n int64) bool {
	if a.over {
		a.budget.giveBack(-n)
	} else if !a.budget.lease(n) {
		if a.spares == 0 {
			return false
		}
		for a.spares > 0 {
			a.dropSpare()
		}
		if !a.budget.lease(n) {
			return false
		}
	}
	a.leased += n
	return true
}

func (a *Arena) giveBack(n int64) {
	a.leased -= n
	a.budget.giveBack(n)
}

func (a *Arena) allocLarge(n int) (Ref, bool) {
	if n < 0 || n > MaxBlock {
		panic(fmt.Sprintf("arena: a block of %d bytes was asked for", n))
	}
	page := os.Getpagesize()
	size := (n + page - 1) &^ (page - 1)
	if !a.lease(int64(size)) {
		return 0, false
	}
	at := a.store.takeLarge(size)
	if at == 0 {
		a.giveBack(int64(size))
		return 0, false
	}
	a.inUse += int64(size)
	return Ref(at << blockBits), true
}

// Bytes returns the block, all that it has room for. It is the caller's to read
// and write until Free. It panics if ref is not a block in use.
func (a *Arena) Bytes(ref Ref) []byte {
	s := a.span(ref)
	block := uint32(ref) & (1<<blockBits - 1)
	return unsafe.Slice((*byte)(unsafe.Add(s.base, block*s.size)), s.size)
}

// span returns the span of a block in use.
func (a *Arena) span(ref Ref) *span {
	at, block := uint32(ref)>>blockBits, uint32(ref)&(1<<blockBits-1)
	if at >= uint32(len(a.store.spans)) {
		panicUnknown(ref)
	}
	s := &a.store.spans[at]
	if block >= uint32(s.count) {
		panicUnknown(ref)
	}
	if word, mask := s.bit(block); *word&mask != 0 {
		panicFree(ref)
	}
	return s
}

func panicUnknown(ref Ref) { panic(fmt.Sprintf("arena: %#x is not a block, or no more", uint32(ref))) }
func panicFree(ref Ref)    { panic(fmt.Sprintf("arena: block %#x is used after its Free", uint32(ref))) }

// Free takes a block back. It panics if ref is not a block in use, as after an
// earlier Free, unless the block was handed out again since.
func (a *Arena) Free(ref Ref) {
	s := a.span(ref)
	at, block := uint32(ref)>>blockBits, uint32(ref)&(1<<blockBits-1)
	a.inUse -= int64(s.size)
	if s.class == large {
		a.giveBack(int64(s.size))
		a.store.giveLarge(at)
		return
	}
	room := &a.room[s.class]
	if s.used == s.count {
		a.store.push(room, at)
	}
	s.free(block)
	if s.used == 0 {
		a.store.unlink(room, at)
		a.emptied(at, s.class)
	}
}

// emptied keeps a span whose last block was freed as the class's spare, or gives
// it up.
func (a *Arena) emptied(at uint32, class uint8) {
	if a.spare[class] != 0 {
		a.drop(at)
		return
	}
	if a.spares == keptSpares {
		a.dropSpare()
	}
	a.spare[class] = at
	a.spares++
}

// dropSpare gives up the next spare. There must be one.
func (a *Arena) dropSpare() {
	for a.spare[a.hand] == 0 {
		a.hand = (a.hand + 1) % classes
	}
	at := a.spare[a.hand]
	a.spare[a.hand] = 0
	a.hand = (a.hand + 1) % classes
	a.spares--
	a.drop(at)
}

func (a *Arena) drop(at uint32) {
	a.store.give(at)
	a.giveBack(spanBytes)
}

// InUse returns the bytes of the blocks in use, each with all that it has room
// for.
func (a *Arena) InUse() int64 { return a.inUse }

// Close gives all memory back. No block may be used any more; the arena is as
// new.
func (a *Arena) Close() {
	a.store.close()
	a.budget.giveBack(a.leased)
	*a = *New(a.budget)
}
