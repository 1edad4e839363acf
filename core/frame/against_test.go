package frame

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/fasthttp/websocket"
)

// compressed walks the frames of wire, as far as they look like frames, and
// returns the compressed messages, the last perhaps incomplete.
func compressed(wire []byte) (messages [][]byte) {
	open := false
	for len(wire) >= 2 {
		first, n, head := wire[0], int(wire[1]&lengthBits), 2
		switch {
		case n == length16 && len(wire) >= 4:
			n, head = int(wire[2])<<8|int(wire[3]), 4
		case n == length64 && len(wire) >= 10:
			n, head = int(wire[7])<<16|int(wire[8])<<8|int(wire[9]), 10
		}
		var k [4]byte
		if wire[1]&maskBit != 0 {
			copy(k[:], wire[min(head, len(wire)):])
			head += 4
		}
		if len(wire) < head {
			break
		}
		payload := bytes.Clone(wire[head:min(len(wire), head+n)])
		for i := range payload {
			payload[i] ^= k[i%4]
		}
		wire = wire[min(len(wire), head+n):]
		switch op := Op(first & opBits); {
		case op == OpText || op == OpBinary:
			if open = first&rsv1Bit != 0; open {
				messages = append(messages, payload)
			}
		case op == OpContinuation && open:
			messages[len(messages)-1] = append(messages[len(messages)-1], payload...)
		}
	}
	return messages
}

// endsEarly reports whether the message holds a block that is marked as final.
func endsEarly(message []byte) bool {
	source := bytes.NewReader(append(bytes.Clone(message), streamTail...))
	_, err := io.Copy(io.Discard, flate.NewReader(source))
	return err == nil && source.Len() > 0
}

// stricter holds the reasons for which we fail where the oracle goes on.
var stricter = map[string]bool{
	"length not in its shortest form":                    true,
	"close payload of one byte":                          true,
	"compression bit on a control or continuation frame": true,
	"text is not UTF-8":                                  true, // the oracle leaves that to its caller
	"message too big":                                    true, // the oracle has no bound here, and none on inflating
}

// agree holds our reading of a wire against the oracle's. The differences that
// are permitted:
//   - we are stricter, as listed above;
//   - we go on after a deflate block marked as final (RFC 7692, 7.2.1), the
//     oracle drops the rest of the message: such wires are not compared;
//   - we inflate a message when it is complete, the oracle as it comes: when it
//     does not inflate, the oracle has seen less of what is between and after
//     its fragments;
//   - close code 1014, which is registered by now, is refused by the oracle.
func agree(t *testing.T, wire []byte, client, deflate bool) {
	if deflate {
		for _, message := range compressed(wire) {
			if endsEarly(message) {
				return
			}
		}
	}
	l := dial(t, Config{MaxMessage: 16 << 10, Client: client}, deflate)
	l.feed(wire)
	ours, open, failed := l.said, l.p != nil, l.failed
	closed := false
	for i, said := range ours {
		if strings.HasPrefix(said, "close") { // the oracle reads no further
			ours, closed, open, failed = ours[:i+1], true, false, nil
			break
		}
	}
	if failed != nil {
		ours = ours[:len(ours)-1]
		// We may have refused a header by its first bytes.
		wire = append(bytes.Clone(wire), make([]byte, maxHeader)...)
	}
	c, _ := oracle(t, client, deflate, wire, 0)
	theirs, err := listen(c)

	var peer *websocket.CloseError
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &corrupt):
		// Both have stopped, at different places.
		n := min(len(ours), len(theirs))
		same(t, ours[:n], theirs[:n]...)
		if failed == nil && !open && !closed {
			t.Errorf("the oracle could not inflate (%v), we could: %q", err, ours)
		}
	case failed != nil && stricter[failed.Reason]:
		same(t, ours, theirs[:min(len(ours), len(theirs))]...)
	case failed != nil:
		same(t, ours, theirs...)
		if errors.As(err, &peer) {
			t.Errorf("we refused with %v, the oracle ended with %v", failed, err)
		}
	case closed && len(theirs) == len(ours)-1:
		same(t, ours[:len(theirs)], theirs...)
		if err.Error() != "websocket: bad close code 1014" {
			t.Errorf("we took %s, the oracle refused it: %v", ours[len(ours)-1], err)
		}
	default:
		same(t, ours, theirs...)
		if !errors.As(err, &peer) {
			t.Errorf("the oracle refused what we took: %v, %q", err, ours)
		}
	}
}

func FuzzAgainstOracle(f *testing.F) {
	f.Add([]byte("\x00\x05hello\x01\x03abc\x06\x00\x03\x02de\x09\x85abcde"), false, true)
	f.Fuzz(func(t *testing.T, script []byte, client, deflate bool) {
		frame := masked
		if client {
			frame = plain
		}
		agree(t, script, client, deflate)
		agree(t, compose(script, frame), client, deflate)
	})
}

// What one side writes, the other reads.
func FuzzOracleRoundTrip(f *testing.F) {
	f.Add([]byte(`{"type":0,"messageId":"msg-001","data":"Grüße"}`), uint8(0), true)
	f.Add(bytes.Repeat([]byte("abc"), 30_000), uint8(7), true)
	f.Add([]byte("\xff\x00"), uint8(1), false)
	f.Fuzz(func(t *testing.T, payload []byte, fragment uint8, deflate bool) {
		op := OpBinary
		if utf8.Valid(payload) {
			op = OpText
		}
		want := words(Event{Op: op, Payload: payload})
		for _, client := range []bool{false, true} {
			c, m := oracle(t, client, deflate, nil, int(fragment))
			if err := c.WriteMessage(int(op), payload); err != nil {
				t.Fatal(err)
			}
			if err := c.WriteControl(websocket.PingMessage, []byte("ping"), time.Time{}); err != nil {
				t.Fatal(err)
			}
			l := dial(t, Config{MaxMessage: 1 << 20, Client: !client}, deflate)
			l.feed(m.out.Bytes())
			same(t, l.end(), want, `ping "ping"`)

			var wire []byte
			switch {
			case !client:
				wire = AppendMasked(nil, op, key, payload)
			case deflate:
				wire = NewDeflater().AppendFrame(nil, op, payload)
			default:
				wire = AppendFrame(nil, op, payload)
			}
			if client {
				wire = AppendClose(wire, 1000, "bye")
			} else {
				wire = AppendMasked(wire, OpClose, key, []byte(closing(1000, "bye")))
			}
			c, _ = oracle(t, client, deflate, wire, 0)
			said, err := listen(c)
			same(t, said, want, `close 1000 "bye"`)
			if !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
				t.Errorf("the oracle ended with %v", err)
			}
		}
	})
}
