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
	wait = min(wait, max(0, j.retain(now)))
	if !j.probe(now) {
		wait = min(wait, probeEvery)
	}
	return wait
}

// probeEvery is how often a full disk is looked at.
const probeEvery = 100 * time.Millisecond

// probe finds out whether a disk that was full has room again: for the reserve,
// and as much beside it.
func (j *Journal) probe(now time.Time) bool {
	j.mu.Lock()
	full := j.stats.Full
	j.mu.Unlock()
	if !full && j.c.reserve[0] != reserveMissing && j.c.reserve[1] != reserveMissing {
		return true
	}
	if now.Sub(j.c.probed) < probeEvery {
		return false
	}
	j.c.probed = now
	if j.refill() != nil {
		return false
	}
	if full && j.open(j.reserveSize(), false) != nil {
		return false
	}
	j.mu.Lock()
	j.stats.Full = false
	j.mu.Unlock()
	if full {
		j.log.Info("the disk has room for the log again", "dir", j.dir)
	}
	return true
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
		if err = j.open(0, true); err == nil {
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
		err = j.open(0, true)
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

// sayEvery is how often a log that fails and works by turns says so.
const sayEvery = 10 * time.Second

// refused notes that nothing could be committed. It logs the first time.
func (j *Journal) refused(err error) {
	j.mu.Lock()
	first := !j.stats.Failing && time.Since(j.c.said) >= sayEvery
	if first {
		j.c.said = time.Now()
	}
	j.stats.Failing, j.stats.Full = true, j.stats.Full || isFull(err)
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
	bytes, others := int64(0), false
	for b := batches; b != nil; b = b.next {
		others = others || b.Frees == 0
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
		if others { // that what frees room finds some says nothing
			recovered, st.Failing = st.Failing, false
		}
	}
	j.mu.Unlock()
	if recovered && j.c.said != j.c.unsaid {
		j.c.unsaid = j.c.said
		j.log.Info("the log can be written again", "dir", j.dir)
	}
}
