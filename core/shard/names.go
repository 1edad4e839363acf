package shard

import (
	"slices"
	"sort"
	"strings"
)

// walkStep is how many things of a shard are looked at between two of its turns.
const walkStep = 4 << 10

// walk calls f on a shard's goroutine with every index below count, from the last
// to the first, a part of them at a time. What takes the last place in a list
// when something is removed is looked at twice then, and never missed.
func (set *Set) walk(s *Shard, count func() int, f func(i int)) {
	at := -1
	ok := set.on(s, func() { at = count() })
	for ok && at > 0 {
		low := max(0, at-walkStep)
		ok = set.on(s, func() {
			for i := at - 1; i >= low; i-- {
				f(i)
			}
		})
		at = low
	}
}

// names gathers the first names that begin with a prefix and come after another
// one: most of them, each once.
type names struct {
	prefix, after string
	most          int
	all           []string // sorted
}

func newNames(prefix, after string, most int) *names {
	return &names{prefix: prefix, after: after, most: most}
}

// add adds a name if it is one of them. It reports whether names behind it may be.
func (n *names) add(name string) bool {
	if name <= n.after {
		return true
	}
	if !strings.HasPrefix(name, n.prefix) {
		return name < n.prefix
	}
	i := sort.SearchStrings(n.all, name)
	switch {
	case i < len(n.all) && n.all[i] == name:
		return true
	case i == n.most:
		return false
	}
	n.all = slices.Insert(n.all, i, name)
	if len(n.all) > n.most {
		n.all = n.all[:n.most]
	}
	return true
}

func (n *names) sorted() []string { return n.all }
