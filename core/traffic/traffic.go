// Package traffic is what clients have sent of late: a recording that scripts can
// be run against before they go live.
package traffic

import (
	"encoding/binary"
	"net/netip"

	"github.com/stratix-gateway/stratix/core"
)

// Input is one message as a client sent it. Its bytes are not changed.
type Input struct {
	From   string // the sender's ClientID
	Remote netip.Addr
	Claims []byte // that the sender was admitted with, a JSON object; or nil
	Time   int64  // when the gateway took it, in milliseconds since 1970
	// ID, Data, Headers and To are as in core.Message.
	ID, Data, Headers, To []byte
	// Size is the length of the frame; 0 is that of a frame without white space.
	Size     int
	TTL      uint32
	Priority uint8
	Receipt  bool
}

// Grant is a grant of these claims; nil for nil.
func Grant(claims []byte) *core.Grant {
	if claims == nil {
		return nil
	}
	return &core.Grant{Claims: claims}
}

// An entry is an input on its way through a ring of bytes. Integers are varints:
//
//	time size ttl flags { length bytes } of the sender, its address, and of
//	messageId, data, headers, target and claims, whose lengths count from 1: 0 is
//	nil
//
// The lower four bits of flags are the priority.
const wantsReceipt = 1 << 4

// Append appends m, which no stage has seen yet, as an entry.
func Append(dst []byte, m *core.Message) []byte {
	dst = binary.AppendUvarint(dst, uint64(m.Time))
	dst = binary.AppendUvarint(dst, uint64(m.Size))
	dst = binary.AppendUvarint(dst, uint64(m.TTL))
	flags := m.Priority & 15
	if m.Receipt {
		flags |= wantsReceipt
	}
	dst = append(dst, flags)
	dst = binary.AppendUvarint(dst, uint64(len(m.From.ID)))
	dst = append(dst, m.From.ID...)
	if remote := m.From.Remote.WithZone(""); remote.Is4() {
		a := remote.As4()
		dst = append(append(dst, 4), a[:]...)
	} else if remote.Is6() {
		a := remote.As16()
		dst = append(append(dst, 16), a[:]...)
	} else {
		dst = append(dst, 0)
	}
	var claims []byte
	if g := m.From.Grant; g != nil {
		claims = g.Claims
	}
	for _, part := range [...][]byte{m.ID, m.Data, m.Headers, m.To, claims} {
		if part == nil {
			dst = append(dst, 0)
			continue
		}
		dst = binary.AppendUvarint(dst, uint64(len(part))+1)
		dst = append(dst, part...)
	}
	return dst
}

// Read reads an entry into in, which aliases it; false if it is none.
func Read(entry []byte, in *Input) bool {
	r := reader{entry, true}
	*in = Input{Time: int64(r.uvarint()), Size: int(uint32(r.uvarint())), TTL: uint32(r.uvarint())}
	flags := r.take(1)
	from := r.take(r.uvarint())
	remote := r.take(uint64(first(r.take(1))))
	for _, part := range [...]*[]byte{&in.ID, &in.Data, &in.Headers, &in.To, &in.Claims} {
		if n := r.uvarint(); n > 0 {
			*part = r.take(n - 1)
		}
	}
	if !r.ok || len(r.b) > 0 {
		return false
	}
	in.From = string(from)
	in.Remote, _ = netip.AddrFromSlice(remote)
	in.Priority, in.Receipt = flags[0]&15, flags[0]&wantsReceipt != 0
	return true
}

// origin reads of an entry when it was sent, and by whom.
func origin(entry []byte) (time int64, from []byte) {
	r := reader{entry, true}
	time = int64(r.uvarint())
	r.uvarint()
	r.uvarint()
	r.take(1)
	return time, r.take(r.uvarint())
}

// reader takes an entry apart; once it has met its end it gives nothing more.
type reader struct {
	b  []byte
	ok bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b, r.ok = nil, false
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.b, r.ok = nil, false
		return nil
	}
	part := r.b[:n:n]
	r.b = r.b[n:]
	return part
}

func first(b []byte) byte {
	if len(b) == 0 {
		return 0
	}
	return b[0]
}
