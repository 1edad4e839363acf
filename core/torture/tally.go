package torture

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Tally counts what a history holds. The zero value has counted nothing.
type Tally struct {
	counts map[string]int
	sent   map[string]int // by sender, the highest N
}

// Add counts e, and does not keep it.
func (t *Tally) Add(e *Event) {
	if t.counts == nil {
		t.counts, t.sent = map[string]int{}, map[string]int{}
	}
	switch e.Kind {
	case Sent:
		if e.N > t.sent[e.Client] {
			t.sent[e.Client] = e.N
			t.counts["messages"]++
		} else {
			t.counts["sent again"]++
		}
	case Told:
		t.counts["told "+e.Stored+" "+e.Status]++
		if e.Counts != nil && e.Counts.Refused > 0 {
			t.counts["told that some refuse"]++
		}
	case Refused:
		t.counts["refused "+e.Code]++
	case Received:
		switch {
		case e.Plain:
			t.counts["received by plain clients"]++
		case e.Repeat:
			t.counts["received again and dropped"]++
		case e.Seq == 0:
			t.counts["received without seq"]++
		default:
			t.counts["received"]++
		}
	case Gapped:
		t.counts["gap "+e.Cause] += int(e.UpTo - e.Seq + 1)
	case Greeted:
		if e.Recovered {
			t.counts["hello recovered"]++
		} else {
			t.counts["hello new epoch"]++
		}
	case Fault:
		if e.Text != "off" && e.Code != faultCalm && e.Code != faultRest {
			t.counts["fault "+e.Code]++
		}
	case Bounded:
		t.counts["bounded "+e.Code]++
	}
}

// String is all counts in a line.
func (t *Tally) String() string {
	words := slices.Sorted(maps.Keys(t.counts))
	for i, word := range words {
		words[i] = fmt.Sprintf("%s: %d", word, t.counts[word])
	}
	return strings.Join(words, "; ")
}
