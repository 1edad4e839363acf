package journal

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// segment is what is known of one file of the log. Journal.mu guards the
// segments of a journal.
type segment struct {
	header
	path   string
	end    int64 // where its commits end
	size   int64 // of the file when it was looked at
	sealed int64 // milliseconds since 1970; 0 while it is the last
	broken bool  // the header could not be read
	// exact says that end is known from the header of the next segment.
	exact bool
	// unused segments hold nothing: they were given up when they were made.
	unused bool
	// missing is the segment that should be before this one, or 0.
	missing uint32
	// moved says where the records from movedFrom on went, in a segment whose
	// sync failed; zero for none.
	movedFrom uint32
	moved     Position
}

const suffix = ".seg"

func segmentPath(dir string, number uint32) string {
	return filepath.Join(dir, fmt.Sprintf("%08d%s", number, suffix))
}

// segmentNumber reads a file name; false if it is no segment's.
func segmentNumber(name string) (uint32, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	n, err := strconv.ParseUint(digits, 10, 32)
	return uint32(n), ok && err == nil && n > 0 && fmt.Sprintf("%08d", n) == digits
}

// public is the segment as others see it.
func (s *segment) public() Segment {
	p := Segment{Number: s.number, Path: s.path, Bytes: s.end, Needed: s.needed, Broken: s.broken}
	if s.created != 0 {
		p.Created = time.UnixMilli(s.created)
	}
	if s.sealed != 0 {
		p.Sealed = time.UnixMilli(s.sealed)
	}
	return p
}

// find returns the segment of that number, or nil. Journal.mu is held.
func (j *Journal) find(number uint32) *segment {
	i, ok := slices.BinarySearchFunc(j.segments, number, func(s *segment, n uint32) int {
		return int(int64(s.number) - int64(n))
	})
	if !ok {
		return nil
	}
	return j.segments[i]
}

// Segments lists the segments that there are, oldest first.
func (j *Journal) Segments() []Segment {
	j.mu.Lock()
	defer j.mu.Unlock()
	var list []Segment
	for _, s := range j.segments {
		list = append(list, s.public())
	}
	return list
}

// List lists the segments in dir, oldest first, without locking it. The last
// one's Bytes are those of its file.
func List(dir string, fs FS) ([]Segment, error) {
	c, err := survey(dir, fs)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	var list []Segment
	for _, s := range c.segments {
		if !s.unused {
			list = append(list, s.public())
		}
	}
	return list, nil
}
