package frame

import (
	"bytes"
	"compress/flate"
	"strings"
)

// compose turns the bytes of a fuzzer into a conversation that is mostly
// correct, so that it gets further than random bytes would. frame makes one
// frame of a first byte and a payload.
func compose(script []byte, frame func(first Op, payload string) []byte) []byte {
	next := func(n int) []byte {
		n = min(n, len(script))
		b := script[:n]
		script = script[n:]
		return b
	}
	var wire []byte
	for len(script) > 0 && len(wire) < 16<<10 {
		kind, size := next(1)[0], 0
		if b := next(1); len(b) == 1 {
			size = int(b[0])
		}
		payload := string(next(size & 0x7f))
		if size&0x80 != 0 {
			payload = strings.Repeat(payload, 40)
		}
		add := func(first Op) { wire = append(wire, frame(first, payload)...) }
		switch kind % 16 {
		case 0:
			add(fin | OpText)
		case 1:
			add(OpText)
		case 2:
			add(OpContinuation)
		case 3:
			add(fin | OpContinuation)
		case 4:
			add(fin | OpBinary)
		case 5:
			add(OpBinary)
		case 6:
			add(fin | OpPing)
		case 7:
			add(fin | OpPong)
		case 8:
			add(fin | OpClose)
		case 9, 10:
			payload = deflate(payload)
			add(fin | deflated | OpText)
		case 11:
			payload = deflate(payload)
			half := len(payload) / 2
			wire = append(wire, frame(deflated|OpText, payload[:half])...)
			wire = append(wire, frame(fin|OpPing, "between")...)
			payload = payload[half:]
			add(fin)
		case 12:
			add(fin | deflated | OpBinary) // seldom a deflate stream
		case 13:
			add(Op(kind &^ 0x0f)) // flags without an opcode
		case 14:
			add(fin | Op(kind>>4))
		case 15:
			wire = append(wire, payload...) // seldom a frame
		}
	}
	return wire
}

// deflate compresses a message as RFC 7692 says, with the standard library.
func deflate(message string) string {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.DefaultCompression)
	if err != nil {
		panic(err)
	}
	w.Write([]byte(message))
	w.Flush()
	return strings.TrimSuffix(out.String(), deflateTail)
}
