package frame

import (
	"bytes"

	"github.com/klauspost/compress/flate"
)

// Deflater writes compressed messages for connections that negotiated
// permessage-deflate. No message refers to an earlier one, so one Deflater
// serves all the connections of a goroutine. It is not safe for concurrent use.
type Deflater struct {
	flate *flate.Writer // nil until the first message
	out   bytes.Buffer
}

// NewDeflater returns a Deflater. Its memory, about 800 KB, is allocated with the
// first message.
func NewDeflater() *Deflater { return new(Deflater) }

// AppendFrame appends an unmasked, unfragmented frame. Control frames, and
// payloads that compression does not make smaller, are appended as they are.
func (d *Deflater) AppendFrame(dst []byte, op Op, payload []byte) []byte {
	if op.control() {
		return AppendFrame(dst, op, payload)
	}
	small, ok := d.deflate(payload)
	if !ok {
		return AppendFrame(dst, op, payload)
	}
	return append(appendHeader(dst, finBit|rsv1Bit|byte(op), 0, len(small)), small...)
}

// deflate returns the compressed payload, valid until the next call; ok is false
// when it is not smaller.
func (d *Deflater) deflate(payload []byte) (small []byte, ok bool) {
	if d.out.Cap() > maxScratch {
		d.out = bytes.Buffer{}
	}
	d.out.Reset()
	if d.flate == nil {
		// The only error is that of a level out of range.
		d.flate, _ = flate.NewWriter(&d.out, flate.BestSpeed)
	} else {
		d.flate.Reset(&d.out)
	}
	if _, err := d.flate.Write(payload); err != nil {
		return nil, false
	}
	if err := d.flate.Flush(); err != nil {
		return nil, false
	}
	small, ok = bytes.CutSuffix(d.out.Bytes(), []byte(deflateTail))
	return small, ok && len(small) < len(payload)
}
