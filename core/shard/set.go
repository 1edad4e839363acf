package shard

import (
	"context"
	"fmt"
	"hash/maphash"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

// Set is all shards of a gateway. Its methods may be called from any goroutine.
type Set struct {
	all  []*Shard
	seed maphash.Seed
	done sync.WaitGroup
	stop chan struct{} // closed when all loops have ended

	tails  [MaxTails]atomic.Bool // the places of tails that are taken
	groups groupCount
	pager  *pager
	clerk  *clerk // nil where no tokens are taken
}

// New makes opt.Shards shards with the programs of a generation, one each. They
// do not run before Run.
func New(opt Options, gen *core.Generation) (*Set, error) {
	if opt.Shards < 1 || opt.Shards != len(gen.Programs) {
		return nil, fmt.Errorf("shard: %d shards for %d programs", opt.Shards, len(gen.Programs))
	}
	set := &Set{seed: maphash.MakeSeed(), stop: make(chan struct{})}
	all := newShared(opt)
	if opt.Renew != nil {
		set.clerk = newClerk(opt.Renew)
		opt.clerk = set.clerk
	}
	if opt.Journal != nil {
		set.pager = newPager(opt.Journal)
		opt.pager = set.pager
	}
	for i := range opt.Shards {
		s, err := newShard(i, opt, set.seed, all, gen.Programs[i])
		if err != nil {
			for _, made := range set.all {
				made.poll.close()
			}
			if set.pager != nil {
				set.pager.close()
			}
			return nil, fmt.Errorf("shard: %w", err)
		}
		set.all = append(set.all, s)
	}
	for _, s := range set.all {
		for _, other := range set.all {
			s.peers = append(s.peers, peer{shard: other})
		}
	}
	return set, nil
}

// Run starts the loops.
func (set *Set) Run() {
	for _, s := range set.all {
		set.done.Go(s.run)
	}
}

// owner is the shard to which a ClientID belongs.
func (set *Set) owner(id string) *Shard { return set.all[set.all[0].ownerOf(id)] }

// Attach hands an upgraded connection over by its descriptor and returns at
// once.
func (set *Set) Attach(cl Client) {
	if !set.owner(cl.ID).inbox.post(&parcel{kind: parcelAttach, client: &cl}) {
		cl.turnAway(CloseTryLater, shuttingDown)
	}
}

// Pump serves an upgraded connection with two goroutines, the caller's being
// one of them, and returns when it has ended. cl.FD is not used.
func (set *Set) Pump(conn net.Conn, cl Client) {
	s := set.owner(cl.ID)
	p := &pump{
		conn: conn, inbox: &s.inbox,
		attached: make(chan struct{}), credit: make(chan struct{}, 1), signal: make(chan struct{}, 1),
		ended: make(chan struct{}),
	}
	cl.FD, cl.pump = -1, p
	if !s.inbox.post(&parcel{kind: parcelAttach, client: &cl}) {
		cl.turnAway(CloseTryLater, shuttingDown)
	}
	<-p.attached
	var writer sync.WaitGroup
	writer.Go(p.write)
	p.read()
	writer.Wait()
}

// Swap makes a generation live: each shard takes its program between two
// messages. It returns when all have.
func (set *Set) Swap(gen *core.Generation) {
	for i, s := range set.all {
		s.inbox.post(&parcel{kind: parcelProgram, program: gen.Programs[i]})
	}
	set.each(func(*Shard) {})
}

// each runs f on every shard's goroutine and waits for all of them, or until
// the loops have ended. f must not block.
func (set *Set) each(f func(*Shard)) {
	done := make(chan struct{}, len(set.all))
	for _, s := range set.all {
		s.inbox.post(&parcel{kind: parcelCall, call: func() {
			f(s)
			done <- struct{}{}
		}})
	}
	for range set.all {
		select {
		case <-done:
		case <-set.stop:
			return
		}
	}
}

// Settle returns when what was posted to the shards by now is done, and what that
// made them send to each other.
func (set *Set) Settle() {
	set.each(func(*Shard) {})
	set.each(func(*Shard) {})
}

// Stats returns what every shard tells of itself; nothing after Stop.
func (set *Set) Stats() []Stats {
	told := make(chan Stats, len(set.all))
	set.each(func(s *Shard) { told <- s.stats() })
	all := make([]Stats, 0, len(set.all))
	for len(told) > 0 {
		all = append(all, <-told)
	}
	return all
}

// Drain says goodbye to all clients, closes their connections one after the
// other over pace, and cuts off those who are left after within, counted from
// the call and rounded down to a tick of 250 ms. It returns when all are gone or
// ctx ends. It is called once.
func (set *Set) Drain(ctx context.Context, pace, within time.Duration) error {
	var wait sync.WaitGroup
	wait.Add(len(set.all))
	for _, s := range set.all {
		if !s.inbox.post(&parcel{kind: parcelDrain, drain: &drainOrder{pace: pace, within: within, done: wait.Done}}) {
			wait.Done()
		}
	}
	drained := make(chan struct{})
	go func() {
		wait.Wait()
		close(drained)
	}()
	select {
	case <-drained:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("shard: drain: %w", ctx.Err())
	}
}

// Stop ends all connections and loops. It is called once. After it Attach and
// Pump turn clients away, held messages that come back are forgotten, and Stats
// returns nothing.
func (set *Set) Stop() {
	for _, s := range set.all {
		s.inbox.post(&parcel{kind: parcelStop})
	}
	set.done.Wait()
	close(set.stop)
	if set.clerk != nil {
		set.clerk.close()
	}
	if set.pager != nil {
		set.pager.close()
	}
}

// Needed is the oldest segment of the log without which the shards could not be
// restored.
func (set *Set) Needed() uint32 {
	oldest := uint32(math.MaxUint32)
	for _, s := range set.all {
		oldest = min(oldest, s.needed.Load())
	}
	return oldest
}
