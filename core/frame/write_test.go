package frame

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAppendHeader(t *testing.T) {
	f := func(op Op, n int, want string) {
		t.Helper()
		if got := AppendHeader([]byte("before"), op, n); string(got) != "before"+want {
			t.Errorf("%d bytes: got %x want %x", n, got[len("before"):], want)
		}
	}
	f(OpText, 0, "\x81\x00")
	f(OpBinary, 125, "\x82\x7d")
	f(OpText, 126, "\x81\x7e\x00\x7e")
	f(OpText, 65535, "\x81\x7e\xff\xff")
	f(OpText, 65536, "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00")
	f(OpPing, 4, "\x89\x04")
}

func TestAppendFrame(t *testing.T) {
	if got := AppendFrame([]byte("before"), OpPong, []byte("hi")); string(got) != "before\x8a\x02hi" {
		t.Errorf("got %x", got)
	}
}

func TestAppendMasked(t *testing.T) {
	payload := []byte("Hello") // RFC 6455, section 5.7
	got := AppendMasked([]byte("before"), OpText, key, payload)
	if want := "before\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"; string(got) != want {
		t.Errorf("got %x want %x", got, want)
	}
	if string(payload) != "Hello" {
		t.Errorf("the payload became %x", payload)
	}
}

func TestAppendClose(t *testing.T) {
	f := func(code int, reason, want string) {
		t.Helper()
		got := AppendClose(nil, code, reason)
		if string(got) != string(plain(fin|OpClose, want)) {
			t.Errorf("got %q want %q", got, want)
		}
	}
	a := strings.Repeat("a", 121)
	f(1000, "bye", "\x03\xe8bye")
	f(4001, "", "\x0f\xa1")
	f(CloseNoStatus, "", "")
	f(1000, a+"bc", "\x03\xe8"+a+"bc")
	f(1000, a+"bcd", "\x03\xe8"+a+"bc")
	f(1000, a+"€", "\x03\xe8"+a)
	f(1000, a+"é€", "\x03\xe8"+a+"é")
	f(1000, "a\xff\xfe", "\x03\xe8a\uFFFD")
}

// Whatever the reason, the frame is one that a peer must accept.
func FuzzAppendClose(f *testing.F) {
	f.Add("bye")
	f.Add(strings.Repeat("€", 50))
	f.Add(strings.Repeat("\xff", 200))
	f.Fuzz(func(t *testing.T, reason string) {
		l := dial(t, Config{Client: true}, false)
		frame := AppendClose(nil, 1000, reason)
		l.feed(frame)
		if l.failed != nil || len(l.said) != 1 || l.p != nil {
			t.Fatalf("refused: %q %q", frame, l.said)
		}
		if got := string(frame[4:]); utf8.ValidString(reason) && !strings.HasPrefix(reason, got) || len(reason) < maxReason && got == "" && reason != "" {
			t.Errorf("%q became %q", reason, got)
		}
	})
}

func TestCloseErrorsFitACloseFrame(t *testing.T) {
	l := dial(t, Config{}, false)
	l.feed(masked(fin|OpText, "x"))
	frame := AppendClose(nil, l.failed.Code, l.failed.Reason)
	if want := plain(fin|OpClose, closing(1009, "message too big")); !bytes.Equal(frame, want) {
		t.Errorf("got %q want %q", frame, want)
	}
	if got := l.failed.Error(); got != "frame: close 1009: message too big" {
		t.Errorf("got %q", got)
	}
}

// What does not shrink goes out as it is.
func TestDeflater(t *testing.T) {
	d := NewDeflater()
	f := func(op Op, payload []byte, shrinks bool) {
		t.Helper()
		got := d.AppendFrame([]byte("before"), op, payload)
		if !bytes.HasPrefix(got, []byte("before")) {
			t.Fatalf("got %x", got)
		}
		got = got[len("before"):]
		asItIs := AppendFrame(nil, op, payload)
		if !shrinks {
			if !bytes.Equal(got, asItIs) {
				t.Errorf("%d bytes: got %x want them as they are", len(payload), got)
			}
			return
		}
		if got[0] != asItIs[0]|rsv1Bit || len(got) >= len(asItIs) {
			t.Errorf("%d bytes did not shrink: %x", len(payload), got[0])
		}
		l := dial(t, Config{MaxMessage: 1 << 20, Client: true}, true)
		l.feed(got)
		same(t, l.end(), words(Event{Op: op, Payload: payload}))
	}
	random := make([]byte, 4096)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range random {
		random[i] = byte(rng.Uint32())
	}
	f(OpText, nil, false)
	f(OpText, []byte("a"), false)
	f(OpText, bytes.Repeat([]byte("a"), 100), true)
	f(OpText, bytes.Repeat([]byte("a"), 100), true) // does not refer to the one before
	f(OpBinary, random, false)
	f(OpBinary, append(random, random...), true)
	f(OpPing, bytes.Repeat([]byte("a"), 100), false)
	f(OpText, bytes.Repeat([]byte("0123456789"), 100_000), true)

	big := bytes.Repeat(append(random, 0), 200)
	rng.Shuffle(len(big), func(i, j int) { big[i], big[j] = big[j], big[i] })
	d.AppendFrame(nil, OpBinary, big)
	f(OpText, []byte("a"), false)
	if d.out.Cap() > maxScratch {
		t.Errorf("%d bytes kept", d.out.Cap())
	}
}
