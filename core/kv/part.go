package kv

import (
	"container/heap"
	"math"
	"sync"
	"sync/atomic"
)

// never is the expiry of what lives for ever.
const never = math.MaxInt64

// How many expired entries one call takes out of a part at the most.
const (
	tidyFew  = 4  // with each write
	tidyMany = 64 // of each part, where a write found no room
)

// entry is a key with its value.
type entry struct {
	key     string
	value   Value
	expires int64
	at      int // in the heap; -1 if it never expires
}

// part is the entries of one lock.
type part struct {
	next  atomic.Int64 // when the first one expires; read without the lock
	mu    sync.Mutex   // guards what follows
	byKey map[string]*entry
	due   expiries

	reads, writes, expired uint64

	_ [64]byte // parts do not share a cache line
}

// insert adds an entry under a key that has none. The caller holds mu and has reserved the room.
func (p *part) insert(key string, v Value, expires int64) {
	e := &entry{key: key, value: v, expires: never, at: -1}
	p.byKey[key] = e
	p.expire(e, expires)
}

// expire changes when e expires. The caller holds mu.
func (p *part) expire(e *entry, at int64) {
	switch {
	case e.expires == at:
		return
	case e.at < 0:
		e.expires = at
		heap.Push(&p.due, e)
	case at == never:
		heap.Remove(&p.due, e.at)
		e.expires = never
	default:
		e.expires = at
		heap.Fix(&p.due, e.at)
	}
	p.noteNext()
}

// remove takes e out and returns its size. The caller holds mu.
func (p *part) remove(e *entry) int {
	delete(p.byKey, e.key)
	if e.at >= 0 {
		heap.Remove(&p.due, e.at)
		p.noteNext()
	}
	return size(e.key, e.value)
}

func (p *part) noteNext() {
	next := int64(never)
	if len(p.due) > 0 {
		next = p.due[0].expires
	}
	p.next.Store(next)
}

// expiries is a heap of entries, the first to expire on top.
type expiries []*entry

func (x expiries) Len() int           { return len(x) }
func (x expiries) Less(i, j int) bool { return x[i].expires < x[j].expires }

func (x expiries) Swap(i, j int) {
	x[i], x[j] = x[j], x[i]
	x[i].at, x[j].at = i, j
}

// Push is for container/heap.
func (x *expiries) Push(e any) {
	e.(*entry).at = len(*x)
	*x = append(*x, e.(*entry))
}

// Pop is for container/heap.
func (x *expiries) Pop() any {
	last := len(*x) - 1
	e := (*x)[last]
	(*x)[last] = nil
	*x = (*x)[:last]
	e.at = -1
	return e
}
