package journal

import (
	"cmp"
	"encoding/binary"
)

// Position is the place of a record's frame in the log.
type Position struct{ Segment, Offset uint32 }

// Compare orders positions as records were committed.
func (p Position) Compare(q Position) int {
	return cmp.Or(cmp.Compare(p.Segment, q.Segment), cmp.Compare(p.Offset, q.Offset))
}

// Less reports whether p was committed before q.
func (p Position) Less(q Position) bool { return p.Compare(q) < 0 }

// MaxRecord is the most bytes that a record may have. It has at least one.
const MaxRecord = 17 << 20

// Batch is any number of records that are committed together. It may be used
// again after Done.
type Batch struct {
	// Buf holds the records, framed by BeginRecord and EndRecord. It is the
	// journal's from Submit to Done, which does not change it.
	Buf []byte
	// Done is called once for each Submit, on the committer's goroutine, which
	// waits for it meanwhile. It may call Submit.
	Done func(*Batch)

	// Frees, if not 0, says that the batch is for making segments up to this one
	// unnecessary: it stands in a later one, for which there is the journal's
	// reserve when the disk is full. It is small, see Reserve.
	Frees uint32

	// Base is set when Err is nil: the record that was appended at offset n of
	// Buf is at Base.Offset+n of Base.Segment.
	Base Position
	// Synced says, when Err is nil, that it is forced to the disk.
	Synced bool
	// Err says why the batch is not in the log; it wraps ErrFull, ErrFailed,
	// ErrFraming or ErrClosed.
	Err error

	records uint32
	next    *Batch
}

// At is the Position of the record that was appended at offset n of Buf.
func (b *Batch) At(n int) Position {
	return Position{b.Base.Segment, b.Base.Offset + uint32(n)}
}

// BeginRecord makes room for a frame behind dst, whose length is 0 or was
// returned by EndRecord. The payload is to be appended to grown, and ended by
// EndRecord with the same at.
func BeginRecord(dst []byte) (grown []byte, at int) {
	return append(dst, 0, 0, 0, 0, 0, 0, 0, 0), len(dst)
}

// EndRecord completes the record that BeginRecord began at offset at.
func EndRecord(dst []byte, at int) []byte {
	n := len(dst) - at - frameHead
	dst = append(dst, zeros[:-n&7]...)
	frame := dst[at:]
	binary.LittleEndian.PutUint32(frame, uint32(n))
	binary.LittleEndian.PutUint32(frame[4:], checksum(frame))
	return dst
}

// AppendRecord appends one record whose payload is parts, one after the other.
func AppendRecord(dst []byte, parts ...[]byte) []byte {
	dst, at := BeginRecord(dst)
	for _, p := range parts {
		dst = append(dst, p...)
	}
	return EndRecord(dst, at)
}
