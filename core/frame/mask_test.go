package frame

import (
	"bytes"
	"encoding/binary"
	"testing"
)

func TestMask(t *testing.T) {
	k := binary.LittleEndian.Uint32(key[:])
	for n := range 70 {
		for first := range n + 1 {
			got, want := make([]byte, n), make([]byte, n)
			for i := range want {
				got[i] = byte(i * 7)
				want[i] = got[i] ^ key[i%4]
			}
			mask(got[first:], mask(got[:first], k))
			if !bytes.Equal(got, want) {
				t.Fatalf("%d bytes cut at %d: got %x want %x", n, first, got, want)
			}
		}
	}
}
