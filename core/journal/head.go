package journal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// head is the segment being written.
type head struct {
	*segment
	file   File
	good   int64 // behind the last commit that its producers were told of
	synced int64 // behind the last that is synced, at most good
	room   int64 // that was asked for with Allocate
}

// owed is what producers were told of, but what must be written anew because its
// segment failed to sync.
type owed struct {
	*segment
	file     File
	from, to int64
}

// open makes a new segment with room for a commit of size bytes, of the reserve
// if there is no other and frees says that it is for what frees room; the head,
// if there is one, is sealed by it. If it returns an error, the head is as it
// was, or retired.
func (j *Journal) open(size int64, frees bool) error {
	if j.c.head != nil {
		j.settle(false)
	}
	least := headerSize + size + j.owes()
	room := max(j.settings.Load().Segment, least)
	s := &segment{end: headerSize}
	s.header = header{
		number: j.c.next, needed: j.needed.Load(), created: time.Now().UnixMilli(),
		prev: j.c.prev, prevEnd: j.c.prevEnd, salt: newSalt(),
	}
	if h := j.c.head; h != nil {
		s.prev, s.prevEnd = h.number, uint32(h.good)
	}
	s.path = segmentPath(j.dir, s.number)
	file, err := j.fs.Create(s.path)
	if err != nil {
		return j.failed(fmt.Errorf("make segment %08d: %w", s.number, err))
	}
	j.c.next++
	room, err = j.begin(file, s, room, least)
	if err != nil {
		gone := j.giveUp(file, s)
		if gone == nil && isFull(err) && frees {
			full := err
			if file, room, err = j.fromReserve(s, least); err != nil {
				err = fmt.Errorf("%w; %w", full, err)
				gone = j.giveUp(file, s)
			}
		}
		if err != nil && gone != nil && j.c.head != nil {
			// Its header may stay, and says that the head ends here.
			j.retire(j.c.head.good)
		}
		if err != nil {
			return j.failed(fmt.Errorf("make segment %08d of %d bytes: %w", s.number, room, err))
		}
	}
	if old := j.c.head; old != nil {
		j.retire(old.good)
	}
	j.c.head = &head{segment: s, file: file, good: headerSize, synced: headerSize, room: room}
	j.mu.Lock()
	if n := len(j.segments); n > 0 && j.segments[n-1].sealed == 0 { // of the last life
		j.segments[n-1].sealed = s.created
	}
	j.segments = append(j.segments, s)
	j.stats.Head = s.number
	j.mu.Unlock()
	return nil
}

// begin makes the file of s last, with room bytes of room, or less if there is
// not so much, but not less than least. It returns what there is, or was asked
// for last.
func (j *Journal) begin(file File, s *segment, room, least int64) (int64, error) {
	err := file.Allocate(room)
	for isFull(err) && room > least {
		room = max(room/2, least)
		err = file.Allocate(room)
	}
	if isFull(err) {
		return room, err
	}
	return room, j.seal(file, s)
}

// seal makes the header of s, and its file, last.
func (j *Journal) seal(file File, s *segment) error {
	if _, err := file.WriteAt(s.encode(), 0); err != nil {
		return err
	}
	if err := file.Datasync(); err != nil {
		return err
	}
	return j.fs.SyncDir(j.dir)
}

// giveUp removes a segment that could not be made. After an error its header may
// stay.
func (j *Journal) giveUp(file File, s *segment) error {
	if file != nil {
		_ = file.Close()
	}
	if err := j.fs.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return j.fs.SyncDir(j.dir)
}

func newSalt() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint32(b[:])
}

// append writes b behind the head's end, without moving that. When it fails, it
// takes back what was written, or retires the head.
func (j *Journal) append(b []byte) error {
	h := j.c.head
	_, err := h.file.WriteAt(b, h.good)
	if err == nil {
		return nil
	}
	err = j.failed(fmt.Errorf("write segment %08d: %w", h.number, err))
	if e := h.file.Truncate(h.good); e != nil {
		j.settle(true)
		return fmt.Errorf("%w; %w", err, e)
	}
	_ = h.file.Allocate(h.room) // without it, writes ask for room themselves
	return err
}

// grow moves the head's end.
func (j *Journal) grow(end int64) {
	j.c.head.good = end
	j.mu.Lock()
	j.c.head.end = end
	j.mu.Unlock()
}

// retire seals the head at end; the next header will say so.
func (j *Journal) retire(end int64) {
	h := j.c.head
	j.c.head = nil
	j.c.prev, j.c.prevEnd = h.number, uint32(end)
	if j.c.owed == nil || j.c.owed.segment != h.segment {
		_ = h.file.Truncate(end) // gives back what was reserved
		_ = h.file.Close()
	}
	j.mu.Lock()
	h.end, h.sealed = end, time.Now().UnixMilli()
	j.stats.Head = 0
	j.stats.Seals++
	j.mu.Unlock()
}

// settle syncs the head, and retires it if that fails, or if it is to.
func (j *Journal) settle(retire bool) {
	h := j.c.head
	if h.good > h.synced {
		if j.datasync(h) != nil {
			j.forsake()
			return
		}
		h.synced = h.good
	}
	if retire {
		j.retire(h.good)
	}
}

// forsake retires the head after a sync that failed: it is never written or
// synced again, since the system may have dropped what it could not write.
func (j *Journal) forsake() {
	h := j.c.head
	if h.good > h.synced {
		j.c.owed = &owed{segment: h.segment, file: h.file, from: h.synced, to: h.good}
	}
	j.retire(h.synced)
}

func (j *Journal) owes() int64 {
	if o := j.c.owed; o != nil {
		return o.to - o.from
	}
	return 0
}

// settleOwed copies to the head what is owed. It is lost if it cannot be read.
func (j *Journal) settleOwed() error {
	o, h := j.c.owed, j.c.head
	if o == nil {
		return nil
	}
	w := newWindow(o.file, o.to)
	b := w.at(o.from, int(o.to-o.from))
	if !whole(b, o.salt, uint32(o.from)) {
		j.log.Error("records that were told to be in the log are lost, since it could not be synced",
			"file", o.path, "offset", o.from, "bytes", o.to-o.from, "reason", w.reason(o.from))
		j.mu.Lock()
		j.stats.Lost += uint64(len(b))
		j.mu.Unlock()
		j.c.owed = nil
		_ = o.file.Close()
		return nil
	}
	mask(b, o.salt, uint32(o.from), true)
	mask(b, h.salt, uint32(h.good), true)
	if err := j.append(b); err != nil {
		return err
	}
	j.mu.Lock()
	o.movedFrom, o.moved = uint32(o.from), Position{h.number, uint32(h.good)}
	j.stats.Moved += uint64(len(b))
	j.mu.Unlock()
	j.grow(h.good + int64(len(b)))
	j.c.owed = nil
	_ = o.file.Truncate(o.from)
	_ = o.file.Close()
	return nil
}

// whole reports whether b, which stands at off, is intact frames.
func whole(b []byte, salt, off uint32) bool {
	for i := 0; i < len(b); {
		if len(b)-i < frameHead {
			return false
		}
		size, ok := frameSize(binary.LittleEndian.Uint32(b[i:]))
		if !ok || size > len(b)-i || !intact(b[i:i+size], salt, off+uint32(i)) {
			return false
		}
		i += size
	}
	return true
}

// datasync syncs the file of h. It must not be called again when it failed.
func (j *Journal) datasync(h *head) error {
	began := time.Now()
	err := h.file.Datasync()
	j.c.syncedAt = time.Now()
	j.mu.Lock()
	j.stats.Syncs++
	j.stats.SyncTime += j.c.syncedAt.Sub(began)
	if err != nil {
		j.stats.SyncFailures++
	}
	j.mu.Unlock()
	if err != nil {
		j.log.Error("a segment of the log could not be synced, and is written no more", "file", h.path, "error", err)
		return fmt.Errorf("sync segment %08d: %w", h.number, err)
	}
	return nil
}
