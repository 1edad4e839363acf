package journal

import (
	"errors"
	"fmt"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

// retryEvery is how long upkeep that failed waits until it is tried again.
const retryEvery = time.Minute

// upkeep syncs and deletes what is due. It returns how long there is nothing to
// do, unless the committer is roused.
func (j *Journal) upkeep(now time.Time) time.Duration {
	wait := 24 * time.Hour
	if h := j.c.head; h != nil && h.good > h.synced {
		if s := j.settings.Load(); s.Sync == core.SyncInterval {
			due := j.c.syncedAt.Add(s.Interval).Sub(now)
			if due <= 0 {
				j.syncHead()
			} else {
				wait = min(wait, due)
			}
		}
	}
	return min(wait, max(0, j.retain(now)))
}

// syncHead syncs what is written. What is owed when that fails is written to a
// new segment and synced there, or waits for the next commit.
func (j *Journal) syncHead() {
	for range 2 {
		h := j.c.head
		err := j.datasync(h)
		if err == nil {
			h.synced = h.good
			return
		}
		j.forsake()
		if err = j.open(0); err == nil {
			err = j.settleOwed()
		}
		if err != nil {
			return // it was counted, and logged when it was owed
		}
	}
}

// finish syncs and closes the head.
func (j *Journal) finish() error {
	var err error
	if j.c.owed != nil && j.c.head == nil {
		err = j.open(0)
	}
	if j.c.owed != nil && j.c.head != nil {
		err = j.settleOwed()
	}
	if h := j.c.head; h != nil && h.good > h.synced {
		j.syncHead()
	}
	if o := j.c.owed; o != nil {
		err = errors.Join(err, fmt.Errorf("journal: %d bytes of %s could not be synced", o.to-o.from, o.path))
		_ = o.file.Close()
	}
	if h := j.c.head; h != nil {
		if h.good > h.synced {
			err = errors.Join(err, fmt.Errorf("journal: %d bytes of %s could not be synced", h.good-h.synced, h.path))
		}
		j.retire(h.good)
	}
	return err
}

// failed counts a failed write or new segment, and returns its error.
func (j *Journal) failed(err error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stats.WriteFailures++
	if isFull(err) {
		j.stats.FullFailures++
		j.c.tight = true
	}
	return err
}

// refusal is the error that a batch gets.
func refusal(err error) error {
	if isFull(err) {
		return fmt.Errorf("journal: %w: %w", ErrFull, err)
	}
	return fmt.Errorf("journal: %w: %w", ErrFailed, err)
}

// refused notes that nothing could be committed. It logs the first time.
func (j *Journal) refused(err error) {
	j.mu.Lock()
	first := !j.stats.Failing
	j.stats.Failing, j.stats.Full = true, isFull(err)
	j.stats.LastError, j.stats.LastErrorAt = err.Error(), time.Now()
	j.mu.Unlock()
	if first {
		j.log.Error("nothing can be written to the log", "dir", j.dir, "error", err)
	}
}

// account counts a commit, and gives its batches the error that it ended with.
func (j *Journal) account(batches *Batch, err error, began time.Time) {
	j.mu.Lock()
	st := &j.stats
	bytes := int64(0)
	for b := batches; b != nil; b = b.next {
		if err != nil {
			b.Err = refusal(err)
		}
		if b.Err != nil {
			st.Refused++
			continue
		}
		st.Batches++
		st.Records += uint64(b.records)
		bytes += int64(len(b.Buf))
	}
	recovered := false
	if err == nil {
		took := time.Since(began)
		st.Commits++
		st.CommittedBytes += uint64(bytes)
		st.CommitTime += took
		st.CommitTimes[bucket(took.Microseconds())]++
		st.CommitSizes[bucket(bytes)]++
		recovered, st.Failing, st.Full = st.Failing, false, false
	}
	j.mu.Unlock()
	if recovered {
		j.log.Info("the log can be written again", "dir", j.dir)
	}
}
