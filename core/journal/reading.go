package journal

import (
	"fmt"
	"time"
)

// reading goes through the segments of a chain.
type reading struct {
	dir      string
	fs       FS
	from     uint32 // the first segment to read
	progress func(done, total int64)

	record func(at Position, c *commit, payload []byte) error
	hole   func(d *Damage, torn bool) error
	ended  func(s *segment, end int64) // of each segment that was read

	report  Report
	commits uint64 // number of the last commit
	done    int64  // bytes of segments that were read, and of all
	total   int64
	told    time.Time
}

func (r *reading) run(c *chain) error {
	began := time.Now()
	r.told = began
	for _, s := range c.segments {
		if r.wants(s) {
			r.total += min(s.end, s.size)
		}
	}
	for _, s := range c.segments {
		if !r.wants(s) {
			continue
		}
		if s.missing != 0 && s.missing >= c.needed {
			d := &Damage{
				Segment: s.missing, File: segmentPath(r.dir, s.missing), Reason: "segment is missing",
				From: Position{s.missing, 0}, To: Position{s.number, 0},
			}
			if err := r.damaged(d, false); err != nil {
				return err
			}
		}
		if err := r.segment(s, s == c.last); err != nil {
			return err
		}
	}
	r.report.Took = time.Since(began)
	if r.progress != nil {
		r.progress(r.total, r.total)
	}
	return nil
}

func (r *reading) wants(s *segment) bool { return !s.unused && s.number >= r.from }

// segment reads one segment.
func (r *reading) segment(s *segment, last bool) error {
	f, err := r.fs.Open(s.path)
	if err != nil {
		return fmt.Errorf("open segment %08d: %w", s.number, err)
	}
	defer f.Close()
	damage := func(from, to int64, torn bool, reason string) error {
		return r.damaged(&Damage{
			Segment: s.number, File: s.path, Offset: from, Length: to - from, Reason: reason,
			From: Position{s.number, uint32(from)}, To: Position{s.number, uint32(to)},
		}, torn)
	}
	size := min(s.end, s.size)
	w := walker{window: newWindow(f, size), s: s, last: last, hole: damage}
	w.record = func(off uint32, c *commit, payload []byte) error {
		r.report.Records++
		if r.progress != nil && r.report.Records%512 == 0 {
			r.tell(w.bytes)
		}
		return r.record(Position{s.number, off}, c, payload)
	}
	end, err := w.walk()
	r.commits = max(r.commits, w.commits)
	r.report.Bytes += w.bytes
	r.report.Segments++
	r.done += size
	if err != nil {
		return err
	}
	if s.exact && s.end > s.size {
		if err := damage(s.size, s.end, false, "the file is too short"); err != nil {
			return err
		}
		end = s.end
	}
	r.ended(s, end)
	return nil
}

// tell calls progress if it is time to.
func (r *reading) tell(within int64) {
	if now := time.Now(); now.Sub(r.told) >= progressEvery {
		r.told = now
		r.progress(r.done+within, r.total)
	}
}

// damaged puts d into the report when hole has completed it.
func (r *reading) damaged(d *Damage, torn bool) error {
	if err := r.hole(d, torn); err != nil {
		return err
	}
	if torn {
		r.report.Torn = append(r.report.Torn, *d)
	} else {
		r.report.Damaged = append(r.report.Damaged, *d)
	}
	return nil
}
