package load

import (
	"math"
	"strconv"
	"strings"
)

// logCounts is what the gateway's /metrics say of its log since it started.
type logCounts struct {
	commits, records, bytes float64
	seconds, timed          float64 // of the commits that were timed
	buckets                 []bucket
}

// bucket counts what took at most so many seconds.
type bucket struct{ most, count float64 }

// parseLogCounts reads Prometheus text; ok is false if no log is in it.
func parseLogCounts(text string) (c logCounts, ok bool) {
	const name = "stratix_log_"
	for line := range strings.Lines(text) {
		rest, found := strings.CutPrefix(line, name)
		if !found {
			continue
		}
		key, value, _ := strings.Cut(strings.TrimSpace(rest), " ")
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			continue
		}
		switch key {
		case "commits_total":
			c.commits, ok = v, true
		case "records_total":
			c.records = v
		case "committed_bytes_total":
			c.bytes = v
		case "commit_seconds_sum":
			c.seconds = v
		case "commit_seconds_count":
			c.timed = v
		default:
			if le, found := strings.CutPrefix(key, `commit_seconds_bucket{le="`); found {
				most, err := strconv.ParseFloat(strings.TrimSuffix(le, `"}`), 64)
				if err == nil {
					c.buckets = append(c.buckets, bucket{most, v})
				}
			}
		}
	}
	return c, ok
}

// between is what the log did from a to b, which is so many seconds later; nil
// if it committed nothing.
func between(a, b logCounts, seconds float64) *Log {
	commits := b.commits - a.commits
	if commits <= 0 || seconds <= 0 {
		return nil
	}
	l := &Log{
		Commits: commits / seconds,
		Records: (b.records - a.records) / commits,
		Bytes:   (b.bytes - a.bytes) / commits,
	}
	timed := b.timed - a.timed
	if timed <= 0 {
		return l
	}
	l.Mean = (b.seconds - a.seconds) / timed * 1000
	for i, k := range b.buckets {
		n := k.count
		if i < len(a.buckets) && a.buckets[i].most == k.most {
			n -= a.buckets[i].count
		}
		if n >= 0.99*timed {
			if !math.IsInf(k.most, 1) {
				l.P99 = k.most * 1000
			}
			break
		}
	}
	return l
}
