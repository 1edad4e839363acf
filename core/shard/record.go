package shard

import (
	"slices"

	"github.com/stratix-gateway/stratix/core/traffic"
)

// recordTick is how many messages of a tick are recorded, on each shard: some
// thousands a second.
const recordTick = 500

// Recorded returns what clients have sent of late, the newest most messages,
// oldest first.
func (set *Set) Recorded(most int) []traffic.Input {
	var all []traffic.Input
	for _, s := range set.all {
		var entries []byte
		next, done := uint64(0), false
		for !done {
			var ends []int
			entries = nil
			if !set.on(s, func() {
				next, done = s.recorder.Each(next, searchBytes, func(entry []byte) {
					entries = append(entries, entry...)
					ends = append(ends, len(entries))
				})
			}) {
				break
			}
			from := 0
			for _, end := range ends {
				var in traffic.Input
				if traffic.Read(entries[from:end:end], &in) {
					all = append(all, in)
				}
				from = end
			}
		}
	}
	slices.SortStableFunc(all, func(a, b traffic.Input) int { return int(min(max(a.Time-b.Time, -1), 1)) })
	return slices.Clone(all[max(0, len(all)-most):])
}
