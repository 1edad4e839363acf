package frame

import "encoding/binary"

// header is one parsed frame header.
type header struct {
	length   int    // bytes of payload
	key      uint32 // masking key in little endian; 0 when the frame is not masked
	op       Op
	fin      bool
	deflated bool
}

// parse reads the header at the start of b and returns its size, 0 when b ends
// before the header does. s is what the connection has kept, or nil. Each byte
// is judged as soon as it is there, so an error does not depend on how the
// header was split, and a length beyond the bound is refused before its payload.
func (r *Reader) parse(s *Partial, deflate bool, b []byte) (h header, size int, err error) {
	if len(b) == 0 {
		return h, 0, nil
	}
	h.op, h.fin, h.deflated = Op(b[0]&opBits), b[0]&finBit != 0, b[0]&rsv1Bit != 0
	inMessage := s != nil && s.inMessage
	switch h.op {
	case OpText, OpBinary:
		if inMessage {
			return h, 0, violation("new message inside a fragmented one")
		}
	case OpContinuation:
		if !inMessage {
			return h, 0, violation("continuation without a message")
		}
	case OpClose, OpPing, OpPong:
		if !h.fin {
			return h, 0, violation("fragmented control frame")
		}
	default:
		return h, 0, violation("unknown opcode")
	}
	if b[0]&(rsv2Bit|rsv3Bit) != 0 || h.deflated && !deflate {
		return h, 0, violation("reserved bit set")
	}
	if h.deflated && h.op != OpText && h.op != OpBinary {
		return h, 0, violation("compression bit on a control or continuation frame")
	}

	if len(b) < 2 {
		return h, 0, nil
	}
	masked := b[1]&maskBit != 0
	if masked == r.config.Client {
		if masked {
			return h, 0, violation("masked frame from a server")
		}
		return h, 0, violation("frame from a client without a mask")
	}
	length := uint64(b[1] & lengthBits)
	if h.op.control() && length > maxControl {
		return h, 0, violation("control frame too long")
	}
	size = 2
	switch length {
	case length16:
		if size = 4; len(b) < size {
			return h, 0, nil
		}
		if length = uint64(binary.BigEndian.Uint16(b[2:])); length < length16 {
			return h, 0, violation("length not in its shortest form")
		}
	case length64:
		if size = 10; len(b) < size {
			return h, 0, nil
		}
		switch length = binary.BigEndian.Uint64(b[2:]); {
		case length>>63 != 0:
			return h, 0, violation("length with the highest bit set")
		case length < 1<<16:
			return h, 0, violation("length not in its shortest form")
		}
	}
	if !h.op.control() {
		room := r.config.MaxMessage
		if inMessage {
			room = s.most - len(s.message)
		}
		if length > uint64(room) {
			return h, 0, tooBig()
		}
	}
	h.length = int(length)

	if masked {
		if len(b) < size+4 {
			return h, 0, nil
		}
		h.key = binary.LittleEndian.Uint32(b[size:])
		size += 4
	}
	return h, size, nil
}
