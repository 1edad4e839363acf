package frame

import (
	"slices"
	"strings"
	"testing"
)

// Any split of the bytes of a conversation gives the same events.
func TestSplits(t *testing.T) {
	wire := slices.Concat(
		masked(fin|OpText, "hello"),
		masked(OpText, "caf\xc3"), masked(fin|OpPing, "are you there"), masked(OpContinuation, ""), masked(fin, "\xa9"),
		masked(fin|OpBinary, strings.Repeat("b", 130)),
		masked(deflated|OpText, deflate("deflated")[:4]), masked(fin|OpPong, ""), masked(fin, deflate("deflated")[4:]),
		masked(fin|OpClose, closing(1000, "bye")),
		masked(fin|OpText, "after"),
		masked(fin|OpText, "\xff"),
	)
	want := []string{
		`text "hello"`, `ping "are you there"`, `text "café"`, `binary "` + strings.Repeat("b", 130) + `"`,
		`pong ""`, `text "deflated"`, `close 1000 "bye"`, `text "after"`, "1007 text is not UTF-8",
	}
	r := NewReader(Config{MaxMessage: maxMessage})
	f := func(parts ...[]byte) {
		t.Helper()
		l := &line{t: t, r: r, deflate: true}
		for _, part := range parts {
			l.feed(part)
		}
		same(t, l.end(), want...)
	}
	f(wire)
	for i := range wire {
		f(wire[:i], wire[i:])
		for j := i; j < len(wire); j += 7 {
			f(wire[:i], wire[i:j], wire[j:])
		}
	}
	for size := 1; size < len(wire); size++ {
		f(slices.Collect(slices.Chunk(wire, size))...)
	}
}

// Two conversations through one Reader do not disturb each other.
func TestInterleavedConnections(t *testing.T) {
	r := NewReader(Config{MaxMessage: maxMessage})
	a := &line{t: t, r: r}
	b := &line{t: t, r: r}
	forA := slices.Concat(masked(OpText, "one "), masked(fin, "message"), masked(fin|OpPing, "a"))
	forB := slices.Concat(masked(fin|OpText, "another"), masked(OpText, "in "), masked(fin, "pieces"))
	for i := range max(len(forA), len(forB)) {
		if i < len(forA) {
			a.feed(forA[i : i+1])
		}
		if i < len(forB) {
			b.feed(forB[i : i+1])
		}
	}
	same(t, a.end(), `text "one message"`, `ping "a"`)
	same(t, b.end(), `text "another"`, `text "in pieces"`)
}

func FuzzSplits(f *testing.F) {
	f.Add([]byte("\x00\x05hello\x01\x03abc\x06\x00\x03\x02de"), []byte{3, 1}, true)
	f.Fuzz(func(t *testing.T, script, sizes []byte, deflate bool) {
		for _, wire := range [][]byte{compose(script, masked), script} {
			whole := dial(t, Config{MaxMessage: 4 << 10}, deflate)
			whole.feed(wire)
			drip := dial(t, Config{MaxMessage: 4 << 10}, deflate)
			for i := range wire {
				drip.feed(wire[i : i+1])
			}
			same(t, drip.end(), whole.end()...)

			cut := dial(t, Config{MaxMessage: 4 << 10}, deflate)
			for i, rest := 0, wire; len(rest) > 0; i++ {
				n := len(rest)
				if i < len(sizes) {
					n = min(n, int(sizes[i]))
				}
				cut.feed(rest[:n])
				rest = rest[n:]
			}
			same(t, cut.end(), whole.end()...)
		}
	})
}
