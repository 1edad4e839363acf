package journal

import (
	"encoding/binary"
)

// walker reads the records of one segment in order, and finds its way around
// damage.
type walker struct {
	*window
	s    *segment
	last bool // nothing comes after s: it may end anywhere

	// record is called for each record with its offset.
	record func(off uint32, c *commit, payload []byte) error
	// hole is called for each range without records. A torn one ends the
	// segment.
	hole func(from, to int64, torn bool, reason string) error

	commits  uint64 // the last one's number
	bytes    int64  // read
	nextGood int64  // an intact commit record is there, or none behind it: see commitBehind
	budget   int64  // bytes that may still be looked at to find frames behind damage
}

// walk reads the segment and returns where it ends.
func (w *walker) walk() (end int64, err error) {
	w.budget = 64<<20 + 64*w.size
	off := min(int64(headerSize), w.size)
	if w.s.broken {
		if err := w.hole(0, off, false, "broken header"); err != nil {
			return 0, err
		}
	}
	c := commit{millis: w.s.created}
	left := int64(0) // bytes of c that are still to come
	for off < w.size {
		if frame, ok := w.frame(off, w.s.salt); ok {
			if binary.LittleEndian.Uint32(frame)&commitBit != 0 {
				c.decode(frame[frameHead:])
				w.commits, left = c.number, int64(c.bytes)
			} else {
				if left -= int64(len(frame)); left < 0 {
					c.number = 0 // its commit record is lost
				}
				payload := frame[frameHead : frameHead+binary.LittleEndian.Uint32(frame)]
				if err := w.record(uint32(off), &c, payload); err != nil {
					return off, err
				}
			}
			off += int64(len(frame))
			w.bytes += int64(len(frame))
			continue
		}
		if !w.s.exact && !w.commitBehind(off) {
			return off, w.tail(off, left)
		}
		next := w.resync(off)
		if err := w.hole(off, next, false, w.reason(off)); err != nil {
			return off, err
		}
		if left -= next - off; left < 0 {
			c.number = 0
		}
		off = next
	}
	if left > 0 && !w.s.exact {
		return off, w.tail(off, left)
	}
	return off, nil
}

// tail says what is behind the end of the commits, at off. left is what the last
// commit lacks.
func (w *walker) tail(off, left int64) error {
	to := w.contentEnd(off)
	switch {
	case to == off && left <= 0:
		return nil
	case w.last && (!w.s.broken || w.bytes > 0):
		return w.hole(off, max(to, off+max(left, 0)), true, "an unfinished write")
	default:
		return w.hole(off, max(to, off+max(left, 0)), false, w.reason(off))
	}
}

// commitBehind reports whether there is an intact commit record behind off.
func (w *walker) commitBehind(off int64) bool {
	if w.nextGood > off {
		return w.nextGood < w.size
	}
	for at := off + 8; ; at += 8 {
		var ok bool
		if at, ok = w.seekCommit(at); !ok {
			w.nextGood = w.size
			return false
		}
		if _, ok := w.frame(at, w.s.salt); ok {
			w.nextGood = at
			return true
		}
	}
}

// resync returns the offset of the first intact frame behind off, or the end.
func (w *walker) resync(off int64) int64 {
	for at := off + 8; ; at += 8 {
		var ok bool
		if w.budget > 0 {
			at, ok = w.seekFrame(at)
		} else {
			at, ok = w.seekCommit(at)
		}
		if !ok {
			return w.size
		}
		if w.probe(at) {
			return at
		}
	}
}

// probe reports whether there is an intact frame at off, where one may be. Long
// ones are looked at only if another one may be behind them: any bytes may look
// like the beginning of a long one, and to check it is work.
func (w *walker) probe(off int64) bool {
	size, _ := frameSize(binary.LittleEndian.Uint32(w.at(off, frameHead)))
	if int64(size) > w.size-off {
		return false
	}
	if size > 64<<10 {
		var b [4]byte
		behind := off + int64(size)
		if n, _ := w.f.ReadAt(b[:min(4, w.size-behind)], behind); n == 4 {
			length := binary.LittleEndian.Uint32(b[:])
			if _, ok := frameSize(length); !ok && length != 0 {
				return false
			}
		}
	}
	w.budget -= int64(size)
	_, ok := w.frame(off, w.s.salt)
	return ok
}
