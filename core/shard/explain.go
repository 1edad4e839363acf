package shard

import (
	"slices"

	"github.com/stratix-gateway/stratix/core/trace"
)

const (
	// searchBytes is how much of a ring is searched at a time: a shard has
	// messages to handle in between.
	searchBytes = 256 << 10
	// maxFound bounds the traces that a search returns for each shard.
	maxFound = 100
)

// Traced is what a shard keeps of the ways of messages.
type Traced struct{ Sampled, Ended trace.Kept }

// Explain returns the traces of the messages with this id, oldest first: of a
// client, or of all if it is "". There are several when several clients used the
// id, or one did more than once; at most the last 100 of each shard. It also
// returns what each shard keeps.
func (set *Set) Explain(id, client string) (found []trace.Trace, kept []Traced) {
	for _, s := range set.all {
		tr := &s.tracer
		var k Traced
		set.on(s, func() { k = Traced{tr.sampled.Kept(), tr.ended.Kept()} })
		kept = append(kept, k)
		if client == "" || set.owner(client) == s {
			found = append(found, set.search(s, tr.sampled, id, client)...)
			found = append(found, set.search(s, tr.ended, id, client)...)
		}
	}
	slices.SortStableFunc(found, func(a, b trace.Trace) int { return a.Time.Compare(b.Time) })
	return found, kept
}

// search looks through one ring. What is written of a trace later stands behind
// its decision.
func (set *Set) search(s *Shard, ring *trace.Ring, id, client string) (found []trace.Trace) {
	at := map[uint64]int{} // by number, in found
	next, done := uint64(0), false
	for !done {
		ok := set.on(s, func() {
			next, done = ring.Each(next, searchBytes, func(entry []byte) {
				number, decision, _ := trace.Head(entry)
				if decision && trace.Is(entry, id, client) {
					var t trace.Trace
					if trace.Read(entry, &t) {
						at[number] = len(found)
						found = append(found, t)
					}
				} else if i, of := at[number]; of && !decision {
					trace.Read(entry, &found[i])
				}
			})
		})
		if !ok {
			return nil
		}
	}
	return found[max(0, len(found)-maxFound):]
}

// on runs f on a shard's goroutine and waits for it; it reports false, and f will
// not run, when the loop has ended. f must not block.
func (set *Set) on(s *Shard, f func()) bool {
	done := make(chan struct{})
	if !s.inbox.post(&parcel{kind: parcelCall, call: func() { f(); close(done) }}) {
		return false
	}
	select {
	case <-done:
		return true
	case <-set.stop:
		return false
	}
}
