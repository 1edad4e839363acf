package shard

import (
	"context"
	"encoding/binary"
	"errors"
	"sync/atomic"
	"time"

	"github.com/stratix-gateway/stratix/core/trace"
)

// MaxTails is how many tails may be open at once.
const MaxTails = 8

// ErrTails refuses one more.
var ErrTails = errors.New("too many tails are open: end one of them first")

const (
	// tailBytes bounds what a shard holds for a tail that does not keep up.
	tailBytes = 256 << 10
	// tailBatches bounds the batches on their way to a tail.
	tailBatches = 16
)

// Tail follows the messages that match a filter, as they are decided. It may be
// read by one goroutine. A reader that is too slow misses messages; it never
// keeps a shard waiting.
type Tail struct {
	set     *Set
	slot    int
	filter  trace.Filter
	batches chan []byte // entries, each with its length in front in 4 bytes
	empty   chan []byte // batches that were read, to be filled again
	missed  atomic.Uint64
	join    trace.Join
}

// feed is a shard's side of a tail.
type feed struct {
	*Tail
	out []byte // of this turn, and of those before that found no room
}

// add adds one entry, or counts it as missed.
func (f *feed) add(entry []byte, count *Counts) {
	if len(f.out)+len(entry) > tailBytes {
		f.missed.Add(1)
		count.TailMissed++
		return
	}
	f.out = binary.LittleEndian.AppendUint32(f.out, uint32(len(entry)))
	f.out = append(f.out, entry...)
}

// feedTails passes on what the turn has for the tails.
func (s *Shard) feedTails() {
	for _, f := range s.tracer.feeds {
		if f == nil || len(f.out) == 0 {
			continue
		}
		select {
		case f.batches <- f.out:
			f.out = nil
			select {
			case used := <-f.empty:
				f.out = used[:0]
			default:
			}
		default: // it is behind; what comes may find room in out
		}
	}
}

// OpenTail begins to follow. Close ends it.
func (set *Set) OpenTail(filter trace.Filter) (*Tail, error) {
	t := &Tail{
		set: set, slot: -1, filter: filter,
		batches: make(chan []byte, tailBatches), empty: make(chan []byte, tailBatches),
	}
	for i := range set.tails {
		if set.tails[i].CompareAndSwap(false, true) {
			t.slot = i
			break
		}
	}
	if t.slot < 0 {
		return nil, ErrTails
	}
	set.each(func(s *Shard) {
		s.tracer.feeds[t.slot] = &feed{Tail: t}
		if s.tracer.open++; s.tracer.open == 1 {
			s.tracer.until = s.untraced
			s.untraced = 1
		}
	})
	return t, nil
}

// Tails is how many tails are open.
func (set *Set) Tails() (n int) {
	for i := range set.tails {
		if set.tails[i].Load() {
			n++
		}
	}
	return n
}

// Close ends the following. It is called once.
func (t *Tail) Close() {
	t.set.each(func(s *Shard) {
		s.tracer.feeds[t.slot] = nil
		if s.tracer.open--; s.tracer.open == 0 {
			s.untraced = s.tracer.until
		}
	})
	t.set.tails[t.slot].Store(false)
}

// Next waits until something has come or patience is over, and calls emit for
// each message that is decided and answered. It returns how many entries were
// missed since the last call, and false when ctx or the shards have ended.
func (t *Tail) Next(ctx context.Context, patience time.Duration, emit func(*trace.Trace)) (missed uint64, ok bool) {
	matching := func(tr *trace.Trace) {
		if t.filter.Match(tr) {
			emit(tr)
		}
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case b := <-t.batches:
		now := time.Now()
		for rest := b; len(rest) > 0; {
			n := binary.LittleEndian.Uint32(rest)
			t.join.Add(rest[4:4+n], now, matching)
			rest = rest[4+n:]
		}
		select {
		case t.empty <- b:
		default:
		}
	case <-timer.C:
		t.join.Expire(time.Now(), matching)
	case <-ctx.Done():
		return 0, false
	case <-t.set.stop:
		return 0, false
	}
	return t.missed.Swap(0), true
}
