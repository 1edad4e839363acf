package ratelimit

import (
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/stratix-gateway/stratix/core"
)

// limit is what outlives the stages of one name: their buckets, and what was
// counted.
type limit struct {
	name   string
	seed   maphash.Seed // clients choose their IDs and keys; which of them collide is not theirs to know
	shards []*store     // of clients, one for each shard
	all    *store       // of addresses, prefixes and keys
	doors  *store       // of addresses that connect
	room   core.Room    // of what is delayed

	rejected, delayed, disconnected, refused atomic.Uint64

	users int // started stages; guarded by limits.mu
}

func newLimit(name string, shards int) *limit {
	l := &limit{name: name, seed: maphash.MakeSeed(), all: &store{shared: true}, doors: &store{shared: true}}
	for range max(1, shards) {
		l.shards = append(l.shards, new(store))
	}
	return l
}

// limits are the gateway's, by name.
type limits struct {
	mu     sync.Mutex
	byName map[string]*limit
}

// limitsOf are those that env lends; a check lends none.
func limitsOf(env *core.Env) *limits {
	make := func() any { return &limits{byName: map[string]*limit{}} }
	if env.State == nil {
		return make().(*limits)
	}
	return env.State("ratelimit", make).(*limits)
}

// open returns the limit of a name. A new one has the bounds of s, and one that is
// there keeps its own until s starts.
func (ls *limits) open(name string, shards int, s *settings) *limit {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.byName[name]
	if l == nil {
		l = newLimit(name, shards)
		l.bound(s)
		ls.byName[name] = l
	}
	return l
}

// start counts a user of l, which gets the bounds of s.
func (ls *limits) start(l *limit, s *settings) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l.users++
	ls.byName[l.name] = l
	l.bound(s)
}

// bound sets the bounds of what is delayed.
func (l *limit) bound(s *settings) {
	l.room.MaxMessages.Store(s.MaxDelayed)
	l.room.MaxBytes.Store(int64(s.MaxDelayedBytes))
}

// stop ends a use of l. When nobody uses it any more it is forgotten: names come
// and go with the scripts.
func (ls *limits) stop(l *limit) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l.users--; l.users == 0 && ls.byName[l.name] == l {
		delete(ls.byName, l.name)
	}
}

// Report tells /metrics of all limits that are in use.
func (ls *limits) Report(counter func(name string, v uint64), gauge func(name string, v float64)) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(ls.byName)) {
		l := ls.byName[name]
		if l.users == 0 {
			continue
		}
		for _, c := range []struct {
			result string
			n      *atomic.Uint64
		}{{"rejected", &l.rejected}, {"delayed", &l.delayed}, {"disconnected", &l.disconnected}, {"refused", &l.refused}} {
			counter(fmt.Sprintf("stratix_ratelimit_total{limit=%q,result=%q}", name, c.result), c.n.Load())
		}
		buckets, crowded := l.all.buckets.Load()+l.doors.buckets.Load(), l.all.crowded.Load()+l.doors.crowded.Load()
		for _, s := range l.shards {
			buckets += s.buckets.Load()
			crowded += s.crowded.Load()
		}
		counter(fmt.Sprintf("stratix_ratelimit_crowded_total{limit=%q}", name), crowded)
		gauge(fmt.Sprintf("stratix_ratelimit_buckets{limit=%q}", name), float64(buckets))
		messages, bytes := l.room.InUse()
		gauge(fmt.Sprintf("stratix_ratelimit_delayed_messages{limit=%q}", name), float64(messages))
		gauge(fmt.Sprintf("stratix_ratelimit_delayed_bytes{limit=%q}", name), float64(bytes))
	}
}
