package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"
)

// firstRead is how much is read of a record whose length is not known.
const firstRead = 1 << 10

// ReadRecord reads the record at a Position of a Batch or of Replay, and checks
// it. The payload lies in buf if that is large enough. The error wraps
// fs.ErrNotExist if the segment has been deleted, and ErrNotNow if it cannot be
// opened, which says nothing of the record. It may wait for the disk.
func (j *Journal) ReadRecord(at Position, buf []byte) (payload []byte, err error) {
	at, salt, ok := j.locate(at)
	if !ok {
		return nil, fmt.Errorf("journal: read segment %08d: %w", at.Segment, fs.ErrNotExist)
	}
	file, err := j.files.acquire(at.Segment)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("%w: %w", ErrNotNow, err)
	case err == nil:
		payload, err = readRecord(file.File, at.Offset, salt, buf)
		j.files.release(file)
	}
	if err != nil {
		return nil, fmt.Errorf("journal: read segment %08d at %d: %w", at.Segment, at.Offset, err)
	}
	return payload, nil
}

// locate follows at to where the record is now.
func (j *Journal) locate(at Position) (now Position, salt uint32, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for {
		s := j.find(at.Segment)
		if s == nil {
			return at, 0, false
		}
		if s.movedFrom == 0 || at.Offset < s.movedFrom {
			return at, s.salt, true
		}
		at = Position{s.moved.Segment, s.moved.Offset + at.Offset - s.movedFrom}
	}
}

// ErrNotNow is why a record is not read that may be intact: there is no descriptor
// for its file, for example.
var ErrNotNow = errors.New("cannot be opened for now")

var errNoRecord = errors.New("there is no intact record")

func readRecord(f File, off, salt uint32, buf []byte) ([]byte, error) {
	buf = slices.Grow(buf[:0], firstRead)
	buf = buf[:cap(buf)]
	n, err := f.ReadAt(buf[:min(len(buf), 64<<10)], int64(off))
	if err != nil && err != io.EOF {
		return nil, err
	}
	if n < frameHead {
		return nil, errNoRecord
	}
	length := binary.LittleEndian.Uint32(buf)
	size, ok := frameSize(length)
	if !ok || length&commitBit != 0 {
		return nil, errNoRecord
	}
	if size > n {
		if size > len(buf) {
			buf = append(buf[:n], make([]byte, size-n)...)
		}
		if m, err := f.ReadAt(buf[n:size], int64(off)+int64(n)); m < size-n {
			if err == io.EOF {
				err = errNoRecord
			}
			return nil, err
		}
	}
	if !intact(buf[:size], salt, off) {
		return nil, errNoRecord
	}
	copy(buf, buf[frameHead:frameHead+length])
	return buf[:length], nil
}

// maxOpen is how many files stay open for ReadRecord.
const maxOpen = 32

// fileCache keeps the files that were read last open.
type fileCache struct {
	open func(number uint32) (File, error)

	mu   sync.Mutex
	byNo map[uint32]*openFile
	tick uint64 // grows with every use
}

// openFile is one file of a cache, which guards all but File.
type openFile struct {
	File
	number uint32
	users  int
	used   uint64
	gone   bool // not in the cache any more: the last user closes it
}

// acquire returns the file, which stays open until it is released.
func (c *fileCache) acquire(number uint32) (*openFile, error) {
	c.mu.Lock()
	f := c.byNo[number]
	if f == nil {
		c.mu.Unlock()
		file, err := c.open(number)
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		if f = c.byNo[number]; f != nil { // another was faster
			defer file.Close()
		} else {
			f = &openFile{File: file, number: number}
			c.insert(f)
		}
	}
	defer c.mu.Unlock()
	c.tick++
	f.used = c.tick
	f.users++
	return f, nil
}

// insert adds f and drops the file whose last use is the longest ago.
func (c *fileCache) insert(f *openFile) {
	if c.byNo == nil {
		c.byNo = map[uint32]*openFile{}
	}
	if len(c.byNo) >= maxOpen {
		var oldest *openFile
		for _, o := range c.byNo {
			if oldest == nil || o.used < oldest.used {
				oldest = o
			}
		}
		c.drop(oldest)
	}
	c.byNo[f.number] = f
}

func (c *fileCache) drop(f *openFile) {
	delete(c.byNo, f.number)
	f.gone = true
	if f.users == 0 {
		_ = f.Close()
	}
}

func (c *fileCache) release(f *openFile) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.users--; f.gone && f.users == 0 {
		_ = f.Close()
	}
}

// forget closes the file of a segment that is about to be deleted.
func (c *fileCache) forget(number uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.byNo[number]; f != nil {
		c.drop(f)
	}
}

func (c *fileCache) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.byNo {
		c.drop(f)
	}
}
