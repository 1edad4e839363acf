package trace

import "encoding/binary"

// Ring keeps the newest entries in a fixed number of bytes: the oldest make room.
// It belongs to one goroutine.
type Ring struct {
	size int
	buf  []byte // nil until something is kept
	// first and end are where the oldest entry begins and the next one will. They
	// only grow: a place is at their remainder by size.
	first, end uint64
	traces     int
	evicted    uint64
}

// An entry in the ring has its length in front, in 4 bytes; it is in one piece,
// and what is left before the end of buf where it did not fit is skipped.
const ringHead = 4

// NewRing makes a Ring of size bytes, of which it takes memory with the first
// entry. A Ring of less than MinRing bytes keeps nothing.
func NewRing(size int) *Ring { return &Ring{size: size} }

// MinRing is the least size of a Ring: an entry takes a quarter at the most.
const MinRing = 16 << 10

// Add keeps a copy of an entry.
func (r *Ring) Add(entry []byte) {
	need := ringHead + len(entry)
	if r.size < MinRing || need > r.size/4 {
		return
	}
	if r.buf == nil {
		r.buf = make([]byte, r.size)
	}
	at := int(r.end % uint64(r.size))
	if rest := r.size - at; rest < need {
		r.makeRoom(rest)
		if rest >= ringHead {
			binary.LittleEndian.PutUint32(r.buf[at:], 0)
		}
		r.end += uint64(rest)
		at = 0
	}
	r.makeRoom(need)
	binary.LittleEndian.PutUint32(r.buf[at:], uint32(len(entry)))
	copy(r.buf[at+ringHead:], entry)
	r.end += uint64(need)
	if entry[0] == kindDecision {
		r.traces++
	}
}

// makeRoom lets the oldest entries go until n bytes are free.
func (r *Ring) makeRoom(n int) {
	for r.end+uint64(n)-r.first > uint64(r.size) {
		entry, next := r.at(r.first)
		if len(entry) > 0 && entry[0] == kindDecision {
			r.traces--
			r.evicted++
		}
		r.first = next
	}
}

// at returns the entry at a position, nil where there is only a gap, and the
// position behind it.
func (r *Ring) at(position uint64) (entry []byte, next uint64) {
	at := int(position % uint64(r.size))
	rest := r.size - at
	if rest < ringHead {
		return nil, position + uint64(rest)
	}
	n := int(binary.LittleEndian.Uint32(r.buf[at:]))
	if n == 0 {
		return nil, position + uint64(rest)
	}
	return r.buf[at+ringHead : at+ringHead+n : at+ringHead+n], position + uint64(ringHead+n)
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

// Kept is what a Ring holds.
type Kept struct {
	Traces  int
	Bytes   int
	Evicted uint64 // traces that made room
	Oldest  int64  // when the oldest entry was written, in milliseconds since 1970; 0 if empty
}

// Kept tells what the Ring holds.
func (r *Ring) Kept() Kept {
	k := Kept{Traces: r.traces, Bytes: int(r.end - r.first), Evicted: r.evicted}
	for at := r.first; at < r.end && k.Oldest == 0; {
		var entry []byte
		if entry, at = r.at(at); len(entry) > 0 && entry[0] == kindDecision {
			k.Oldest = millisOf(entry)
		}
	}
	return k
}
