package arena

import (
	"fmt"
	"math/bits"
	"os"
	"reflect"
	"unsafe"
)

// chunkBytes is how much of its memory a pool gets at once, at the most.
const chunkBytes = 64 << 10

// Pool holds records of one type outside of the Go heap. They are named by
// numbers, 0 being none. A pool belongs to one goroutine. Its memory grows by
// chunks leased from a Budget and goes back, all but the first chunk, when the
// last record does.
type Pool[T any] struct {
	chunks []unsafe.Pointer
	shift  uint8 // a chunk holds 1<<shift records

	free  uint32 // the first free record; each begins with the number of the next
	fresh uint32 // records from here on were not yet handed out
	inUse uint32

	budget *Budget
	bytes  int // of a chunk
}

// NewPool makes a pool that leases from b. It panics if a T holds pointers,
// which the collector would not see, or is larger than half a chunk, 32 KiB.
func NewPool[T any](b *Budget) *Pool[T] {
	p := &Pool[T]{budget: b, fresh: 1}
	t := reflect.TypeFor[T]()
	if holdsPointers(t) {
		panic(fmt.Sprintf("arena: a pool of %v: its records hold pointers", t))
	}
	stride := p.stride()
	if stride > chunkBytes/2 {
		panic(fmt.Sprintf("arena: a pool of %v: a record of %d bytes is too large", t, stride))
	}
	p.shift = uint8(bits.Len(uint(chunkBytes/stride)) - 1)
	page := os.Getpagesize()
	p.bytes = (int(stride)<<p.shift + page - 1) &^ (page - 1)
	return p
}

func holdsPointers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return t.Len() > 0 && holdsPointers(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if holdsPointers(t.Field(i).Type) {
				return true
			}
		}
		return false
	case reflect.String, reflect.Slice, reflect.Pointer, reflect.UnsafePointer,
		reflect.Interface, reflect.Map, reflect.Chan, reflect.Func:
		return true
	}
	return false
}

// stride is the bytes between two records, which must take the number of the
// next free one.
func (p *Pool[T]) stride() uintptr {
	var record T
	return max((unsafe.Sizeof(record)+3)&^3, 4)
}

// Get returns a record of zeroes. ok is false when the budget has no room or the
// system no memory.
func (p *Pool[T]) Get() (index uint32, ok bool) {
	if index = p.free; index != 0 {
		p.free = *p.next(index)
	} else {
		if p.fresh>>p.shift >= uint32(len(p.chunks)) && !p.grow() {
			return 0, false
		}
		index = p.fresh
		p.fresh++
	}
	var zero T
	*p.At(index) = zero
	p.inUse++
	return index, true
}

// At returns a record. The pointer is valid until Put.
func (p *Pool[T]) At(index uint32) *T {
	return (*T)(unsafe.Add(p.chunks[index>>p.shift], uintptr(index&(1<<p.shift-1))*p.stride()))
}

func (p *Pool[T]) next(index uint32) *uint32 { return (*uint32)(unsafe.Pointer(p.At(index))) }

// Put takes a record back. It panics if that was never handed out, but does not
// notice when it was put back before.
func (p *Pool[T]) Put(index uint32) {
	if index == 0 || index >= p.fresh || p.inUse == 0 {
		panic(fmt.Sprintf("arena: record %d is put back and was not handed out", index))
	}
	*p.next(index) = p.free
	p.free = index
	p.inUse--
	if p.inUse == 0 && len(p.chunks) > 1 {
		p.shrink(1)
	}
}

func (p *Pool[T]) grow() bool {
	if uint64(len(p.chunks)+1)<<p.shift > 1<<32-1 || !p.budget.lease(int64(p.bytes)) {
		return false
	}
	memory := mapMemory(p.bytes)
	if memory == nil {
		p.budget.giveBack(int64(p.bytes))
		return false
	}
	p.chunks = append(p.chunks, unsafe.Pointer(unsafe.SliceData(memory)))
	return true
}

// shrink gives back all chunks but the first n. No record is in use then.
func (p *Pool[T]) shrink(n int) {
	for _, chunk := range p.chunks[n:] {
		unmapMemory(unsafe.Slice((*byte)(chunk), p.bytes))
		p.budget.giveBack(int64(p.bytes))
	}
	p.chunks = append([]unsafe.Pointer(nil), p.chunks[:n]...)
	p.free, p.fresh, p.inUse = 0, 1, 0
}

// Close gives all memory back. No record may be used any more; the pool is as
// new.
func (p *Pool[T]) Close() { p.shrink(0) }
