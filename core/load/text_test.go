package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core/frame"
)

// unmask is the payload of a whole client frame.
func unmask(t *testing.T, b []byte) []byte {
	var partial *frame.Partial
	event, n, ok, err := frame.NewReader(frame.Config{MaxMessage: MaxSize}).Next(&partial, false, bytes.Clone(b))
	if err != nil || !ok || n != len(b) || event.Op != frame.OpText {
		t.Fatalf("%d of %d bytes, %v, %v", n, len(b), ok, err)
	}
	return bytes.Clone(event.Payload)
}

func TestTemplate(t *testing.T) {
	f := func(to string, size int, wantTo any) {
		t.Helper()
		origin := originOf(0xabcdef, 0x123)
		message, err := newTemplate(origin, to, "", size)
		if err != nil {
			t.Fatal(err)
		}
		message.stamp(0x89abcdef)
		message.stampDue(0xfedc)
		text := unmask(t, message.frame)
		if len(text) != size {
			t.Errorf("%d bytes, want %d", len(text), size)
		}
		var m struct {
			Type            int
			MessageID, Data string
			To              any
		}
		m.Type = -1
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		id := "abcdef00012389abcdef"
		if m.Type != 0 || m.MessageID != id || fmt.Sprint(m.To) != fmt.Sprint(wantTo) {
			t.Errorf("%s", text)
		}
		if want := "@" + id + "000000000000fedc"; strings.TrimRight(m.Data, ".") != want {
			t.Errorf("data %q, want %q", m.Data, want)
		}
		n, due, ok := deliveredNumber(text, origin)
		ns, timed := dueTime(due)
		if n != 0x89abcdef || ns != 0xfedc || !ok || !timed {
			t.Errorf("read back %x %x %v %v", n, ns, ok, timed)
		}
	}
	f("", MinSize, nil)
	f(`"bench-000123"`, MinSize, "bench-000123")
	f(`{"group":"bench"}`, MinSize, map[string]any{"group": "bench"})
	f(`{"prefix":"bench"}`, MinSize, map[string]any{"prefix": "bench"})
	f("", MaxSize, nil)
	if _, err := newTemplate(originOf(1, 1), "", "", 60); err == nil {
		t.Error("60 bytes are too few")
	}
}

func TestClassify(t *testing.T) {
	f := func(text string, want kind) {
		t.Helper()
		if got := classify([]byte(text)); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	f(`{"type":0,"seq":1}`, delivery)
	f(`{"type":1,"messageId":"a"}`, ack)
	f(`{"type":2}`, refusal)
	f(`{"type":6,"reason":"drain"}`, other)
	f(`{"type":12}`, other)
	f(`{"type":1`, other)
	f(`{"seq":1,"type":1}`, other)
	f(``, other)
}

func TestNumbersOfOthersAreNotRead(t *testing.T) {
	f := func(text string, want bool) {
		t.Helper()
		if _, _, got := ackedNumber([]byte(text), "00000a00000b"); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	f(`{"type":1,"messageId":"00000a00000b00000001","stored":"memory"}`, true)
	f(`{"type":1,"messageId":"00000a00000c00000001","stored":"memory"}`, false)
	f(`{"type":1,"messageId":"00000a00000b0000000g","stored":"memory"}`, false)
	f(`{"type":1,"messageId":"00000a00000b000000011","stored":"memory"}`, false)
	f(`{"type":1,"messageId":"00000a00000b00000001`, false)
	f(`{"type":1,"messageId":"00000a00000b`, false)
	f(`{"type":1}`, false)
}

func TestLedger(t *testing.T) {
	var l ledger
	f := func(n uint32, want sighting) {
		t.Helper()
		if got := l.mark(n); got != want {
			t.Errorf("%d: %v, want %v", n, got, want)
		}
	}
	f(0, inOrder)
	f(0, repeated)
	f(1, inOrder)
	f(200, inOrder)
	f(63, overtook)
	f(64, overtook)
	f(64, repeated)
	f(201, inOrder)
	f(200, repeated)
}

func FuzzNextFrame(f *testing.F) {
	f.Add(frame.AppendFrame(nil, frame.OpText, []byte(`{"type":0,"seq":1}`)))
	f.Add(frame.AppendFrame(frame.AppendFrame(nil, frame.OpPing, nil), frame.OpText, bytes.Repeat([]byte{'a'}, 300)))
	f.Add(frame.AppendClose(nil, 1000, "bye"))
	f.Add([]byte{0x81, 126, 1})
	f.Add([]byte{0x81, 127, 0xff, 0, 0, 0, 0, 0, 0, 1})
	f.Add([]byte{0x01, 1, 'a', 0x80, 1, 'b'})
	f.Add([]byte{0x81, 0x81, 1, 2, 3, 4, 'a'})
	f.Fuzz(func(t *testing.T, b []byte) {
		reader := frame.NewReader(frame.Config{MaxMessage: readSize, Client: true})
		var partial *frame.Partial
		for {
			op, payload, n, err := nextFrame(b)
			if err != nil || n == 0 {
				return
			}
			event, used, ok, err := reader.Next(&partial, false, bytes.Clone(b))
			if err != nil {
				return // it checks what a frame holds as well
			}
			if !ok || used != n || byte(event.Op) != op {
				t.Fatalf("op %d of %d bytes, the reader has op %d of %d bytes, %v", op, n, event.Op, used, ok)
			}
			if event.Op != frame.OpClose && !bytes.Equal(event.Payload, payload) {
				t.Fatalf("payload %q, the reader has %q", payload, event.Payload)
			}
			b = b[n:]
		}
	})
}

func FuzzUpgrade(f *testing.F) {
	f.Add([]byte("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " + wsAccept + "\r\n\r\n\x81\x00"))
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\nclientId is empty"))
	f.Add([]byte("\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := parseUpgrade(b, false)
		if n == 0 {
			return
		}
		if err != nil || !bytes.HasSuffix(b[:n], []byte("\r\n\r\n")) || !bytes.Contains(b[:n], []byte(wsAccept)) {
			t.Fatalf("%d, %v", n, err)
		}
		if shorter, _ := parseUpgrade(b[:n-1], false); shorter != 0 {
			t.Fatalf("complete after %d bytes and after %d", n, shorter)
		}
	})
}

func FuzzText(f *testing.F) {
	const origin = "00000a00000b"
	f.Add([]byte(`{"type":1,"messageId":"` + origin + `00000001","stored":"memory","status":"queued"}`))
	f.Add([]byte(`{"type":0,"seq":1,"data":"@` + origin + `000000ff0000000000000001..."}`))
	f.Add([]byte(`{"type":2,"messageId":"`))
	f.Add([]byte(`{"data":"@`))
	f.Fuzz(func(t *testing.T, text []byte) {
		classify(text)
		if seq, ok := deliveredSeq(text); ok && !bytes.HasPrefix(text, fmt.Appendf(nil, `%s%d`, seqMark, seq)) && !bytes.HasPrefix(text, []byte(seqMark+"0")) {
			t.Fatalf("%q does not begin with seq %d", text, seq)
		}
		if n, rest, ok := ackedNumber(text, origin); ok {
			if want := fmt.Sprintf(`%s%s%08x%s`, idMark, origin, n, rest); !bytes.HasSuffix(text, []byte(want)) {
				t.Fatalf("%q does not end with %q", text, want)
			}
		}
		if n, rest, ok := deliveredNumber(text, origin); ok {
			if want := fmt.Sprintf(`%s%s%08x%s`, dataMark, origin, n, rest); !bytes.HasSuffix(text, []byte(want)) {
				t.Fatalf("%q does not end with %q", text, want)
			}
			if ns, ok := dueTime(rest); ok && !bytes.HasPrefix(rest, fmt.Appendf(nil, "%016x", ns)) {
				t.Fatalf("%q does not begin with %016x", rest, ns)
			}
		}
	})
}
