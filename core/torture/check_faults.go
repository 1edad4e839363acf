package torture

import (
	"slices"
	"sort"
	"time"
)

// faultTimes says when which faults were in force.
type faultTimes struct {
	spans map[string][]span // in order
	kills []time.Duration
	flips []time.Duration
}

type span struct{ from, to time.Duration }

func (f *faultTimes) enter(e *Event) {
	spans := f.spans[e.Code]
	switch {
	case e.Code == FaultKill:
		f.kills = append(f.kills, e.At)
	case e.Code == FaultFlip:
		f.flips = append(f.flips, e.At)
	case e.Text == "on":
		f.spans[e.Code] = append(spans, span{e.At, never})
	case e.Text == "off" && len(spans) > 0 && spans[len(spans)-1].to == never:
		spans[len(spans)-1].to = e.At
	}
}

// during reports whether the named fault was in force at any time from from to
// to.
func (f *faultTimes) during(name string, from, to time.Duration) bool {
	spans := f.spans[name]
	i := sort.Search(len(spans), func(i int) bool { return spans[i].to >= from })
	return i < len(spans) && spans[i].from <= to
}

// between reports whether one of the times, which are in order, is from from to
// to.
func between(times []time.Duration, from, to time.Duration) bool {
	i, _ := slices.BinarySearch(times, from)
	return i < len(times) && times[i] <= to
}

// lastBefore returns the last of the times, which are in order, before at, or 0.
func lastBefore(times []time.Duration, at time.Duration) time.Duration {
	i, _ := slices.BinarySearch(times, at)
	if i == 0 {
		return 0
	}
	return times[i-1]
}
