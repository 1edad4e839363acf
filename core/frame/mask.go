package frame

import (
	"encoding/binary"
	"math/bits"
)

// mask XORs b in place with the masking key (in little endian: its lowest byte
// is for b[0]) and returns the key for the byte that follows b. Masking and
// unmasking are the same.
func mask(b []byte, key uint32) uint32 {
	if key == 0 {
		return 0
	}
	wide := uint64(key)<<32 | uint64(key)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(key)
		key = bits.RotateLeft32(key, -8)
	}
	return key
}
