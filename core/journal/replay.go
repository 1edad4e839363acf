package journal

import (
	"fmt"
	"time"
)

// progressEvery is how often Replay tells of its progress.
const progressEvery = 200 * time.Millisecond

// Replay calls f for each record that a recovery needs, in the order of their
// commits. batchMillis is the time of the commit, since 1970; record is valid
// during the call. If there is a progress, it is called now and then with the
// bytes that are read of how many, and at the end.
//
// The end of a write that a crash cut short is cut off. What else cannot be read
// is copied to <Dir>/quarantine and stepped over. The report names both. An
// error is one of f, or of opening a segment, or of syncing the last one: what f
// was given is synced when Replay returns, also if a kill came before that.
func (j *Journal) Replay(f func(at Position, batchMillis int64, record []byte) error, progress func(done, total int64)) (Report, error) {
	r := reading{
		dir: j.dir, fs: j.fs, from: j.c.chain.needed, progress: progress,
		record: func(at Position, c *commit, payload []byte) error { return f(at, c.millis, payload) },
		hole: func(d *Damage, torn bool) error {
			j.found(d, torn)
			return nil
		},
		ended: func(s *segment, end int64) {
			j.mu.Lock()
			s.end = end
			j.mu.Unlock()
		},
	}
	err := r.run(j.c.chain)
	if err != nil {
		return r.report, fmt.Errorf("journal: %w", err)
	}
	j.c.commits = r.commits
	if last := j.c.chain.last; last != nil {
		if err := j.secure(last); err != nil {
			return r.report, fmt.Errorf("journal: %w", err)
		}
		j.c.prev, j.c.prevEnd = last.number, uint32(last.end)
	}
	for _, s := range j.c.chain.segments {
		if s.unused {
			// If it stays, no header will ever link to it.
			_ = j.fs.Remove(s.path)
		}
	}
	j.c.chain = nil
	j.replayed = true
	return r.report, nil
}

// found counts and logs damage, and sets it aside.
func (j *Journal) found(d *Damage, torn bool) {
	attrs := []any{"file", d.File, "offset", d.Offset, "bytes", d.Length, "reason", d.Reason}
	j.mu.Lock()
	if torn {
		j.stats.Torn++
	} else {
		j.stats.Quarantined++
	}
	j.mu.Unlock()
	if torn {
		j.log.Warn("the log ends in an unfinished write, which is cut off", attrs...)
		return
	}
	if err := j.quarantine(d); err != nil {
		j.log.Error("damage in the log could not be set aside", append(attrs, "error", err)...)
		return
	}
	j.log.Error("the log is damaged", append(attrs, "quarantine", d.Quarantine)...)
}

// secure gives back what is in the file of the last segment behind its end, room
// that was reserved and an unfinished write, and syncs the rest: a process that
// was killed may have written it without, and all others were synced when the
// next one was made.
func (j *Journal) secure(s *segment) error {
	f, err := j.fs.Open(s.path)
	if err != nil {
		return fmt.Errorf("open segment %08d: %w", s.number, err)
	}
	defer f.Close()
	if s.size > s.end {
		if err := f.Truncate(s.end); err != nil { // the next header says where it ends
			j.log.Info("a segment of the log stays longer than it has to be", "file", s.path, "error", err)
		}
	}
	if err := f.Datasync(); err != nil {
		return fmt.Errorf("sync segment %08d: %w", s.number, err)
	}
	return nil
}

// Scan calls f for each record and each damage in dir, from the oldest segment
// on. It locks and changes nothing. Where a gateway is writing, what it has
// just begun is found as torn.
func Scan(dir string, fs FS, f func(Entry) error) (Report, error) {
	c, err := survey(dir, fs)
	if err != nil {
		return Report{}, fmt.Errorf("journal: %w", err)
	}
	r := reading{
		dir: dir, fs: fs, from: 0,
		record: func(at Position, c *commit, payload []byte) error {
			return f(Entry{At: at, Commit: c.number, Millis: c.millis, Record: payload})
		},
		hole:  func(d *Damage, torn bool) error { return f(Entry{At: d.From, Damage: d, Torn: torn}) },
		ended: func(s *segment, end int64) { s.end = end },
	}
	if err := r.run(c); err != nil {
		return r.report, fmt.Errorf("journal: %w", err)
	}
	return r.report, nil
}
