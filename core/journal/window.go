package journal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

const (
	chunk  = 1 << 20 // is read at a time
	sector = 4 << 10 // is taken for lost when it cannot be read
)

// window reads a file in large chunks. What cannot be read is taken for zeros,
// so that it is found as damage like anything else.
type window struct {
	f    File
	size int64 // to which it reads
	buf  []byte
	off  int64 // of buf in the file
	err  error // the last of reading
}

func newWindow(f File, size int64) *window { return &window{f: f, size: size} }

// at returns n bytes at off, which must be inside; they are valid until the next
// call.
func (w *window) at(off int64, n int) []byte {
	if i := off - w.off; i >= 0 && i+int64(n) <= int64(len(w.buf)) {
		return w.buf[i : i+int64(n)]
	}
	want := int(min(max(int64(n), chunk), w.size-off))
	kept := 0
	if i := off - w.off; i >= 0 && i < int64(len(w.buf)) {
		kept = copy(w.buf, w.buf[i:])
	}
	if cap(w.buf) < want {
		grown := make([]byte, want)
		copy(grown, w.buf[:kept])
		w.buf = grown
	}
	kept = min(kept, want)
	w.buf, w.off = w.buf[:want], off
	w.fill(w.buf[kept:], off+int64(kept))
	return w.buf[:n]
}

// fill reads b from off.
func (w *window) fill(b []byte, off int64) {
	n, err := w.f.ReadAt(b, off)
	if n == len(b) {
		return
	}
	clear(b[n:])
	if err == io.EOF { // the file is shorter than it was
		return
	}
	w.err = err
	if len(b) <= sector {
		return
	}
	for len(b) > 0 {
		part := b[:min(len(b), sector-int(off%sector))]
		w.fill(part, off)
		b, off = b[len(part):], off+int64(len(part))
	}
}

// frame returns the intact frame at off; false if there is none.
func (w *window) frame(off int64, salt uint32) (frame []byte, ok bool) {
	if off+frameHead > w.size {
		return nil, false
	}
	size, ok := frameSize(binary.LittleEndian.Uint32(w.at(off, frameHead)))
	if !ok || int64(size) > w.size-off {
		return nil, false
	}
	frame = w.at(off, size)
	return frame, intact(frame, salt, uint32(off))
}

// impliedSalt is the salt with which there would be an intact frame at off.
func (w *window) impliedSalt(off int64) (salt uint32, ok bool) {
	if off+frameHead > w.size {
		return 0, false
	}
	size, ok := frameSize(binary.LittleEndian.Uint32(w.at(off, frameHead)))
	if !ok || int64(size) > w.size-off {
		return 0, false
	}
	frame := w.at(off, size)
	return binary.LittleEndian.Uint32(frame[4:]) ^ checksum(frame) ^ place(uint32(off)), true
}

// each calls f with parts of the file from off on, which is a multiple of 8,
// until f says where in the part it found something, not -1.
func (w *window) each(off int64, f func(part []byte) int) (found int64, ok bool) {
	for off < w.size {
		part := w.part(off)
		if i := f(part); i >= 0 {
			return off + int64(i), true
		}
		off += int64(len(part))
	}
	return 0, false
}

// part returns some of what is at off, a multiple of 8 bytes if there is more.
func (w *window) part(off int64) []byte {
	if i := off - w.off; i >= 0 && i+8 <= int64(len(w.buf)) {
		rest := w.buf[i:]
		if off+int64(len(rest)) < w.size {
			rest = rest[:len(rest)&^7]
		}
		return rest
	}
	return w.at(off, int(min(w.size-off, chunk)))
}

// seekCommit returns the first place from off on where a commit record may be.
func (w *window) seekCommit(off int64) (found int64, ok bool) {
	return w.each(off, func(part []byte) int {
		for i := 0; i+4 <= len(part); i += 8 {
			if binary.LittleEndian.Uint32(part[i:]) == commitBit|commitSize {
				return i
			}
		}
		return -1
	})
}

// seekFrame returns the first place from off on where a frame may be.
func (w *window) seekFrame(off int64) (found int64, ok bool) {
	return w.each(off, func(part []byte) int {
		for i := 0; i+4 <= len(part); i += 8 {
			if _, ok := frameSize(binary.LittleEndian.Uint32(part[i:])); ok {
				return i
			}
		}
		return -1
	})
}

// zeroFrom reports whether there are only zeros from off on.
func (w *window) zeroFrom(off int64) bool { return w.contentEnd(off) == off }

// contentEnd is the offset behind the last byte from off on that is not zero; off
// if there is none.
func (w *window) contentEnd(off int64) int64 {
	end, at := off, off
	w.each(off, func(part []byte) int {
		if n := len(bytes.TrimRight(part, "\x00")); n > 0 {
			end = at + int64(n)
		}
		at += int64(len(part))
		return -1
	})
	return end
}

// reason says why there is no intact frame at off.
func (w *window) reason(off int64) string {
	if w.err != nil {
		return fmt.Sprintf("cannot be read: %v", w.err)
	}
	return "does not match its checksum"
}
