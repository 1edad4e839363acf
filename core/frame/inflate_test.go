package frame

import (
	"bytes"
	"compress/flate"
	"fmt"
	"strings"
	"testing"
)

// final compresses into blocks of which the last is marked as final.
func final(message string) string {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.DefaultCompression)
	if err != nil {
		panic(err)
	}
	w.Write([]byte(message))
	w.Close()
	return out.String()
}

// referring compresses a message that refers back to what came before it.
func referring(message, before string) string {
	var out bytes.Buffer
	w, err := flate.NewWriterDict(&out, flate.BestCompression, []byte(before))
	if err != nil {
		panic(err)
	}
	w.Write([]byte(message))
	w.Flush()
	return strings.TrimSuffix(out.String(), deflateTail)
}

// The streams of RFC 7692, section 7.2.3, and what is wrong with others.
func TestInflate(t *testing.T) {
	f := func(name, compressed, want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			l := dial(t, Config{MaxMessage: 1000}, true)
			l.feed(masked(fin|deflated|OpText, compressed))
			l.feed(masked(fin|deflated|OpText, "\xf2\x48\xcd\xc9\xc9\x07\x00"))
			if l.failed == nil {
				same(t, l.end(), want, `text "Hello"`)
			} else {
				same(t, l.end(), want)
			}
		})
	}
	const corrupt = "1007 message does not inflate"
	const refused = "1009 message too big"
	f("a fixed block", "\xf2\x48\xcd\xc9\xc9\x07\x00", `text "Hello"`)
	f("a stored block", "\x00\x05\x00\xfa\xffHello\x00", `text "Hello"`)
	f("two blocks", "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", `text "Hello"`)
	f("a final block", "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", `text "Hello"`)
	f("a final block without the padding", "\xf3\x48\xcd\xc9\xc9\x07\x00", `text "Hello"`)
	f("blocks after a final one", final("Hello")+deflate(", world"), `text "Hello, world"`)
	f("a reference across a final block", final("to be or not ")+referring("to be", "to be or not "), `text "to be or not to be"`)
	f("many final blocks", strings.Repeat(final("x"), maxFinal), `text "`+strings.Repeat("x", maxFinal)+`"`)
	f("too many final blocks", strings.Repeat(final("x"), maxFinal+1), "1007 too many final blocks in a compressed message")
	f("an empty message", "\x00", `text ""`)
	f("an empty message as flushed", "\x02\x00", `text ""`)
	f("text that is not UTF-8", deflate("a\xff"), "1007 text is not UTF-8")
	f("nothing at all", "", corrupt)
	f("a reserved block type", "\x06", corrupt)
	f("a reference before the beginning", "\x4a\x04\x02\x00", corrupt)
	f("a block broken off", deflate(strings.Repeat("0123456789abcdef", 20))[:10], corrupt)
	f("garbage after a final block", final("Hello")+"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", corrupt)
	f("as long as allowed", deflate(strings.Repeat("x", 1000)), words(Event{Op: OpText, Payload: bytes.Repeat([]byte("x"), 1000)}))
	f("longer than allowed", deflate(strings.Repeat("x", 1001)), refused)
	f("a bomb", deflate(strings.Repeat("\x00", 500_000)), refused)
}

// A bomb is given up after a window more than the bound, and its memory is not
// kept.
func TestInflateIsBounded(t *testing.T) {
	z := newInflater()
	bomb := []byte(deflate(strings.Repeat("\x00", 8<<20)))
	if _, err := z.inflate(bomb, maxMessage); err == nil || len(z.out) > maxMessage+window {
		t.Errorf("error %v after %d bytes", err, len(z.out))
	}
	if out, err := z.inflate(bomb, 8<<20); err != nil || len(out) != 8<<20 {
		t.Fatalf("%d bytes, error %v", len(out), err)
	}
	z.inflate(make([]byte, 2*maxScratch), maxMessage)
	if _, err := z.inflate([]byte(deflate("x")), maxMessage); err != nil || cap(z.out) > maxScratch || cap(z.in) > maxScratch {
		t.Errorf("error %v, %d and %d bytes kept", err, cap(z.out), cap(z.in))
	}
}

// Autobahn groups 12 and 13: messages of many sizes through both directions.
func TestAutobahn12Compression(t *testing.T) {
	d := NewDeflater()
	for _, n := range []int{0, 16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072} {
		for name, text := range map[string]string{
			"runs": strings.Repeat("x", n),
			"json": strings.Repeat(`{"type":0,"messageId":"msg-001","data":"Grüße"}`, n/48+1),
		} {
			t.Run(fmt.Sprint(name, n), func(t *testing.T) {
				want := words(Event{Op: OpText, Payload: []byte(text)})
				small := deflate(text)
				for _, frames := range [][][]byte{
					{masked(fin|deflated|OpText, small)},
					{masked(deflated|OpText, small[:len(small)/3]), masked(fin|OpContinuation, small[len(small)/3:])},
				} {
					l := dial(t, Config{MaxMessage: 256 << 10}, true)
					for _, frame := range frames {
						l.feed(frame)
					}
					same(t, l.end(), want)
				}
				l := dial(t, Config{MaxMessage: 256 << 10, Client: true}, true)
				l.feed(d.AppendFrame(nil, OpText, []byte(text)))
				same(t, l.end(), want)
			})
		}
	}
}
