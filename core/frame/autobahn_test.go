package frame

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// The cases of the Autobahn test suite that are about frames, by its numbers.
// What the suite expects after a close or an error is the caller's.

// sends feeds the frames of a case, in pieces of the given size when it is
// not 0, and returns what the server made of them.
func sends(t *testing.T, piece int, frames ...[]byte) []string {
	l := dial(t, Config{MaxMessage: 1 << 20}, false)
	wire := slices.Concat(frames...)
	if piece == 0 {
		piece = max(1, len(wire))
	}
	for part := range slices.Chunk(wire, piece) {
		l.feed(part)
	}
	return l.end()
}

func TestAutobahn1MessageSizes(t *testing.T) {
	for _, n := range []int{0, 125, 126, 127, 128, 65535, 65536} {
		for _, piece := range []int{0, 1, 997} {
			for _, op := range []Op{OpText, OpBinary} {
				payload := strings.Repeat("*", n)
				want := words(Event{Op: op, Payload: []byte(payload)})
				same(t, sends(t, piece, masked(fin|op, payload)), want)
			}
		}
	}
}

func TestAutobahn2PingsAndPongs(t *testing.T) {
	f := func(payload string) {
		t.Helper()
		for _, piece := range []int{0, 1} {
			same(t, sends(t, piece, masked(fin|OpPing, payload)), fmt.Sprintf("ping %q", payload))
			same(t, sends(t, piece, masked(fin|OpPong, payload)), fmt.Sprintf("pong %q", payload))
		}
	}
	f("")
	f("Hello, world!")
	f("\x00\xff\xfe\xfd\xfc\xfb\x00\xff")
	f(strings.Repeat("\xfe", 125))

	// 2.10 and 2.11: ten pings at once.
	var pings [][]byte
	var want []string
	for i := range 10 {
		pings = append(pings, masked(fin|OpPing, fmt.Sprint(i)))
		want = append(want, fmt.Sprintf(`ping "%d"`, i))
	}
	same(t, sends(t, 0, pings...), want...)
	same(t, sends(t, 1, pings...), want...)
}

func TestAutobahn3ReservedBits(t *testing.T) {
	first := masked(fin|OpText, "first")
	for bits := Op(1); bits < 8; bits++ {
		for _, op := range []Op{OpText, OpBinary, OpPing, OpClose} {
			bad := masked(fin|bits<<4|op, "")
			same(t, sends(t, 0, first, bad, masked(fin|OpPing, "")), `text "first"`, "1002 reserved bit set")
			same(t, sends(t, 1, first, bad, masked(fin|OpPing, "")), `text "first"`, "1002 reserved bit set")
		}
	}
}

func TestAutobahn5Fragments(t *testing.T) {
	f := func(number string, frames [][]byte, want ...string) {
		t.Helper()
		t.Run(number, func(t *testing.T) {
			same(t, sends(t, 0, frames...), want...)
			same(t, sends(t, 1, frames...), want...)
		})
	}
	type frames = [][]byte
	a, b, c := "fragment1", "fragment2", "fragment3"
	ping := masked(fin|OpPing, "ping")
	const alone = "1002 continuation without a message"
	f("5.1", frames{masked(OpPing, a), masked(fin, b)}, "1002 fragmented control frame")
	f("5.2", frames{masked(OpPong, a), masked(fin, b)}, "1002 fragmented control frame")
	f("5.3", frames{masked(OpText, a), masked(fin, b)}, `text "fragment1fragment2"`)
	f("5.6", frames{masked(OpText, a), ping, masked(fin, b)}, `ping "ping"`, `text "fragment1fragment2"`)
	f("5.9", frames{masked(fin, "non-continuation"), masked(fin|OpText, "Hello")}, alone)
	f("5.12", frames{masked(OpContinuation, "non-continuation"), masked(fin|OpText, "Hello")}, alone)
	f("5.15", frames{masked(OpText, a), masked(fin, b), masked(OpContinuation, c), masked(fin|OpText, "4")},
		`text "fragment1fragment2"`, alone)
	f("5.16", frames{masked(OpContinuation, a), masked(OpText, b), masked(fin, c)}, alone)
	f("5.17", frames{masked(fin, a), masked(OpText, b), masked(fin, c)}, alone)
	f("5.18", frames{masked(OpText, a), masked(fin|OpText, b)}, "1002 new message inside a fragmented one")
	f("5.19", frames{masked(OpText, a), masked(OpContinuation, b), ping, masked(OpContinuation, c), ping, masked(fin, "end")},
		`ping "ping"`, `ping "ping"`, `text "fragment1fragment2fragment3end"`)
}

// Group 6: text that is UTF-8 passes whole, cut between and inside of runes.
func TestAutobahn6ValidText(t *testing.T) {
	for _, text := range []string{
		"", "Hello-µ@ßöäüàá-UTF-8!!", "\u03ba\u1f79\u03c3\u03bc\u03b5", // 6.2, 6.5.5
		"\x00", "\u0080", "\u0800", "\U00010000", // 6.6: the first of each length
		"\x7f", "\u07ff", "\uffff", "\U0010ffff", // 6.7: the last of each length
		"\ud7ff", "\ue000", "\ufffd", "\U0010ffff", // 6.9: around the surrogates
		"\ufffe", "\U0001fffe", "\U0010fffe", // 6.22: noncharacters are allowed
	} {
		want := fmt.Sprintf("text %q", text)
		same(t, sends(t, 0, masked(fin|OpText, text)), want)
		same(t, sends(t, 1, masked(fin|OpText, text)), want)
		frames := [][]byte{masked(OpText, "")}
		for _, c := range []byte(text) {
			frames = append(frames, masked(OpContinuation, string([]byte{c})))
		}
		frames = append(frames, masked(fin, ""))
		same(t, sends(t, 0, frames...), want)
		same(t, sends(t, 3, frames...), want)
	}
}

// Group 6: text that is not UTF-8 fails at the byte that spoils it.
func TestAutobahn6InvalidText(t *testing.T) {
	// good is valid and complete, bad cannot become valid with its last byte.
	f := func(number, good, bad string) {
		t.Helper()
		t.Run(number, func(t *testing.T) {
			const failed = "1007 text is not UTF-8"
			text := good + bad + "edited"
			same(t, sends(t, 0, masked(fin|OpText, text)), failed)

			wire := masked(fin|OpText, text)
			l := dial(t, Config{MaxMessage: maxMessage}, false)
			for i, c := range wire {
				l.feed([]byte{c})
				at := i - 6 // in the text, after the header
				if spoilt := at >= len(good)+len(bad)-1; spoilt != (l.failed != nil) {
					t.Fatalf("byte %d of the text: failed %v, want %v", at, l.failed != nil, spoilt)
				}
			}
			same(t, l.end(), failed)

			fragments := dial(t, Config{MaxMessage: maxMessage}, false)
			fragments.feed(masked(OpText, good))
			for _, c := range []byte(bad[:len(bad)-1]) {
				fragments.feed(masked(OpContinuation, string([]byte{c})))
			}
			same(t, fragments.end(), "open")
			fragments.said = nil
			fragments.feed(masked(OpContinuation, bad[len(bad)-1:]))
			same(t, fragments.end(), failed)
		})
	}
	const kosme = "\u03ba\u1f79\u03c3\u03bc\u03b5"
	f("6.3.1", kosme, "\xed\xa0")
	f("6.4.1", kosme, "\xf4\x90") // 6.4.1 to 6.4.4
	f("6.8.1", "", "\xf8")
	f("6.8.2", "", "\xfc")
	f("6.10.1", "", "\xf4\x90")
	f("6.11.1", "\U0010ffff", "\xf5")
	f("6.12.1", "", "\x80")
	f("6.12.4", "é", "\xbf")
	f("6.13.1", "", "\xc0")
	f("6.13.2", "", "\xe0\x20")
	f("6.14.2", "", "\xe0\x80")
	f("6.14.3", "", "\xf0\x80")
	f("6.14.6", "", "\xdf\x65")
	f("6.14.7", "", "\xef\xbf\x65")
	f("6.14.8", "", "\xf0\x9f\xbf\x65")
	f("6.15.1", "", "\xc3\xc3")
	f("6.16.1", "", "\xfe")
	f("6.16.2", "", "\xff")
	f("6.17.1", "", "\xc1")
	f("6.18.1", "", "\xe0\x9f")
	f("6.19.1", "", "\xf0\x8f")
	f("6.20.1", "", "\xed\xaf")
	f("6.21.1", "", "\xed\xbf")
}

func TestAutobahn7Closes(t *testing.T) {
	f := func(number, payload, want string) {
		t.Helper()
		t.Run(number, func(t *testing.T) {
			same(t, sends(t, 0, masked(fin|OpClose, payload)), want)
			same(t, sends(t, 1, masked(fin|OpClose, payload)), want)
		})
	}
	long := strings.Repeat("*", 123)
	f("7.3.1", "", `close 1005 ""`)
	f("7.3.2", "a", "1002 close payload of one byte")
	f("7.3.3", closing(1000, ""), `close 1000 ""`)
	f("7.3.4", closing(1000, "Hello World!"), `close 1000 "Hello World!"`)
	f("7.3.5", closing(1000, long), `close 1000 "`+long+`"`)
	f("7.3.6", closing(1000, long+"*"), "1002 control frame too long")
	f("7.5.1", closing(1000, "\u03ba\xed\xa0\x80edited"), "1007 close reason is not UTF-8")
	for i, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		f(fmt.Sprint("7.7.", i+1), closing(code, ""), fmt.Sprintf(`close %d ""`, code))
	}
	for i, code := range []int{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535} {
		f(fmt.Sprint("7.9.", i+1), closing(code, ""), "1002 invalid close code")
	}
}

// Groups 9 and 10: a message in many sizes of fragments and pieces.
func TestAutobahn9Fragmentation(t *testing.T) {
	text := strings.Repeat("The quick brown føx. ", 4<<10)
	want := words(Event{Op: OpText, Payload: []byte(text)})
	for _, size := range []int{64, 1300, 4096, 65536} {
		var frames [][]byte
		op := OpText
		for part := range slices.Chunk([]byte(text), size) {
			frames = append(frames, masked(op, string(part)))
			op = OpContinuation
		}
		frames = append(frames, masked(fin, ""))
		for _, piece := range []int{0, 64, 1000, 64 << 10} {
			same(t, sends(t, piece, frames...), want)
		}
	}
}
