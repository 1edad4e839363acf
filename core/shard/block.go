package shard

import (
	"unsafe"

	"github.com/stratix-gateway/stratix/core/arena"
	"github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/record"
)

// block is a kept message in the memory of the ring: this head, then the content
// of its letter. All recipients of a shard share it. Where there is no room for
// the content, it is read from the log, and in its place is when it expires: 8
// bytes, milliseconds since 1970.
type block struct {
	refs    uint32 // entries
	segment uint32 // where its record is in the log; 0 if it is not ...
	offset  uint32
	size    uint32 // of the content; the top bit says that it is not here
	sender  uint32 // see senders
}

const (
	blockHead = int(unsafe.Sizeof(block{}))
	paged     = 1 << 31 // in size: the content is on the disk alone
)

// blockView is a block without the flag in its size.
type blockView struct {
	*block
	size int
	here bool // the content is in memory
}

func (s *Shard) block(ref arena.Ref) blockView {
	b := (*block)(unsafe.Pointer(unsafe.SliceData(s.arena.Bytes(ref))))
	return blockView{b, int(b.size &^ paged), b.size&paged == 0}
}

// content is the content of the letter of a block that is here.
func (s *Shard) content(ref arena.Ref) []byte {
	mem := s.arena.Bytes(ref)
	b := (*block)(unsafe.Pointer(unsafe.SliceData(mem)))
	return mem[blockHead : blockHead+int(b.size)]
}

// at is where the record of a block is in the log.
func (b *block) at() journal.Position { return journal.Position{Segment: b.segment, Offset: b.offset} }

// newBlock keeps a letter. Where the ring's memory is full it keeps the head
// alone if onDisk says that the log has the rest; else ok is false.
func (s *Shard) newBlock(l *record.Letter, onDisk bool) (ref arena.Ref, ok bool) {
	if ref, ok = s.arena.Alloc(blockHead + len(l.Content)); ok {
		s.fill(ref, l)
		return ref, true
	}
	if !onDisk {
		return 0, false
	}
	return s.newHead(len(l.Content), l.Expiry(), l.From), true
}

// newBlockOver keeps a letter for which others are about to give their memory
// back.
func (s *Shard) newBlockOver(l *record.Letter) arena.Ref {
	ref := s.arena.AllocOver(blockHead + len(l.Content))
	s.fill(ref, l)
	return ref
}

func (s *Shard) fill(ref arena.Ref, l *record.Letter) {
	*s.block(ref).block = block{size: uint32(len(l.Content)), sender: s.senders.take(l.From)}
	copy(s.arena.Bytes(ref)[blockHead:], l.Content)
}

// newHead makes a block without its letter. The number of messages bounds these,
// not the ring's bytes.
func (s *Shard) newHead(size int, expiry int64, from string) arena.Ref {
	ref := s.arena.AllocOver(blockHead + 8)
	*s.block(ref).block = block{size: uint32(size) | paged, sender: s.senders.take(from)}
	le.PutUint64(s.arena.Bytes(ref)[blockHead:], uint64(expiry))
	return ref
}

// dropBlock frees a block that no entry shares.
func (s *Shard) dropBlock(ref arena.Ref) {
	s.senders.give(s.block(ref).sender)
	s.arena.Free(ref)
}

// expiry is when the message may wait no longer, in milliseconds since 1970.
func (s *Shard) expiry(ref arena.Ref) int64 {
	mem := s.arena.Bytes(ref)[blockHead:]
	if !s.block(ref).here {
		return int64(le.Uint64(mem))
	}
	return record.Expiry(mem)
}

// expired reports whether a message has waited too long.
func (s *Shard) expired(ref arena.Ref) bool { return s.expiry(ref) <= s.unixMillis }

// place notes where in the log the record of a block is.
func (s *Shard) place(b *block, at journal.Position) {
	if b.segment != 0 {
		s.segments.drop(b.segment)
	}
	b.segment, b.offset = at.Segment, at.Offset
	s.segments.add(at.Segment)
}

// release gives one entry's share of a block back.
func (s *Shard) release(ref arena.Ref) {
	b := s.block(ref)
	if b.refs--; b.refs > 0 {
		return
	}
	if b.segment != 0 {
		s.segments.drop(b.segment)
	}
	if s.composed == ref {
		s.composed = 0
	}
	s.dropBlock(ref)
}

// readLetter reads the letter of a block that is here. It aliases the block.
func (s *Shard) readLetter(ref arena.Ref, l *record.Letter) {
	if _, ok := record.ReadContent(s.content(ref), l); !ok {
		panic("shard: a block holds no letter")
	}
	l.From = s.senders.all[s.block(ref).sender].name
}

// tally counts the blocks of a shard in each segment of the log.
type tally struct {
	first  uint32 // segment of blocks[0]
	blocks []int
}

func (t *tally) add(segment uint32) {
	if len(t.blocks) == 0 {
		t.first = segment
	}
	for segment < t.first { // recovery and copying go back; rare
		t.blocks = append([]int{0}, t.blocks...)
		t.first--
	}
	for int(segment-t.first) >= len(t.blocks) {
		t.blocks = append(t.blocks, 0)
	}
	t.blocks[segment-t.first]++
}

func (t *tally) drop(segment uint32) {
	t.blocks[segment-t.first]--
	for len(t.blocks) > 1 && t.blocks[0] == 0 {
		t.blocks = t.blocks[1:]
		t.first++
	}
}

// firstOver returns the first segment that holds more than few blocks; false when
// none does.
func (t *tally) firstOver(few int) (segment uint32, ok bool) {
	for i, n := range t.blocks {
		if n > few {
			return t.first + uint32(i), true
		}
	}
	return 0, false
}

// oldest returns the first segment that holds a block, and how many; false when
// none does.
func (t *tally) oldest() (segment uint32, blocks int, ok bool) {
	for i, n := range t.blocks {
		if n > 0 {
			return t.first + uint32(i), n, true
		}
	}
	return 0, 0, false
}
