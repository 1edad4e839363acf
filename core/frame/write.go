package frame

import "encoding/binary"

// AppendHeader appends the header of an unmasked, unfragmented frame whose
// payload of n bytes the caller appends itself. A control frame's payload must
// be at most 125 bytes.
func AppendHeader(dst []byte, op Op, n int) []byte {
	return appendHeader(dst, finBit|byte(op), 0, n)
}

// AppendFrame appends an unmasked, unfragmented frame.
func AppendFrame(dst []byte, op Op, payload []byte) []byte {
	return append(AppendHeader(dst, op, len(payload)), payload...)
}

// AppendMasked appends an unfragmented frame as a client sends it, masked with
// key. The payload itself is left as it is.
func AppendMasked(dst []byte, op Op, key [4]byte, payload []byte) []byte {
	dst = appendHeader(dst, finBit|byte(op), maskBit, len(payload))
	dst = append(dst, key[:]...)
	dst = append(dst, payload...)
	mask(dst[len(dst)-len(payload):], binary.LittleEndian.Uint32(key[:]))
	return dst
}

// appendHeader appends first, which holds the opcode and its flags, and the
// length n with the bit masked.
func appendHeader(dst []byte, first, masked byte, n int) []byte {
	switch {
	case n < length16:
		return append(dst, first, masked|byte(n))
	case n < 1<<16:
		return append(dst, first, masked|length16, byte(n>>8), byte(n))
	}
	dst = append(dst, first, masked|length64)
	return binary.BigEndian.AppendUint64(dst, uint64(n))
}
