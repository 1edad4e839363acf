package shard

import (
	"hash/maphash"
	"slices"
	"sync"
	"time"
)

// groupCount is how many groups there were a moment ago.
type groupCount struct {
	mu      sync.Mutex // guards what follows; held while it is counted
	groups  int
	counted time.Time
}

// countAgain is for how long a count is good: whoever may read the metrics may ask
// for it.
const countAgain = time.Second

// GroupCount is how many groups there are; a group is one, however many shards its
// members are on. It is up to a second old. The names are compared by hashes of 64
// bits.
func (set *Set) GroupCount() int {
	c := &set.groups
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.counted.IsZero() && time.Since(c.counted) < countAgain {
		return c.groups
	}
	var hashes []uint64
	for _, s := range set.all {
		set.walk(s, func() int { return len(s.dir.list) }, func(i int) int {
			if i < len(s.dir.list) {
				hashes = append(hashes, maphash.String(set.seed, s.dir.list[i].name))
			}
			return 1
		})
	}
	slices.Sort(hashes)
	c.groups, c.counted = len(slices.Compact(hashes)), time.Now()
	return c.groups
}

// GroupStatus is how many clients a group reaches.
type GroupStatus struct {
	Name      string `json:"name"`
	Connected int    `json:"connected"`
	Offline   int    `json:"offline"` // reliable clients that were in it when they left
}

// Groups returns the groups whose names begin with prefix and come after another,
// in their order; limit at the most. next is what others come after; "" if there
// are none.
func (set *Set) Groups(prefix, after string, limit int) (found []GroupStatus, next string) {
	names := newNames(prefix, after, limit+1)
	for _, s := range set.all {
		set.walk(s, func() int { return len(s.dir.list) }, func(i int) int {
			if i < len(s.dir.list) {
				names.add(s.dir.list[i].name)
			}
			return 1
		})
	}
	all, next := names.page(limit)
	found = make([]GroupStatus, len(all))
	for _, s := range set.all {
		set.on(s, func() {
			for i, name := range all {
				found[i].Name = name
				if g := s.dir.groups[name]; g != nil {
					found[i].Connected += len(g.members)
					found[i].Offline += len(g.absent)
				}
			}
		})
	}
	kept := found[:0]
	for _, g := range found {
		if g.Connected+g.Offline > 0 {
			kept = append(kept, g)
		}
	}
	return kept, next
}
