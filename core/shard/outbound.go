package shard

import (
	"fmt"

	"github.com/stratix-gateway/stratix/core/frame"
	"github.com/stratix-gateway/stratix/core/wire"
)

// Policy is what happens to a message for a client whose queue is full.
type Policy uint8

// The policies.
const (
	DropOldest Policy = iota // the oldest waiting messages go, and are named in a gap frame
	Reject                   // the new message is refused; its sender is told
	Disconnect               // the client is closed with 4008; the new message is refused
)

// ParsePolicy reads a policy's name.
func ParsePolicy(s string) (Policy, error) {
	switch s {
	case "drop_oldest":
		return DropOldest, nil
	case "reject":
		return Reject, nil
	case "disconnect":
		return Disconnect, nil
	}
	return 0, fmt.Errorf("queue policy %q: must be drop_oldest, reject or disconnect", s)
}

// outbound is what a connection still has to get: buf[off:] is not yet written.
// Positions count bytes from the first one of this outbound.
type outbound struct {
	buf   []byte
	off   int
	start uint64 // position of buf[0]
	marks []mark // the messages that may be dropped, oldest first
	late  int    // marks whose sender waits for a receipt
}

// mark is where a message stands in an outbound.
type mark struct {
	begin, end uint64 // positions
	seq        uint64
	turn       uint32 // the turn in which it was given ...
	delivery   int32  // ... and its index among that turn's deliveries
	late       lateNote
}

// lateNote says who waits for the receipt of a message that its turn could not
// write; shard is nil when nobody does.
type lateNote struct {
	shard *Shard
	slot  uint32
}

// waiting is how many bytes are not yet written.
func (o *outbound) waiting() int { return len(o.buf) - o.off }

// written is the position up to which everything is written.
func (o *outbound) written() uint64 { return o.start + uint64(o.off) }

// end is the position behind the last byte.
func (o *outbound) end() uint64 { return o.start + uint64(len(o.buf)) }

// wrote notes n more bytes as written, makes room when much is behind, and
// returns how many marks are written now; the caller takes them out.
func (o *outbound) wrote(n int) (done int) {
	o.off += n
	if o.off >= 64<<10 && o.off >= len(o.buf)/2 {
		left := copy(o.buf, o.buf[o.off:])
		o.buf = o.buf[:left]
		o.start += uint64(o.off)
		o.off = 0
	}
	for done < len(o.marks) && o.marks[done].end <= o.written() {
		done++
	}
	return done
}

// forget takes out the first n marks.
func (o *outbound) forget(n int) {
	o.marks = o.marks[:copy(o.marks, o.marks[n:])]
}

// dropOldest takes out the oldest whole messages until at most limit bytes
// wait, puts a gap frame that names them in their place, and appends their
// marks to gone. A message that is partly written stays.
func (o *outbound) dropOldest(limit int, gone []mark) []mark {
	first := 0
	for first < len(o.marks) && o.marks[first].begin < o.written() {
		first++
	}
	last, freed := first, 0
	for last < len(o.marks) && o.waiting()-freed > limit {
		freed += int(o.marks[last].end - o.marks[last].begin)
		last++
	}
	if last == first {
		return gone
	}
	// Frames that stay (pongs, acknowledgements) stand between the messages, so
	// what is behind the gap frame is copied piece by piece.
	dropped := o.marks[first:last]
	base := dropped[0].begin
	at := int(base - o.start)
	tail := append([]byte(nil), o.buf[at:]...)
	gap := wire.AppendGap(nil, dropped[0].seq, dropped[len(dropped)-1].seq, "dropped")
	o.buf = frame.AppendFrame(o.buf[:at], frame.OpText, gap)
	shift := len(o.buf) - at - freed
	from := uint64(0)
	for _, m := range dropped {
		o.buf = append(o.buf, tail[from:m.begin-base]...)
		from = m.end - base
	}
	o.buf = append(o.buf, tail[from:]...)
	for i := range o.marks[last:] {
		m := &o.marks[last+i]
		m.begin = uint64(int64(m.begin) + int64(shift))
		m.end = uint64(int64(m.end) + int64(shift))
	}
	gone = append(gone, dropped...)
	o.marks = o.marks[:first+copy(o.marks[first:], o.marks[last:])]
	return gone
}
