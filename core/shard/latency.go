package shard

import (
	"math/bits"
	"time"
)

// Latencies counts times by their length, each within a sixteenth: a bucket for
// each nanosecond below 16, then 16 for each power of two.
type Latencies [16 * (longest - 3)]uint64

// longest is the power of two of nanoseconds, 18 minutes, from which on all times
// are in the last bucket.
const longest = 40

func (l *Latencies) note(d time.Duration) {
	v := uint64(max(0, d))
	i := int(v)
	if v >= 16 {
		shift := bits.Len64(v) - 5
		i = 16*shift + int(v>>shift)
	}
	l[min(i, len(l)-1)]++
}

// upTo is the longest time that bucket i counts.
func upTo(i int) time.Duration {
	if i < 16 {
		return time.Duration(i)
	}
	shift := i/16 - 1
	return time.Duration((i%16+17)<<shift - 1)
}

// Add adds the times of another one.
func (l *Latencies) Add(o *Latencies) {
	for i, n := range o {
		l[i] += n
	}
}

// Sub takes out what was counted before.
func (l *Latencies) Sub(before *Latencies) {
	for i, n := range before {
		l[i] -= n
	}
}

// Samples is how many times there are.
func (l *Latencies) Samples() (n uint64) {
	for _, c := range l {
		n += c
	}
	return n
}

// At is the time that a part of all, 0.99 for 99 in 100, do not exceed; it is too
// long by a sixteenth at the most. At(1) is the longest.
func (l *Latencies) At(part float64) time.Duration {
	want, below := max(1, part*float64(l.Samples())), uint64(0)
	for i, n := range l {
		if below += n; n > 0 && float64(below) >= want {
			return upTo(i)
		}
	}
	return 0
}
