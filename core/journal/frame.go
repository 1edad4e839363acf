package journal

import (
	"encoding/binary"
	"hash/crc32"
)

const (
	headerSize = 64
	version    = 1
	frameHead  = 8
	commitBit  = 1 << 31
	// commitSize is the payload of a commit record, commitFrame all of it.
	commitSize  = 24
	commitFrame = frameHead + commitSize
)

var (
	magic      = [4]byte{'S', 'T', 'X', 'J'}
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	zeros      [8]byte
)

// header is what stands at the beginning of a segment.
type header struct {
	number  uint32
	needed  uint32
	created int64  // milliseconds since 1970
	prev    uint32 // 0 for none
	prevEnd uint32
	salt    uint32
}

func (h *header) encode() []byte {
	b := make([]byte, headerSize)
	copy(b, magic[:])
	le := binary.LittleEndian
	le.PutUint32(b[4:], version)
	le.PutUint32(b[8:], h.number)
	le.PutUint32(b[12:], h.needed)
	le.PutUint64(b[16:], uint64(h.created))
	le.PutUint32(b[24:], h.prev)
	le.PutUint32(b[28:], h.prevEnd)
	le.PutUint32(b[32:], h.salt)
	le.PutUint32(b[60:], crc32.Checksum(b[:60], castagnoli))
	return b
}

// decode reads the header of segment number; false if b does not begin with it.
func (h *header) decode(b []byte, number uint32) bool {
	if len(b) < headerSize || [4]byte(b) != magic {
		return false
	}
	le := binary.LittleEndian
	if le.Uint32(b[4:]) != version || le.Uint32(b[60:]) != crc32.Checksum(b[:60], castagnoli) {
		return false
	}
	*h = header{
		number:  le.Uint32(b[8:]),
		needed:  le.Uint32(b[12:]),
		created: int64(le.Uint64(b[16:])),
		prev:    le.Uint32(b[24:]),
		prevEnd: le.Uint32(b[28:]),
		salt:    le.Uint32(b[32:]),
	}
	return h.number == number && h.prev < h.number
}

// checksum is what the check of a frame is before salt and offset. The frame
// ends with its padding.
func checksum(frame []byte) uint32 {
	return crc32.Update(crc32.Update(0, castagnoli, frame[:4]), castagnoli, frame[frameHead:])
}

// frameSize is what a frame takes in the file, by its first four bytes; false if
// no frame begins with them.
func frameSize(length uint32) (size int, ok bool) {
	if length&commitBit != 0 {
		return commitFrame, length == commitBit|commitSize
	}
	return frameHead + int(length+7)&^7, length-1 < MaxRecord
}

// place is what binds a check to the offset of its frame. It is no simple
// function of off: with one, frames that are shifted would agree on a salt that
// is not theirs (see findSalt).
func place(off uint32) uint32 {
	off *= 0x9E3779B1
	off = (off ^ off>>15) * 0x85EBCA6B
	return off ^ off>>13
}

// intact reports whether frame, which ends with its padding, may stand at off.
func intact(frame []byte, salt, off uint32) bool {
	return binary.LittleEndian.Uint32(frame[4:]) == checksum(frame)^salt^place(off)
}

// commit is what a commit record says.
type commit struct {
	number  uint64
	millis  int64
	bytes   uint32 // of the records that follow
	records uint32
}

// append appends the commit record for offset off.
func (c *commit) append(dst []byte, salt, off uint32) []byte {
	at := len(dst)
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, commitBit|commitSize)
	dst = le.AppendUint32(dst, 0)
	dst = le.AppendUint64(dst, c.number)
	dst = le.AppendUint64(dst, uint64(c.millis))
	dst = le.AppendUint32(dst, c.bytes)
	dst = le.AppendUint32(dst, c.records)
	le.PutUint32(dst[at+4:], checksum(dst[at:])^salt^place(off))
	return dst
}

func (c *commit) decode(payload []byte) {
	le := binary.LittleEndian
	*c = commit{le.Uint64(payload), int64(le.Uint64(payload[8:])), le.Uint32(payload[16:]), le.Uint32(payload[20:])}
}

// mask binds the checks of all frames of b to salt and to the offset off of b,
// or frees them. It returns how many are records; false if b is not whole
// frames, or has commit records where there should be none.
func mask(b []byte, salt, off uint32, commits bool) (records uint32, ok bool) {
	le := binary.LittleEndian
	for i := 0; i < len(b); {
		if len(b)-i < frameHead {
			return 0, false
		}
		length := le.Uint32(b[i:])
		size, ok := frameSize(length)
		if !ok || size > len(b)-i {
			return 0, false
		}
		if length&commitBit == 0 {
			records++
		} else if !commits {
			return 0, false
		}
		le.PutUint32(b[i+4:], le.Uint32(b[i+4:])^salt^place(off+uint32(i)))
		i += size
	}
	return records, true
}
