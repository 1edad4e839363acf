package prefix

import (
	"slices"
	"strings"

	"github.com/stratix-gateway/stratix/core"
)

// index holds routes in the order of their prefixes, each prefix once.
//
// Every prefix of an ID sorts before the ID, and a longer one after a shorter
// one. So the last route that does not sort after the ID is the longest match,
// or else shares its beginning with the ID: then the longest match is among the
// routes that it nests in.
type index []route

type route struct {
	prefix  string
	targets []core.Target
	// outer is the place of the longest other route that prefix begins with,
	// or -1.
	outer int32
}

// newIndex takes ownership of routes.
func newIndex(routes []route) index {
	slices.SortFunc(routes, func(a, b route) int { return strings.Compare(a.prefix, b.prefix) })
	for i := range routes {
		outer := int32(i) - 1
		for outer >= 0 && !strings.HasPrefix(routes[i].prefix, routes[outer].prefix) {
			outer = routes[outer].outer
		}
		routes[i].outer = outer
	}
	return routes
}

// find returns the place of the longest prefix of id, or -1.
func (x index) find(id string) int32 {
	low, high := 0, len(x)
	for low < high {
		middle := int(uint(low+high) / 2)
		if x[middle].prefix <= id {
			low = middle + 1
		} else {
			high = middle
		}
	}
	at := int32(low) - 1
	for at >= 0 && !strings.HasPrefix(id, x[at].prefix) {
		at = x[at].outer
	}
	return at
}
