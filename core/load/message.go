package load

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/stratix-gateway/stratix/core/frame"
)

// A message's identity is who sent it and its number, in hexadecimal: an origin
// of 12 digits (6 of the run, 6 of the connection), then 8 of the number. It is
// the messageId, and the data begins with it:
//
//	{"type":0,"messageId":"<identity>","to":...,"headers":...,"data":"@<identity><due>...."}
//
// due is when the message was to be sent, nanoseconds since the run began, in
// 16 digits.
const (
	originLen   = 12
	numberLen   = 8
	identityLen = originLen + numberLen
	dueLen      = 16

	hexDigits = "0123456789abcdef"
	idMark    = `"messageId":"`
	dataMark  = `"data":"@`
	typeMark  = `{"type":`
	toMark    = `,"to":`
	seqMark   = `{"type":0,"seq":`

	// nameDigits is how many digits of a recipient's name can be written over.
	nameDigits = 6
)

// originOf names connection number id in the run with the number run.
func originOf(run uint32, id int) string { return fmt.Sprintf("%06x%06x", run&0xffffff, id&0xffffff) }

// Every byte of the masking key is this one, so that digits can be written over
// wherever they are. It is not zero, since a gateway may skip unmasking then and
// would look faster than it is.
const maskByte = 0x5a

var maskKey = [4]byte{maskByte, maskByte, maskByte, maskByte}

// template is one sender's message as a whole masked frame.
type template struct {
	frame []byte
	// Where the digits of the number, its copy in the data, and the due time
	// begin.
	number, copied, due int
	to                  int // where the last digits of the recipient's name begin; 0 if it has none
}

// envelope is a message up to its data; to and headers are JSON values, or ""
// for none.
func envelope(origin, to, headers string) string {
	text := typeMark + `0,` + idMark + origin + `00000000"`
	if to != "" {
		text += toMark + to
	}
	if headers != "" {
		text += `,"headers":` + headers
	}
	return text + `,`
}

// sizeWith is the size of a message whose data, a JSON value, has so many bytes.
func sizeWith(payload int, origin, to, headers string) int {
	return len(envelope(origin, to, headers)) + len(`"data":`) + payload + len(`}`)
}

// newTemplate makes a message of size bytes of JSON.
func newTemplate(origin, to, headers string, size int) (template, error) {
	text := envelope(origin, to, headers)
	text += dataMark + origin + "00000000" + "0000000000000000"
	pad := size - len(text) - len(`"}`)
	if pad < 0 {
		return template{}, fmt.Errorf("size: a message needs %d bytes", len(text)+len(`"}`))
	}
	text += strings.Repeat(".", pad) + `"}`
	t := template{frame: frame.AppendMasked(nil, frame.OpText, maskKey, []byte(text))}
	head := len(t.frame) - len(text)
	t.number = head + strings.Index(text, idMark) + len(idMark) + originLen
	t.copied = head + strings.Index(text, dataMark) + len(dataMark) + originLen
	t.due = t.copied + numberLen
	if strings.HasPrefix(to, `"`) && len(to) > len(`""`)+nameDigits {
		t.to = head + strings.Index(text, toMark) + len(toMark) + len(to) - len(`"`) - nameDigits
	}
	return t, nil
}

// stamp writes the number into the template.
func (t *template) stamp(n uint32) {
	putHex(t.frame[t.number:t.number+numberLen], uint64(n))
	copy(t.frame[t.copied:], t.frame[t.number:t.number+numberLen])
}

// stampTo writes the number at the end of the recipient's name.
func (t *template) stampTo(n uint32) { putHex(t.frame[t.to:t.to+nameDigits], uint64(n)) }

// stampDue writes the time the message was due.
func (t *template) stampDue(ns uint64) { putHex(t.frame[t.due:t.due+dueLen], ns) }

// kind is what a frame's text says it is.
type kind byte

const (
	other    kind = 0   // not one of ours
	delivery kind = '0' // type 0
	ack      kind = '1' // type 1
	refusal  kind = '2' // type 2
	hello    kind = '3' // type 3
	gaps     kind = '7' // type 7
)

// classify reads the type, which the gateway writes first.
func classify(text []byte) kind {
	if len(text) < len(typeMark)+2 || string(text[:len(typeMark)]) != typeMark {
		return other
	}
	if c := text[len(typeMark)+1]; c != ',' && c != '}' {
		return other
	}
	switch k := kind(text[len(typeMark)]); k {
	case delivery, ack, refusal, hello, gaps:
		return k
	}
	return other
}

// ackedNumber finds the number that an acknowledgement or refusal speaks of.
func ackedNumber(text []byte, origin string) (n uint32, rest []byte, ok bool) {
	at := bytes.Index(text, []byte(idMark))
	if at < 0 {
		return 0, nil, false
	}
	n, rest, ok = identity(text[at+len(idMark):], origin)
	return n, rest, ok && len(rest) > 0 && rest[0] == '"'
}

// stored is where a sender was told that its message is.
type stored uint8

const (
	nowhere stored = iota
	inMemory
	inOS
	onDisk
)

// status is what a sender was told of the recipients.
type status uint8

const (
	noStatus status = iota
	isQueued
	isDelivered
)

// parseTold reads what an acknowledgement says behind the messageId.
func parseTold(rest []byte) (s stored, is status) {
	rest, _ = bytes.CutPrefix(rest, []byte(`","stored":"`))
	where, rest, _ := bytes.Cut(rest, []byte(`","status":"`))
	switch string(where) {
	case "memory":
		s = inMemory
	case "os":
		s = inOS
	case "disk":
		s = onDisk
	}
	word, _, _ := bytes.Cut(rest, []byte(`"`))
	switch string(word) {
	case "queued":
		is = isQueued
	case "delivered":
		is = isDelivered
	}
	return s, is
}

// deliveredSeq reads the seq of a delivery, which stands first.
func deliveredSeq(text []byte) (seq uint64, ok bool) {
	if len(text) <= len(seqMark) || string(text[:len(seqMark)]) != seqMark {
		return 0, false
	}
	for i, c := range text[len(seqMark):] {
		if c < '0' || c > '9' {
			return seq, i > 0 && seq > 0 && (c == ',' || c == '}')
		}
		if i == 18 {
			return 0, false
		}
		seq = seq*10 + uint64(c-'0')
	}
	return 0, false
}

// refused makes an error of a type 2 frame.
func refused(text []byte) error { return fmt.Errorf("the gateway refused a message: %.300s", text) }

// deliveredNumber finds the number of the message that was delivered; due is
// the rest of the text, from the due time on.
func deliveredNumber(text []byte, origin string) (n uint32, due []byte, ok bool) {
	at := bytes.Index(text, []byte(dataMark))
	if at < 0 {
		return 0, nil, false
	}
	return identity(text[at+len(dataMark):], origin)
}

// identity reads an identity of the given origin at the beginning of b.
func identity(b []byte, origin string) (n uint32, rest []byte, ok bool) {
	if len(b) < identityLen || string(b[:originLen]) != origin {
		return 0, nil, false
	}
	v, ok := parseHex(b[originLen:identityLen])
	return uint32(v), b[identityLen:], ok
}

// dueTime reads the due time at the beginning of b.
func dueTime(b []byte) (ns uint64, ok bool) {
	if len(b) < dueLen {
		return 0, false
	}
	return parseHex(b[:dueLen])
}

// putHex fills b with the lowest digits of v, masked.
func putHex(b []byte, v uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = hexDigits[v&15] ^ maskByte
		v >>= 4
	}
}

// parseHex reads at most 16 lower-case digits.
func parseHex(b []byte) (v uint64, ok bool) {
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		default:
			return 0, false
		}
		v = v<<4 | uint64(c)
	}
	return v, true
}
