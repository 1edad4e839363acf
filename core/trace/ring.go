package trace

import "github.com/stratix-gateway/stratix/core/recent"

// Ring keeps the newest entries in a fixed number of bytes: the oldest make room.
// It belongs to one goroutine.
type Ring struct {
	recent.Ring
	traces  int
	evicted uint64
}

// NewRing makes a Ring of size bytes. One of less than MinRing bytes keeps
// nothing.
func NewRing(size int) *Ring {
	r := &Ring{Ring: recent.New(size)}
	r.Evict = func(entry []byte) {
		if entry[0] == kindDecision {
			r.traces--
			r.evicted++
		}
	}
	return r
}

// MinRing is the least size of a Ring: an entry takes a quarter at the most.
const MinRing = recent.Least

// Add keeps a copy of an entry.
func (r *Ring) Add(entry []byte) {
	if r.Ring.Add(entry) && entry[0] == kindDecision {
		r.traces++
	}
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
	k := Kept{Traces: r.traces, Bytes: r.Bytes(), Evicted: r.evicted}
	for next, done := uint64(0), false; !done && k.Oldest == 0; {
		next, done = r.Each(next, 1, func(entry []byte) {
			if entry[0] == kindDecision {
				k.Oldest = millisOf(entry)
			}
		})
	}
	return k
}
