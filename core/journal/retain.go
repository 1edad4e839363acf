package journal

import (
	"time"
)

// retain deletes the segments that are neither needed nor to be retained. It
// returns when to look again, which is asked for to be cheap.
//
// Without room on the disk they are not retained for their age and number.
//
// A segment may go only when the header of the head, which is synced, says that
// Replay begins behind it. If that header is too old, a new segment is begun.
func (j *Journal) retain(now time.Time) time.Duration {
	if !j.retentionDue(now) {
		return j.c.retainAt.Sub(now)
	}
	idle, wait := j.expired(now)
	if len(idle) > 0 && (j.c.head == nil || idle[len(idle)-1].number >= j.c.head.needed) {
		if j.open(0, true) != nil {
			wait = min(wait, retryEvery)
		}
	}
	deleted := 0
	for _, s := range idle {
		if j.c.head == nil || s.number >= j.c.head.needed {
			break
		}
		if err := j.delete(s); err != nil {
			j.log.Warn("a segment of the log could not be deleted", "file", s.path, "error", err)
			wait = min(wait, retryEvery)
			break
		}
		deleted++
	}
	if deleted > 0 {
		// If it is not durable, a deleted one comes back and goes again.
		_ = j.fs.SyncDir(j.dir)
	}
	j.c.tight = false
	j.c.retainAt = now.Add(wait)
	return wait
}

// retentionDue reports whether something has changed, or the time has come.
func (j *Journal) retentionDue(now time.Time) bool {
	s, needed, seals := j.settings.Load(), j.needed.Load(), j.c.next
	if !j.c.tight && s == j.c.looked && needed == j.c.released && seals == j.c.sealed && now.Before(j.c.retainAt) {
		return false
	}
	j.c.looked, j.c.released, j.c.sealed = s, needed, seals
	return true
}

// expired returns the segments that may go, oldest first, and when there may be
// more.
func (j *Journal) expired(now time.Time) (idle []*segment, wait time.Duration) {
	set, needed := j.settings.Load(), j.needed.Load()
	j.mu.Lock()
	defer j.mu.Unlock()
	bytes := int64(0)
	for _, s := range j.segments {
		if s.number >= needed || j.c.head != nil && s == j.c.head.segment {
			break
		}
		idle = append(idle, s)
		bytes += s.end
	}
	if j.c.tight {
		return idle, 24 * time.Hour
	}
	for i, s := range idle {
		left := time.UnixMilli(s.sealed).Add(set.RetainAge).Sub(now)
		if left > 0 && bytes <= set.RetainBytes {
			return idle[:i], left
		}
		bytes -= s.end
	}
	return idle, 24 * time.Hour
}

func (j *Journal) delete(s *segment) error {
	j.files.forget(s.number)
	if err := j.fs.Remove(s.path); err != nil {
		return err
	}
	j.mu.Lock()
	j.segments = j.segments[1:]
	j.stats.Deleted++
	j.mu.Unlock()
	return nil
}
