package arena

import (
	"math/bits"
	"unsafe"
)

const spanBytes = 64 << 10

// large is the class of a span that is one block with a mapping of its own.
const large = classes

// span is 64 KiB that serve one class, or one large block. A span that serves
// none has a count of 0, so that no Ref is a block of it.
//
// Which blocks are free is kept apart from the blocks, at the start of the
// mapping: looking for one touches no page of those in use, and writing past a
// block's end breaks no list. The words of the mapping's spans take turns there
// (the first of each, then the second of each), so that only 16-byte blocks
// need all pages of it.
type span struct {
	base unsafe.Pointer // the first block
	bits unsafe.Pointer // the first word of its free bits, wordStride bytes apart; nil if large

	size        uint32 // of a block in bytes
	count, used uint16 // blocks; used is of no meaning if large
	class, hint uint8  // the words before hint have no free bit

	dropped    bool   // in the store: its pages are not there
	mapping    uint32 // of no meaning if large
	next, prev uint32 // the list it is in; 0 ends it
}

// wordStride is the bytes between two words of one span: those of all others
// lie between.
const wordStride = 8 * mappingBytes / spanBytes

func (s *span) word(n uint32) *uint64 { return (*uint64)(unsafe.Add(s.bits, n*wordStride)) }

// noneFree is the free bits of large blocks, whose count alone says whether
// they are in use. It is never written to.
var noneFree uint64

// bit returns where it stands whether the block is free.
func (s *span) bit(block uint32) (word *uint64, mask uint64) {
	return s.word(block >> 6), 1 << (block & 63)
}

// serve makes the span's memory blocks of the class, all free.
func (s *span) serve(class uint8) {
	s.class, s.hint = class, 0
	s.size = classSize[class]
	s.count, s.used = uint16(spanBytes/s.size), 0
	left := uint32(s.count)
	for n := uint32(0); left > 0; n++ {
		these := min(left, 64)
		*s.word(n) = ^uint64(0) >> (64 - these)
		left -= these
	}
}

// take finds a free block and marks it as used. The span must have one.
func (s *span) take() uint32 {
	at := uint32(s.hint)
	word := s.word(at)
	for *word == 0 {
		at++
		word = s.word(at)
	}
	s.hint = uint8(at)
	bit := uint32(bits.TrailingZeros64(*word))
	*word &= *word - 1
	s.used++
	return at<<6 | bit
}

// free marks a used block as free.
func (s *span) free(block uint32) {
	word, mask := s.bit(block)
	*word |= mask
	s.hint = min(s.hint, uint8(block>>6))
	s.used--
}
