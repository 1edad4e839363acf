package journal

import (
	"math/bits"
	"time"
)

// buckets of Stats: bucket i counts the values below 2^i that no smaller one
// counts.
const buckets = 32

// Stats is what a journal tells of itself: totals since Open where nothing else
// is said.
type Stats struct {
	Segments int    // there are now, the one being written included
	Bytes    int64  // in them; of the one being written, what is committed
	Head     uint32 // the segment being written; 0 for none
	Needed   uint32 // as Release said
	Full     bool   // there is hardly any room on the disk, if any
	Failing  bool   // the last commit was refused, for whatever reason

	Commits, Batches, Records uint64
	CommittedBytes            uint64
	Refused                   uint64 // batches that got Err
	Syncs, SyncFailures       uint64 // fdatasyncs of segments
	WriteFailures             uint64 // writes and new segments that failed, whether or not there was a way around
	FullFailures              uint64 // those for lack of room
	Moved                     uint64 // bytes told before they were synced, and copied when their segment failed
	Lost                      uint64 // bytes of these that could not be copied
	Seals, Deleted            uint64 // segments
	Torn, Quarantined         uint64 // places that Replay cut; that it set aside
	LastError                 string // "" for none
	LastErrorAt               time.Time

	CommitTime, SyncTime time.Duration // spent
	// CommitTimes counts commits by microseconds, from taking their batches to
	// calling Done; CommitSizes by bytes.
	CommitTimes, CommitSizes [buckets]uint64
}

func bucket(n int64) int { return min(bits.Len64(uint64(max(0, n))), buckets-1) }

// Stats may be called from any goroutine.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	st := j.stats
	st.Needed = j.needed.Load()
	st.Segments = len(j.segments)
	for _, s := range j.segments {
		st.Bytes += s.end
	}
	return st
}
