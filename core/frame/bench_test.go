package frame

import (
	"bytes"
	"strings"
	"testing"
)

const batch = 256 // frames in a read

// message128 is JSON-like text of 128 bytes.
var message128 = []byte((strings.Repeat(`{"type":0,"messageId":"msg-001"}`, 4)))

func BenchmarkReadBatch(b *testing.B) {
	f := func(name string, deflate bool, frame []byte) {
		b.Run(name, func(b *testing.B) {
			wire := bytes.Repeat(frame, batch)
			in := make([]byte, len(wire))
			r := NewReader(Config{MaxMessage: maxMessage})
			var p *Partial
			b.SetBytes(int64(len(frame)))
			b.ReportAllocs()
			for left := b.N; left > 0; {
				rest := in[:copy(in, wire)]
				for len(rest) > 0 && left > 0 {
					_, n, ok, err := r.Next(&p, deflate, rest)
					if !ok || err != nil {
						b.Fatal(ok, err)
					}
					rest = rest[n:]
					left--
				}
			}
		})
	}
	f("plain", false, masked(fin|OpText, string(message128)))
	f("deflated", true, masked(fin|deflated|OpText, deflate(string(message128))))
}

func BenchmarkWriteBatch(b *testing.B) {
	d := NewDeflater()
	f := func(name string, write func(dst []byte) []byte) {
		b.Run(name, func(b *testing.B) {
			dst := make([]byte, 0, 2*batch*len(message128))
			b.SetBytes(int64(len(message128)))
			b.ReportAllocs()
			for i := range b.N {
				if i%batch == 0 {
					dst = dst[:0]
				}
				dst = write(dst)
			}
		})
	}
	f("header and copy", func(dst []byte) []byte {
		return append(AppendHeader(dst, OpText, len(message128)), message128...)
	})
	f("masked", func(dst []byte) []byte { return AppendMasked(dst, OpText, key, message128) })
	f("deflated", func(dst []byte) []byte { return d.AppendFrame(dst, OpText, message128) })
}
