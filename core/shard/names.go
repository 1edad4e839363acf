package shard

import (
	"slices"
	"sort"
	"strings"
)

// walkStep is how many things of a shard are looked at between two of its turns.
const walkStep = 4 << 10

// walk calls f on a shard's goroutine with every index below count, from the last
// to the first, a part of them at a time; f returns how many things it has looked
// at. What takes the last place in a list when something is removed is looked at
// twice then, and never missed.
func (set *Set) walk(s *Shard, count func() int, f func(i int) int) {
	at := -1
	ok := set.on(s, func() { at = count() })
	for ok && at > 0 {
		ok = set.on(s, func() {
			for seen := 0; at > 0 && seen < walkStep; {
				at--
				seen += f(at)
			}
		})
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

// page returns the first of the names, limit at the most, and the last of these
// if there are others behind it: also where nothing more is known of it by then.
func (n *names) page(limit int) (all []string, next string) {
	if len(n.all) <= limit {
		return n.all, ""
	}
	return n.all[:limit], n.all[limit-1]
}
