package ratelimit

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// parts of a store that all shards share, each with a lock of its own.
const parts = 32

// store is the buckets of one kind.
type store struct {
	shared  bool // by shards; else it belongs to one, and no lock is taken
	shift   int  // of a hash, to its part
	parts   []part
	buckets atomic.Int64  // in use
	crowded atomic.Uint64 // tokens that were asked of a crowd
}

// part is the buckets of one lock.
type part struct {
	mu    sync.Mutex // guards what follows, where the store is shared
	table table
	// crowd is the bucket of all those for whom there was no room.
	crowd bucket
	_     [40]byte // parts do not share a cache line
}

// newStore makes a store of one shard.
func newStore() *store { return &store{shift: 64, parts: make([]part, 1)} }

// newShared makes a store of all shards.
func newShared() *store {
	return &store{shared: true, shift: 64 - bits.Len(parts-1), parts: make([]part, parts)}
}

// take takes a token from the bucket of hash, which is not 0; see bucket.take.
// most bounds the buckets of the store.
func (s *store) take(hash uint64, now int64, p *pace, patience int64, most int) (wait int64, ok bool) {
	part := &s.parts[hash>>s.shift]
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

// add makes a bucket, or returns that of the crowd. Where all buckets owe
// something none of them is given up, since its owner would be free of its debt.
func (s *store) add(part *part, hash uint64, now int64, p *pace, most int) *bucket {
	before := part.table.used
	b := part.table.add(hash, now, p, (most+len(s.parts)-1)/len(s.parts))
	s.buckets.Add(int64(part.table.used - before))
	if b == nil {
		s.crowded.Add(1)
		b = &part.crowd
	}
	return b
}
