package journal

import (
	"fmt"
	"time"
)

// Report is what a reading of the log found.
type Report struct {
	Records  uint64
	Bytes    int64 // read
	Segments int
	Torn     []Damage // the ends of writes that a crash cut short
	Damaged  []Damage
	Took     time.Duration
}

// Damage is a range of a segment that could not be read.
type Damage struct {
	Segment uint32
	File    string
	Offset  int64
	Length  int64 // 0 where it is not known: a segment that is missing
	// From and To bound the records that may be lost: From <= lost < To.
	From, To Position
	// Quarantine is the file that keeps the bytes; "" if there is none.
	Quarantine string
	Reason     string // such as "segment is missing"
}

// String names the place and the reason.
func (d *Damage) String() string {
	return fmt.Sprintf("%s: %s (%d bytes at %d)", d.File, d.Reason, d.Length, d.Offset)
}

// Segment is one file of the log.
type Segment struct {
	Number  uint32
	Path    string
	Bytes   int64     // up to its end, which its file may be longer than
	Created time.Time // zero where the header is broken
	Sealed  time.Time // zero for the one being written
	Needed  uint32    // the oldest segment that was needed when it was made
	Broken  bool      // its header cannot be read
}

// Entry is one thing that Scan found: a record, or a range that is torn or
// damaged.
type Entry struct {
	At     Position
	Commit uint64 // number of the commit it stands in; 0 where that is not known
	Millis int64  // time of that commit, since 1970
	Record []byte // valid during the call; nil with Damage
	Damage *Damage
	Torn   bool // the Damage is the end of a write that was cut short
}
