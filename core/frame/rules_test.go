package frame

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A server holds its clients to every rule, however the bytes are cut.
func TestRules(t *testing.T) {
	f := func(name, wire string, want ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			for _, deflate := range []bool{false, true} {
				whole := dial(t, Config{MaxMessage: maxMessage}, deflate)
				whole.feed([]byte(wire))
				same(t, whole.end(), want...)
				drip := dial(t, Config{MaxMessage: maxMessage}, deflate)
				for i := range len(wire) {
					drip.feed([]byte(wire[i : i+1]))
				}
				same(t, drip.end(), want...)
			}
		})
	}
	join := func(frames ...[]byte) string { return string(slices.Concat(frames...)) }

	f("nothing says nothing", "")
	f("a message", join(masked(fin|OpText, "hello")), `text "hello"`)
	f("an empty message", join(masked(fin|OpText, "")), `text ""`)
	f("a binary message", join(masked(fin|OpBinary, "\xff\x00")), `binary "\xff\x00"`)
	f("two messages", join(masked(fin|OpText, "a"), masked(fin|OpText, "b")), `text "a"`, `text "b"`)
	f("a mask of zeros", "\x81\x82\x00\x00\x00\x00hi", `text "hi"`)
	f("the beginning of a header", "\x81", "open")
	f("a header without its frame", "\x81\x85\x00\x00\x00\x00", "open")

	f("fragments", join(masked(OpText, "he"), masked(OpContinuation, "ll"), masked(fin, "o")), `text "hello"`)
	f("empty fragments", join(masked(OpText, ""), masked(OpContinuation, ""), masked(fin, "")), `text ""`)
	f("a message without its end", join(masked(OpText, "he")), "open")
	f("a rune across fragments", join(masked(OpText, "\xe2"), masked(OpContinuation, "\x82"), masked(fin, "\xac")), `text "€"`)
	f("control frames inside a message",
		join(masked(OpBinary, "he"), masked(fin|OpPing, "1"), masked(fin|OpPong, "2"), masked(fin, "llo")),
		`ping "1"`, `pong "2"`, `binary "hello"`)
	f("a close inside a message", join(masked(OpText, "he"), masked(fin|OpClose, "")), `close 1005 ""`, "open")
	f("a continuation alone", join(masked(fin, "x")), "1002 continuation without a message")
	f("a continuation after the end", join(masked(OpText, "a"), masked(fin, "b"), masked(fin, "c")),
		`text "ab"`, "1002 continuation without a message")
	f("a message inside a message", join(masked(OpText, "a"), masked(fin|OpText, "b")), "1002 new message inside a fragmented one")
	f("a binary message inside a text", join(masked(OpText, "a"), masked(OpBinary, "b")), "1002 new message inside a fragmented one")

	f("an unmasked frame", join(plain(fin|OpText, "x")), "1002 frame from a client without a mask")
	for _, op := range []Op{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		f(fmt.Sprintf("opcode %d", op), join(masked(fin|op, "")), "1002 unknown opcode")
	}
	f("the second reserved bit", join(masked(fin|rsv2Bit|OpText, "")), "1002 reserved bit set")
	f("the third reserved bit", join(masked(fin|rsv3Bit|OpPing, "")), "1002 reserved bit set")

	f("a ping of 125 bytes", join(masked(fin|OpPing, strings.Repeat("p", 125))), `ping "`+strings.Repeat("p", 125)+`"`)
	f("a ping of 126 bytes", join(masked(fin|OpPing, strings.Repeat("p", 126))), "1002 control frame too long")
	f("a fragmented ping", join(masked(OpPing, "x")), "1002 fragmented control frame")
	f("a fragmented close", join(masked(OpClose, "")), "1002 fragmented control frame")

	f("a close without a code", join(masked(fin|OpClose, "")), `close 1005 ""`)
	f("a close with a code", join(masked(fin|OpClose, closing(1001, ""))), `close 1001 ""`)
	f("a close with a reason", join(masked(fin|OpClose, closing(4000, "tschüß"))), `close 4000 "tschüß"`)
	f("a close of one byte", join(masked(fin|OpClose, "\x03")), "1002 close payload of one byte")
	f("a close reason that is not UTF-8", join(masked(fin|OpClose, closing(1000, "\xff"))), "1007 close reason is not UTF-8")

	f("a long form for a short length", "\x82\xfe\x00\x7d\x00\x00\x00\x00", "1002 length not in its shortest form")
	f("the longest form for a medium length", "\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00\x00\x00", "1002 length not in its shortest form")
	f("the highest bit of the length", "\x82\xff\x80\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00", "1002 length with the highest bit set")

	f("text that is not UTF-8", join(masked(fin|OpText, "a\xffb")), "1007 text is not UTF-8")
	f("text that ends inside a rune", join(masked(fin|OpText, "a\xe2\x82")), "1007 text is not UTF-8")
	f("fragments that end inside a rune", join(masked(OpText, "a\xe2"), masked(fin, "\x82")), "1007 text is not UTF-8")
	f("a surrogate", join(masked(fin|OpText, "\xed\xa0\x80")), "1007 text is not UTF-8")
	f("an error after a message", join(masked(fin|OpText, "a"), masked(fin|3, "")), `text "a"`, "1002 unknown opcode")
}

func TestCloseCodes(t *testing.T) {
	allowed := func(code int) bool {
		switch {
		case code >= 3000 && code <= 4999:
			return true
		case code == 1004, code == 1005, code == 1006:
			return false
		}
		return code >= 1000 && code <= 1014
	}
	for code := range 1 << 16 {
		l := dial(t, Config{}, false)
		l.feed(masked(fin|OpClose, closing(code, "")))
		want := "1002 invalid close code"
		if allowed(code) {
			want = fmt.Sprintf("close %d %q", code, "")
		}
		same(t, l.end(), want)
	}
}

// The compression bit needs the extension, and belongs on the first frame.
func TestCompressionBit(t *testing.T) {
	f := func(deflate bool, want string, frames ...[]byte) {
		t.Helper()
		l := dial(t, Config{MaxMessage: maxMessage}, deflate)
		l.feed(slices.Concat(frames...))
		same(t, l.end(), want)
	}
	const hello = "\xf2\x48\xcd\xc9\xc9\x07\x00" // RFC 7692, section 7.2.3.1
	const misplaced = "1002 compression bit on a control or continuation frame"
	f(true, `text "Hello"`, masked(fin|deflated|OpText, hello))
	f(true, `binary "Hello"`, masked(fin|deflated|OpBinary, hello))
	f(true, `text "Hello"`, masked(deflated|OpText, hello[:3]), masked(fin, hello[3:]))
	f(true, `text "Hello"`, masked(fin|OpText, "Hello"))
	f(false, "1002 reserved bit set", masked(fin|deflated|OpText, hello))
	f(true, misplaced, masked(deflated|OpText, hello[:3]), masked(fin|deflated, hello[3:]))
	f(true, misplaced, masked(fin|deflated|OpPing, ""))
	f(true, misplaced, masked(fin|deflated|OpClose, ""))
}

// A client reads unmasked frames and refuses masked ones.
func TestClientRole(t *testing.T) {
	f := func(wire []byte, want ...string) {
		t.Helper()
		l := dial(t, Config{MaxMessage: maxMessage, Client: true}, false)
		l.feed(wire)
		same(t, l.end(), want...)
	}
	f(plain(fin|OpText, "hello"), `text "hello"`)
	f(slices.Concat(plain(OpText, "he"), plain(fin|OpPing, "x"), plain(fin, "llo")), `ping "x"`, `text "hello"`)
	f(plain(fin|OpClose, closing(1000, "bye")), `close 1000 "bye"`)
	f(masked(fin|OpText, "hello"), "1002 masked frame from a server")
}

// Lengths beyond the bound are refused by the header, before any payload.
func TestBounds(t *testing.T) {
	f := func(max int, want string, frames ...[]byte) {
		t.Helper()
		l := dial(t, Config{MaxMessage: max}, false)
		l.feed(slices.Concat(frames...))
		same(t, l.end(), want)
	}
	const refused = "1009 message too big"
	f(5, `text "hello"`, masked(fin|OpText, "hello"))
	f(4, refused, masked(fin|OpText, "hello"))
	f(4, refused, masked(fin|OpText, "hello")[:2])
	f(125, refused, []byte("\x81\xfe\x00\x7e"))
	f(maxMessage, refused, []byte("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff"))
	f(5, `text "hello"`, masked(OpText, "hel"), masked(fin, "lo"))
	f(5, refused, masked(OpText, "hel"), masked(fin, "lo!")[:2])
	f(5, refused, masked(OpText, "hello"), masked(OpContinuation, ""), masked(OpContinuation, "!")[:2])
	f(0, `text ""`, masked(fin|OpText, ""))
	f(0, `ping "12345"`, masked(fin|OpPing, "12345"))
}
