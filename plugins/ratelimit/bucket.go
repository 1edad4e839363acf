package ratelimit

import "math"

// unit is one token in the integers that buckets count in: small enough for a
// rate of 0.001 a second to be exact in a millisecond, and large enough for
// maxBurst and what waits on top of it to fit an int64.
const unit = 1_000_000_000_000

// backwards is how far the clock may go back, in milliseconds, before a bucket
// follows it: less than that is the shards' clocks and messages that were held,
// for which it has refilled already.
const backwards = 60_000

// pace is how a bucket drains. It belongs to the stage, so that a changed one
// holds for the buckets that there are.
type pace struct {
	perMilli int64 // of unit, that are paid back in a millisecond
	burst    int64 // the most that may be owed by messages that pass at once ...
	most     int64 // ... and by those that wait for their tokens, too
	span     int64 // the milliseconds after which nothing is owed, whatever was
}

// newPace is a pace of rate tokens a second, with burst of them at once and more
// for messages that wait up to patience milliseconds.
func newPace(rate float64, burst int, patience int64) pace {
	p := pace{perMilli: max(1, int64(math.Round(rate*(unit/1000)))), burst: int64(burst) * unit}
	p.most = p.burst + patience*p.perMilli
	p.span = p.most/p.perMilli + 1
	return p
}

// bucket is who has taken how much: a full bucket owes nothing, and is as a new
// one.
type bucket struct {
	at   int64 // when owed was true, in milliseconds since 1970
	owed int64 // of unit
}

// refill brings b to the moment now.
func (b *bucket) refill(now int64, p *pace) {
	elapsed := now - b.at
	b.owed = min(b.owed, p.most)
	switch {
	case elapsed > 0 && elapsed >= p.span:
		b.owed = 0
	case elapsed > 0:
		b.owed = max(0, b.owed-elapsed*p.perMilli)
	case elapsed >= -backwards:
		return
	}
	b.at = now
}

// take takes a token if it is there within patience milliseconds; wait is when it
// is, from now on, and 0 for at once. Without ok nothing was taken.
func (b *bucket) take(now int64, p *pace, patience int64) (wait int64, ok bool) {
	b.refill(now, p)
	over := b.owed + unit - p.burst
	if over > 0 {
		wait = (over + p.perMilli - 1) / p.perMilli
		if wait > patience {
			return wait + b.at - now, false
		}
		wait += b.at - now
	}
	b.owed += unit
	return wait, true
}

// full reports whether b is as a new bucket at the moment now.
func (b *bucket) full(now int64, p *pace) bool {
	elapsed := now - b.at
	return elapsed >= p.span || elapsed >= 0 && b.owed <= elapsed*p.perMilli
}
