package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stratix-gateway/stratix/core/record"
)

// losses are what is lost for good since a gateway has started.
type losses struct {
	gaps    map[string]uint64 // by cause
	letters uint64            // dead letters that reached nobody
	givenUp []givenUp
}

// givenUp is what was not brought to an upstream.
type givenUp struct {
	upstream string
	messages uint64
	letters  bool // they went to somebody as dead letters
}

// String is the losses for a person, the largest number first; "" for none. What was
// replaced by something newer on purpose is none.
func (l *losses) String() string {
	found := maps.Clone(l.gaps)
	if found == nil {
		found = map[string]uint64{}
	}
	delete(found, record.Conflated.String())
	found["dead letter(s) that reached nobody"] = l.letters
	for _, g := range l.givenUp {
		what := "given up for upstream " + g.upstream
		if g.letters {
			what += " (sent on as dead letters)"
		}
		found[what] = g.messages
	}
	maps.DeleteFunc(found, func(_ string, n uint64) bool { return n == 0 })
	parts := slices.SortedFunc(maps.Keys(found), func(a, b string) int {
		return cmp.Or(cmp.Compare(found[b], found[a]), strings.Compare(a, b))
	})
	for i, what := range parts {
		parts[i] = fmt.Sprintf("%d %s", found[what], what)
	}
	return strings.Join(parts, ", ")
}

// text is the row of a page about them.
func (l *losses) text() string {
	if all := l.String(); all != "" {
		return "SINCE THE START: " + all
	}
	return "nothing since the start"
}
