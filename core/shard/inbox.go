package shard

import (
	"sync/atomic"

	"github.com/stratix-gateway/stratix/core"
)

type parcelKind uint8

const (
	parcelBatch   parcelKind = iota // entries from another shard, in buf
	parcelAttach                    // a client to take over
	parcelProgram                   // a generation goes live
	parcelResume                    // held messages come back
	parcelInput                     // bytes that a pump has read, in buf
	parcelRoom                      // a pump can take bytes again
	parcelGone                      // a pump's connection ended
	parcelDrain                     // say goodbye to everyone
	parcelStop                      // end the loop
	parcelCommit                    // a commit is done or has failed
	parcelRelief                    // the shard's relief is written or not
	parcelPaged                     // letters were read from the log
	parcelPosts                     // upstreams are done with posts
	parcelCall                      // run a function on the shard's goroutine
)

// parcel is one item of an inbox. Only the fields of its kind are set.
type parcel struct {
	next    *parcel
	kind    parcelKind
	peer    int // parcelBatch: index of the producer's peer entry to give credit to
	from    *Shard
	slot    uint32
	serial  uint32
	buf     []byte
	off     int // parcelBatch: buf[:off] is unpacked
	client  *Client
	program *core.Program
	held    []*core.Message
	posts   *core.Post
	drain   *drainOrder
	commit  *commit
	paging  *paging
	call    func()
}

// stack is a lock-free list that any goroutine pushes to and one empties.
type stack struct{ head atomic.Pointer[parcel] }

func (q *stack) push(p *parcel) {
	for {
		old := q.head.Load()
		p.next = old
		if q.head.CompareAndSwap(old, p) {
			return
		}
	}
}

// takeAll empties the stack; the last pushed comes first.
func (q *stack) takeAll() *parcel {
	if q.head.Load() == nil {
		return nil
	}
	return q.head.Swap(nil)
}

// inbox is what other goroutines hand to a shard. Pushing never blocks: bounds
// are kept by the producers (see peer and pump).
type inbox struct {
	head   atomic.Pointer[parcel]
	last   parcel // stands at the head of an inbox that is shut
	asleep atomic.Bool
	wake   func()
}

// post pushes p and wakes the shard if it sleeps. It reports false, and p stays
// the caller's, when the inbox is shut.
func (q *inbox) post(p *parcel) bool {
	for {
		old := q.head.Load()
		if old == &q.last {
			return false
		}
		p.next = old
		if q.head.CompareAndSwap(old, p) {
			break
		}
	}
	if q.asleep.Load() && q.asleep.CompareAndSwap(true, false) {
		q.wake()
	}
	return true
}

// take returns everything posted so far, oldest first.
func (q *inbox) take() *parcel {
	if q.head.Load() == nil {
		return nil
	}
	return reversed(q.head.Swap(nil))
}

// shut returns what was posted and not taken, and lets nothing in any more. It
// is called once, after the last take.
func (q *inbox) shut() *parcel { return reversed(q.head.Swap(&q.last)) }

func reversed(p *parcel) (first *parcel) {
	for p != nil {
		next := p.next
		p.next = first
		first, p = p, next
	}
	return first
}
