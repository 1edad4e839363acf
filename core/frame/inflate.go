package frame

import (
	"bytes"
	"io"
	"slices"

	"github.com/klauspost/compress/flate"
)

// deflateTail is what RFC 7692 takes off the end of a compressed message: the
// rest of an empty stored block.
const deflateTail = "\x00\x00\xff\xff"

// streamTail makes a whole deflate stream of a compressed message: the tail,
// then an empty final block.
const streamTail = deflateTail + "\x01\x00\x00\xff\xff"

const (
	window = 32 << 10 // bytes that a deflate block may refer back to
	// maxFinal bounds the final blocks inside one message: each starts the
	// decoder again with up to a window of history.
	maxFinal = 8
	// maxScratch is how much output memory is kept from one message to the next.
	maxScratch = 256 << 10
)

// inflater holds the memory for inflating one message at a time.
type inflater struct {
	flate  io.ReadCloser // a flate.Resetter
	source bytes.Reader  // over in
	in     []byte        // the message and streamTail
	out    []byte
}

func newInflater() *inflater {
	z := new(inflater)
	z.flate = flate.NewReader(&z.source)
	return z
}

// inflate returns the inflated message, which is valid until the next call. It
// produces at most a window more than max bytes before it gives up.
//
// A block marked as final does not end the message (RFC 7692, section 7.2.1):
// the next block begins at the next byte.
func (z *inflater) inflate(message []byte, max int) ([]byte, error) {
	if cap(z.in) > maxScratch {
		z.in = nil
	}
	if cap(z.out) > maxScratch {
		z.out = nil
	}
	z.in = append(append(z.in[:0], message...), streamTail...)
	z.source.Reset(z.in)
	z.out = z.out[:0]
	for range maxFinal {
		if err := z.blocks(max); err != nil {
			return nil, err
		}
		if z.source.Len() <= len(streamTail) {
			return z.out, nil
		}
	}
	return nil, invalid("too many final blocks in a compressed message")
}

// blocks inflates from the source to out, up to the end of the next final block.
func (z *inflater) blocks(max int) error {
	history := z.out[len(z.out)-min(len(z.out), window):]
	if err := z.flate.(flate.Resetter).Reset(&z.source, history); err != nil {
		return invalid("message does not inflate")
	}
	for {
		if len(z.out) == cap(z.out) {
			z.out = slices.Grow(z.out, 4<<10)
		}
		n, err := z.flate.Read(z.out[len(z.out):cap(z.out)])
		z.out = z.out[:len(z.out)+n]
		if len(z.out) > max {
			return tooBig()
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return invalid("message does not inflate")
		}
	}
}
