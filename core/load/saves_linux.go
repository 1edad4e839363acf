package load

import (
	"bytes"
	"sync/atomic"
	"time"
)

// A probe asks which save is live. Nobody outside knows which shard owns which
// client, so there are enough for each core that hardly a shard is left without
// one: with two shards that happens once in 30,000 runs, with sixteen once in 240.
const (
	probesPerCore = 8
	probeEvery    = 2 * time.Millisecond // each
	probeSize     = 192                  // bytes of JSON, at least
)

// saves follows the saves of a reload, which have numbers from 1. One is live
// when every probe has an answer that bears its number. The goroutine that saves
// begins each after the one before is live; the workers note what they see.
type saves struct {
	probes  int
	last    atomic.Uint32
	missing atomic.Int32 // probes that have not seen the last one
	// When the last save began, and when the last one that is live became so, in
	// nanoseconds of the fleet's clock.
	began, lived atomic.Int64
	live         chan time.Duration // how long it took; there is room for one
}

// begin makes n, the next number, the last save.
func (s *saves) begin(n uint32, now time.Duration) {
	s.missing.Store(int32(s.probes))
	s.began.Store(int64(now))
	s.last.Store(n)
}

// saw notes that one more probe has seen the last save.
func (s *saves) saw(now time.Duration) {
	if s.missing.Add(-1) == 0 {
		s.lived.Store(int64(now))
		s.live <- now - time.Duration(s.began.Load())
	}
}

// under reports whether a save was going live when something was due.
func (s *saves) under(due time.Duration) bool {
	began, lived := s.began.Load(), s.lived.Load()
	return began > 0 && int64(due) >= began && (lived < began || int64(due) <= lived)
}

// timed records the latency of a message.
func (w *worker) timed(due time.Duration) {
	h := w.latency
	if s := w.fleet.traffic.saves; s != nil && s.under(due) {
		h = w.saving
	}
	w.record(h, due)
}

// probed handles the answer to a probe.
func (w *worker) probed(c *conn, text []byte) {
	s := w.fleet.traffic.saves
	n, ok := saveNumber(text)
	last := s.last.Load()
	switch {
	case !ok || n > last:
		w.Strange++
	case n < c.save:
		w.Stale++
	case n > c.save:
		c.save = n
		if n == last {
			s.saw(w.fleet.now())
		}
	}
}

// saveNumber reads which save stamped a probe; 0 is none.
func saveNumber(text []byte) (n uint32, ok bool) {
	at := bytes.Index(text, []byte(saveMark))
	if at < 0 {
		return 0, true
	}
	for i, digit := range text[at+len(saveMark):] {
		switch {
		case digit == '"':
			return n, i > 0
		case digit < '0' || digit > '9' || i == 9:
			return 0, false
		}
		n = n*10 + uint32(digit-'0')
	}
	return 0, false
}
