package journal

import (
	"errors"
	"fmt"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

// gather is how many bytes go into one commit, if there is more than one batch.
const gather = 4 << 20

// keepBuf is how large the buffer of a commit may stay that is not needed.
const keepBuf = 1 << 20

// maxBatch keeps offsets within 32 bits.
const maxBatch = 1 << 30

// committer is what the committer's goroutine owns.
type committer struct {
	chain *chain // from Open to Replay

	head    *head // nil if there is none right now
	reserve [2]reserve
	prev    uint32 // the segment that the next header links to, 0 for none,
	prevEnd uint32 // and its end, when there is no head
	next    uint32 // number of the next segment
	commits uint64 // number of the last commit
	owed    *owed  // nil for nothing

	buf      []byte // of one commit
	syncedAt time.Time
	tight    bool      // there was no room: nothing is retained that is not needed
	said     time.Time // when it was logged that nothing can be written
	unsaid   time.Time // likewise, the last time that it was followed by the end of that
	probed   time.Time // when a full disk was looked at
	retainAt time.Time // when to look at retention again; zero for not before something happens
	released uint32    // as of the last look, like looked and sealed
	sealed   uint32
	looked   *core.DiskSettings
	closeErr error
}

// run is the committer's goroutine.
func (j *Journal) run() {
	defer close(j.ended)
	j.c.syncedAt = time.Now()
	j.findReserve()
	if err := j.open(0, false); err != nil {
		j.refused(err)
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		batches, closed := j.take()
		for batches != nil {
			batches = j.commit(batches)
		}
		if closed {
			break
		}
		timer.Reset(j.upkeep(time.Now()))
		select {
		case <-j.wake:
		case <-timer.C:
		}
	}
	err := j.finish()
	j.c.closeErr = errors.Join(err, j.leave())
}

// commit commits as many of the batches as go together and returns the rest.
func (j *Journal) commit(batches *Batch) (rest *Batch) {
	began := time.Now()
	limit := min(gather, j.settings.Load().Segment-headerSize-commitFrame)
	size := int64(0)
	var last *Batch
	for b := batches; b != nil && (last == nil || size+int64(len(b.Buf)) <= limit); b = b.next {
		size += int64(len(b.Buf))
		last = b
	}
	rest, last.next = last.next, nil

	frees, others := count(batches)
	err := error(nil)
	if others > 0 {
		err = j.refill()
	}
	if err == nil {
		err = j.write(batches, size+commitFrame, others == 0)
	}
	if isFull(err) && frees > 0 && others > 0 {
		// What frees room goes alone.
		freeing, size := part(&batches)
		j.end(batches, err, began)
		batches, err = freeing, j.write(freeing, size+commitFrame, true)
	}
	j.end(batches, err, began)
	return rest
}

// count says how many of the batches free room, and how many do not.
func count(batches *Batch) (frees, others int) {
	for b := batches; b != nil; b = b.next {
		if b.Frees > 0 {
			frees++
		} else {
			others++
		}
	}
	return frees, others
}

// part takes those that free room, which are size bytes, out of the batches.
func part(batches **Batch) (freeing *Batch, size int64) {
	last := &freeing
	for at := batches; *at != nil; {
		b := *at
		if b.Frees == 0 {
			at = &b.next
			continue
		}
		*at, b.next = b.next, nil
		*last, last = b, &b.next
		size += int64(len(b.Buf))
	}
	return freeing, size
}

// end tells the batches that they are in the log, or why not.
func (j *Journal) end(batches *Batch, err error, began time.Time) {
	if err != nil {
		j.refused(err)
	}
	j.account(batches, err, began)
	for b := batches; b != nil; {
		next := b.next
		b.next = nil
		b.Synced = b.Err == nil && int64(b.Base.Offset) < j.c.head.synced
		b.Done(b)
		b = next
	}
}

// write gets the batches into the log, of which the commit takes size bytes. It
// sets Base of each, and Err of those that are no records. If frees says so, it
// may use the reserve. If it returns an error, none is in the log.
func (j *Journal) write(batches *Batch, size int64, frees bool) error {
	if size > maxBatch {
		for b := batches; b != nil; b = b.next {
			b.Err = fmt.Errorf("journal: %w: it is too large", ErrFraming)
		}
		return nil
	}
	leave := uint32(0)
	for b := batches; b != nil; b = b.next {
		leave = max(leave, b.Frees)
	}
	if h := j.c.head; h == nil || h.number <= leave || h.good > headerSize && h.good+size > j.settings.Load().Segment {
		if err := j.open(size, frees); err != nil {
			return err
		}
	}
	err := j.put(batches)
	if err == nil {
		return nil
	}
	if e := j.open(size, frees); e != nil {
		return fmt.Errorf("%w; %w", err, e)
	}
	return j.put(batches)
}

// put writes the batches behind the head's end. If it returns an error, the head
// ends where it did, or is retired.
func (j *Journal) put(batches *Batch) error {
	if err := j.settleOwed(); err != nil {
		return err
	}
	h := j.c.head
	c := commit{number: j.c.commits + 1, millis: time.Now().UnixMilli()}
	j.c.buf = encode(j.c.buf, &c, batches, h)
	if c.records > 0 {
		if err := j.append(j.c.buf); err != nil {
			return err
		}
	}
	end := h.good + int64(len(j.c.buf))
	if size := cap(j.c.buf); size > keepBuf && len(j.c.buf) < size/4 || size > gather+gather/2 {
		j.c.buf = nil
	}
	if j.settings.Load().Sync == core.SyncCommit {
		if err := j.datasync(h); err != nil {
			j.forsake()
			return err
		}
		h.synced = end
	}
	j.c.commits++
	j.grow(end)
	return nil
}

// encode writes the commit of the batches into buf, as it stands behind the end
// of h. It is empty if they have no records.
func encode(buf []byte, c *commit, batches *Batch, h *head) []byte {
	buf = append(buf[:0], make([]byte, commitFrame)...)
	for b := batches; b != nil; b = b.next {
		at := len(buf)
		off := uint32(h.good) + uint32(at)
		b.Err, b.Base = nil, Position{h.number, off}
		buf = append(buf, b.Buf...)
		n, ok := mask(buf[at:], h.salt, off, false)
		if !ok {
			buf = buf[:at]
			b.Err = fmt.Errorf("journal: %w", ErrFraming)
			continue
		}
		b.records = n
		c.records += n
	}
	if c.records == 0 {
		return buf[:0]
	}
	c.bytes = uint32(len(buf) - commitFrame)
	c.append(buf[:0], h.salt, uint32(h.good))
	return buf
}
