package record

import (
	"encoding/binary"
	"unsafe"

	"github.com/stratix-gateway/stratix/core"
)

// Letter is a kept message. Its parts alias the bytes that it was read from.
type Letter struct {
	From       string // the sender's ClientID
	ID         []byte // the messageId as a JSON string, quotes included; empty for none
	Data       []byte // the payload, JSON
	Headers    []byte // a JSON object; empty for none
	Key        []byte // what it is the latest state of (core.OverflowConflate); empty for none
	Time       int64  // when the sender's shard took it, milliseconds since 1970
	TTL        uint32 // seconds from Time that it may wait
	Generation uint32
	Priority   uint8
	Overflow   core.Overflow

	Content []byte // all but From as it stands in the letter
}

// Expiry is when the letter may wait no longer, in milliseconds since 1970.
func (l *Letter) Expiry() int64 { return l.Time + int64(l.TTL)*1000 }

// Expiry is the Expiry of a letter with this Content.
func Expiry(content []byte) int64 {
	r := reader{b: content, at: 1}
	millis := int64(r.uvarint())
	return millis + int64(r.uvarint())*1000
}

// AppendLetter appends m, which may wait for ttl seconds: who it is from, then
// its content.
//
//	from priority:4bits overflow:4bits time ttl generation id headers key data
func AppendLetter(dst []byte, m *core.Message, ttl uint32) []byte {
	dst = appendText(dst, m.From.ID)
	dst = append(dst, m.Priority<<4|byte(m.Overflow))
	dst = binary.AppendUvarint(dst, uint64(m.Time))
	dst = binary.AppendUvarint(dst, uint64(ttl))
	dst = binary.AppendUvarint(dst, uint64(m.Generation))
	dst = appendBytes(dst, m.ID)
	dst = appendBytes(dst, m.Headers)
	dst = appendBytes(dst, m.ConflateKey)
	return appendBytes(dst, m.Data)
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// ReadLetter reads the letter that b begins with and returns its length; ok is
// false when b does not begin with one.
func ReadLetter(b []byte, l *Letter) (n int, ok bool) {
	r := reader{b: b}
	l.From = r.text()
	if r.bad {
		return 0, false
	}
	n, ok = ReadContent(b[r.at:], l)
	return r.at + n, ok
}

// ReadContent is ReadLetter for a letter's content: it leaves From alone.
func ReadContent(b []byte, l *Letter) (n int, ok bool) {
	r := reader{b: b}
	first := r.byte()
	l.Priority, l.Overflow = first>>4, core.Overflow(first&15)
	l.Time = int64(r.uvarint())
	l.TTL = uint32(r.uvarint())
	l.Generation = uint32(r.uvarint())
	l.ID = r.bytes()
	l.Headers = r.bytes()
	l.Key = r.bytes()
	l.Data = r.bytes()
	l.Content = b[:r.at:r.at]
	return r.at, !r.bad && l.Priority <= 9 && l.Overflow <= core.OverflowDisconnect && len(l.Data) > 0
}

// reader reads fields one after the other; after the first that is not there it
// is bad and returns zero values.
type reader struct {
	b   []byte
	at  int
	bad bool
}

func (r *reader) byte() byte {
	if r.at >= len(r.b) {
		r.bad = true
		return 0
	}
	r.at++
	return r.b[r.at-1]
}

func (r *reader) uvarint() uint64 {
	if r.at < len(r.b) && r.b[r.at] < 0x80 {
		r.at++
		return uint64(r.b[r.at-1])
	}
	v, n := binary.Uvarint(r.b[min(r.at, len(r.b)):])
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.at += n
	return v
}

func (r *reader) fixed() uint64 {
	if len(r.b)-r.at < 8 {
		r.bad = true
		return 0
	}
	r.at += 8
	return binary.LittleEndian.Uint64(r.b[r.at-8:])
}

func (r *reader) bytes() []byte {
	n := r.uvarint()
	if r.bad || n > uint64(len(r.b)-r.at) {
		r.bad = true
		return nil
	}
	at := r.at
	r.at += int(n)
	return r.b[at:r.at:r.at]
}

func (r *reader) text() string {
	b := r.bytes()
	return unsafe.String(unsafe.SliceData(b), len(b))
}
