package ratelimit

import (
	"sync"
	"sync/atomic"
)

const (
	parts = 32 // of a store; one grows at a time
	shift = 59 // of a hash, to its part
	// looks is how often a part is tidied for one new bucket where there is no room.
	looks = 4
)

// store is the buckets of one kind.
type store struct {
	shared  bool // by shards; else it belongs to one, and no lock is taken
	parts   [parts]part
	buckets atomic.Int64  // in use, in all parts
	crowded atomic.Uint64 // tokens that were asked of a crowd
}

// part is the buckets of one lock.
type part struct {
	mu    sync.Mutex // guards what follows, where the store is shared
	table table
	// crowd is the bucket of all those for whom there was no room; where the store
	// is not shared, that of the first part is.
	crowd bucket
	_     [64]byte // parts do not share a cache line
}

// take takes a token from the bucket of hash, which is not 0; see bucket.take.
// most bounds the buckets of the store.
func (s *store) take(hash uint64, now int64, p *pace, patience int64, most int) (wait int64, ok bool) {
	part := &s.parts[hash>>shift]
	if s.shared {
		part.mu.Lock()
	}
	b := part.table.find(hash)
	if b == nil {
		b = s.add(part, hash, now, p, most)
	}
	wait, ok = b.take(now, p, patience)
	if s.shared {
		part.mu.Unlock()
	}
	return wait, ok
}

// add makes a bucket, or returns that of the crowd. Full buckets make room: when it
// gets scarce each call looks at some, so that they go sooner than there is none.
// Where all owe something none is given up, since its owner would be free of his
// debt.
func (s *store) add(part *part, hash uint64, now int64, p *pace, most int) *bucket {
	scarce, full := int64(most-most/8), int64(most)
	for range looks {
		if n := s.buckets.Load(); n < scarce {
			break
		}
		if s.buckets.Add(-int64(part.table.tidy(now, p))) < full {
			break
		}
	}
	if s.buckets.Add(1) <= full {
		return part.table.add(hash, now)
	}
	s.buckets.Add(-1)
	s.crowded.Add(1)
	if !s.shared {
		part = &s.parts[0]
	}
	return &part.crowd
}
