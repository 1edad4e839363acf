package frame

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// maxMessage is the bound of most tests.
const maxMessage = 64 << 10

// fin marks the last frame of a message in calls of masked and plain.
const fin = Op(finBit)

// deflated marks the first frame of a compressed message in the same way.
const deflated = Op(rsv1Bit)

var key = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// masked is one client frame with any first byte.
func masked(first Op, payload string) []byte {
	b := appendHeader(nil, byte(first), maskBit, len(payload))
	b = append(b, key[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^key[i%4])
	}
	return b
}

// plain is one server frame with any first byte.
func plain(first Op, payload string) []byte {
	return append(appendHeader(nil, byte(first), 0, len(payload)), payload...)
}

// closing is the payload of a close frame.
func closing(code int, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(code))) + reason
}

// words describes an event; long payloads are shortened to their length and a sum.
func words(ev Event) string {
	payload := fmt.Sprintf("%q", ev.Payload)
	if len(ev.Payload) > 200 {
		sum := uint64(14695981039346656037)
		for _, c := range ev.Payload {
			sum = (sum ^ uint64(c)) * 1099511628211
		}
		payload = fmt.Sprintf("%d bytes %x", len(ev.Payload), sum)
	}
	switch ev.Op {
	case OpText:
		return "text " + payload
	case OpBinary:
		return "binary " + payload
	case OpPing:
		return "ping " + payload
	case OpPong:
		return "pong " + payload
	case OpClose:
		return fmt.Sprintf("close %d %s", ev.Code, payload)
	}
	return fmt.Sprintf("opcode %d", ev.Op)
}

// line is one connection and what it has said so far.
type line struct {
	t       testing.TB
	r       *Reader
	p       *Partial
	deflate bool
	said    []string
	failed  *CloseError
}

func dial(t testing.TB, c Config, deflate bool) *line {
	return &line{t: t, r: NewReader(c), deflate: deflate}
}

// feed reads a copy of b to its end, or to the first error, and holds Next
// against its contract on the way.
func (l *line) feed(b []byte) {
	in := bytes.Clone(b)
	for l.failed == nil {
		ev, n, ok, err := l.r.Next(&l.p, l.deflate, in)
		if n < 0 || n > len(in) {
			l.t.Fatalf("consumed %d of %d bytes", n, len(in))
		}
		in = in[n:]
		switch {
		case err != nil:
			failed, is := err.(*CloseError) //nolint:errorlint // the contract is the bare type
			if !is || ok {
				l.t.Fatalf("error %T %v with ok %v", err, err, ok)
			}
			l.failed = failed
			l.said = append(l.said, fmt.Sprintf("%d %s", failed.Code, failed.Reason))
			l.r.Release(&l.p)
		case ok:
			l.said = append(l.said, words(ev))
		case len(in) != 0:
			l.t.Fatalf("no event, but %d bytes are left", len(in))
		default:
			if l.p != nil && l.p.headLen == 0 && l.p.frame.length == 0 && !l.p.inMessage {
				l.t.Fatal("a connection at rest has a Partial")
			}
			return
		}
	}
}

// end says how the bytes ended: "open" in the middle of something.
func (l *line) end() []string {
	if l.p != nil {
		return append(l.said, "open")
	}
	return l.said
}

// same fails when the lines differ.
func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}
