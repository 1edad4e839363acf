package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// reserve is the state of one of the files that are room on the disk for batches
// that free room (Batch.Frees). When the disk is full, the first becomes a
// segment for what they say, so that older ones are needed no more, and the
// second one whose header lets these go. Other batches are refused until both
// are there again.
type reserve uint8

const (
	reserveMissing reserve = iota
	reserveReady
	reserveImpossible // for another reason than room; logged
)

func (j *Journal) reservePath(i int) string {
	return filepath.Join(j.dir, fmt.Sprintf("reserve.%d", i+1))
}

// Reserve is how many bytes of batches that free room find it when the disk is
// full, at the most.
func (j *Journal) Reserve() int64 { return j.reserveSize() - headerSize - commitFrame }

// The bounds of the size of each of the two files, in bytes.
const (
	leastReserve = 8 << 10
	mostReserve  = 4 << 20
)

func (j *Journal) reserveSize() int64 {
	return max(min(j.settings.Load().Segment/32, mostReserve)>>j.smaller.Load(), leastReserve)
}

// findReserve takes over what a former life has left, and makes what is missing.
// Where a new log finds little room, the reserve takes a part of it.
func (j *Journal) findReserve() {
	for i := range j.c.reserve {
		f, err := j.fs.Open(j.reservePath(i))
		if err != nil {
			continue // refill makes it
		}
		size, err := f.Size()
		_ = f.Close()
		if err == nil && size >= j.reserveSize() {
			j.c.reserve[i] = reserveReady
		} else {
			_ = j.fs.Remove(j.reservePath(i))
		}
	}
	err := j.refill()
	for err != nil && len(j.segments) == 0 && j.reserveSize() > leastReserve {
		j.smaller.Add(1)
		err = j.refill()
	}
	if err == nil && j.smaller.Load() > 0 {
		j.smaller.Add(1) // something is left for the rest
		for i := range j.c.reserve {
			_ = j.fs.Remove(j.reservePath(i))
			j.c.reserve[i] = reserveMissing
		}
		_ = j.refill()
	}
}

// refill makes what is missing of the reserve. It returns an error when there is
// no room for it.
func (j *Journal) refill() error {
	for i, r := range j.c.reserve {
		if r != reserveMissing {
			continue
		}
		err := j.makeReserve(j.reservePath(i))
		if isFull(err) {
			return j.failed(fmt.Errorf("keep %d bytes in reserve: %w", j.reserveSize(), err))
		}
		j.c.reserve[i] = reserveReady
		if err != nil {
			j.c.reserve[i] = reserveImpossible
			j.log.Warn("the log has no reserve: a full disk may not recover by itself", "file", j.reservePath(i), "error", err)
		}
	}
	return nil
}

// makeReserve makes a file of zeros that has its room on the disk.
func (j *Journal) makeReserve(path string) error {
	file, err := j.fs.Create(path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err != nil { // what was left could not be removed
		if file, err = j.fs.Open(path); err != nil {
			return err
		}
	}
	if err = file.Allocate(j.reserveSize()); err == nil {
		err = fillUp(file, j.reserveSize())
	}
	if err == nil {
		err = file.Datasync()
	}
	if e := file.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = j.fs.SyncDir(j.dir)
	}
	if err != nil {
		_ = j.fs.Remove(path)
	}
	return err
}

// fillUp writes zeros where Allocate does nothing.
func fillUp(f File, size int64) error {
	has, err := f.Size()
	if err != nil || has >= size {
		return err
	}
	_, err = f.WriteAt(make([]byte, size-has), has)
	return err
}

// fromReserve makes a part of the reserve the file of s. It returns its size,
// which is at least least.
func (j *Journal) fromReserve(s *segment, least int64) (file File, size int64, err error) {
	err = errors.New("the reserve is used up")
	for i, r := range j.c.reserve {
		if r != reserveReady || least > j.reserveSize() {
			continue
		}
		j.c.reserve[i] = reserveMissing
		if err = j.fs.Rename(j.reservePath(i), s.path); err != nil {
			continue
		}
		if file, err = j.fs.Open(s.path); err != nil {
			continue
		}
		if size, err = file.Size(); err == nil {
			err = j.seal(file, s)
		}
		return file, size, err
	}
	return nil, 0, err
}
