// Package recent keeps the newest of something in a fixed number of bytes.
package recent

import "encoding/binary"

// Ring keeps the newest entries in a fixed number of bytes: the oldest make room.
// It belongs to one goroutine.
type Ring struct {
	// Evict, if it is set, is called with each entry that makes room.
	Evict func(entry []byte)

	size  int
	spare []byte // an entry on its way from the front to the back
	buf   []byte // nil until something is kept
	// first and end are where the oldest entry begins and the next one will. They
	// only grow: a place is at their remainder by size.
	first, end uint64
}

// An entry in the ring has its length in front, in 4 bytes; it is in one piece,
// and what is left before the end of buf where it did not fit is skipped.
const head = 4

// New makes a Ring of size bytes, of which it takes memory with the first entry.
// A Ring of less than Least bytes keeps nothing.
func New(size int) Ring { return Ring{size: size} }

// Least is the least size of a Ring: an entry takes a quarter at the most.
const Least = 16 << 10

// Fits reports whether an entry of n bytes is not too large.
func (r *Ring) Fits(n int) bool { return r.size >= Least && head+n <= r.size/4 }

// Add keeps a copy of an entry, which is not empty; false if it is too large.
func (r *Ring) Add(entry []byte) bool {
	if !r.Fits(len(entry)) {
		return false
	}
	need := head + len(entry)
	if r.buf == nil {
		r.buf = make([]byte, r.size)
	}
	at := int(r.end % uint64(r.size))
	if rest := r.size - at; rest < need {
		r.makeRoom(rest)
		if rest >= head {
			binary.LittleEndian.PutUint32(r.buf[at:], 0)
		}
		r.end += uint64(rest)
		at = 0
	}
	r.makeRoom(need)
	binary.LittleEndian.PutUint32(r.buf[at:], uint32(len(entry)))
	copy(r.buf[at+head:], entry)
	r.end += uint64(need)
	return true
}

// Rotate makes room for an entry of n bytes: of the oldest, those that keep says
// are spared go to the back as if they were new. It ends when it has seen all.
func (r *Ring) Rotate(n int, keep func(entry []byte) bool) {
	for seen := uint64(0); seen < uint64(r.size) && r.short(n); {
		entry, next := r.at(r.first)
		seen += next - r.first
		if entry == nil || !keep(entry) {
			r.drop(entry, next)
			continue
		}
		r.spare = append(r.spare[:0], entry...)
		r.first = next
		r.Add(r.spare)
	}
}

// short reports whether an entry of n bytes makes older ones go.
func (r *Ring) short(n int) bool {
	need := uint64(head + n)
	if rest := uint64(r.size) - r.end%uint64(r.size); rest < need {
		need += rest
	}
	return r.end+need-r.first > uint64(r.size)
}

// makeRoom lets the oldest entries go until n bytes are free.
func (r *Ring) makeRoom(n int) {
	for r.end+uint64(n)-r.first > uint64(r.size) {
		r.drop(r.at(r.first))
	}
}

// drop lets the oldest entry, or a gap, go, up to next.
func (r *Ring) drop(entry []byte, next uint64) {
	if entry != nil && r.Evict != nil {
		r.Evict(entry)
	}
	r.first = next
}

// at returns the entry at a position, nil where there is only a gap, and the
// position behind it.
func (r *Ring) at(position uint64) (entry []byte, next uint64) {
	at := int(position % uint64(r.size))
	rest := r.size - at
	if rest < head {
		return nil, position + uint64(rest)
	}
	n := int(binary.LittleEndian.Uint32(r.buf[at:]))
	if n == 0 {
		return nil, position + uint64(rest)
	}
	return r.buf[at+head : at+head+n : at+head+n], position + uint64(head+n)
}

// Each calls f for the entries from a position on, oldest first, for as many as
// there are in about most bytes, and returns the position to go on from; done says
// that there are no more. Position 0 is the beginning. The entries are valid until
// the next Add.
func (r *Ring) Each(from uint64, most int, f func(entry []byte)) (next uint64, done bool) {
	next = max(from, r.first)
	for until := next + uint64(most); next < min(until, r.end); {
		var entry []byte
		if entry, next = r.at(next); entry != nil {
			f(entry)
		}
	}
	return next, next >= r.end
}

// Bytes is how many bytes the entries take.
func (r *Ring) Bytes() int { return int(r.end - r.first) }
