package shard

import (
	"cmp"
	"fmt"
	"slices"
	"unsafe"

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
// Positions count bytes. Those of a connection only ever grow, also over the
// outbounds that it gets one after the other.
type outbound struct {
	buf   []byte
	off   int
	start uint64     // position of buf[0]
	marks []mark     // the messages that may be dropped, oldest first
	late  int        // marks whose sender waits for a receipt
	gap   gap        // the last gap frame; its end is 0 without one
	sent  []sentMark // messages of a plain client's mailbox, oldest first
}

// gap is where a gap frame stands, and the messages that it names.
type gap struct{ begin, end, from, to uint64 }

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
	next  *lateNote // who else waits for it, since it came again; kept messages only
}

// footprint is how many bytes o keeps from the collector.
func (o *outbound) footprint() int {
	return cap(o.buf) + cap(o.marks)*int(unsafe.Sizeof(mark{})) + cap(o.sent)*int(unsafe.Sizeof(sentMark{}))
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
	if o.off >= 16<<10 && o.off >= len(o.buf)/4 {
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

// noteLate remembers who waits for the receipt of the message that ends at end.
func (o *outbound) noteLate(end uint64, who lateNote) {
	i, ok := slices.BinarySearchFunc(o.marks, end, func(m mark, end uint64) int { return cmp.Compare(m.end, end) })
	if ok {
		o.marks[i].late = who
		o.late++
	}
}

// dropOldest takes out the oldest whole messages until at most limit bytes
// wait, and appends their marks to gone. Frames that stay (a message that is
// partly written, pongs, acknowledgements, a client's messages to itself) keep
// their order; a gap frame stands for each run of dropped messages, and takes
// in the run before if that was not yet written. scratch is a buffer that it
// returns for the next call.
func (o *outbound) dropOldest(limit int, gone []mark, scratch []byte) ([]mark, []byte) {
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
		return gone, scratch
	}
	dropped := o.marks[first:last]
	g := o.gap
	merge := g.end > 0 && g.begin >= o.written() && g.to+1 == dropped[0].seq
	base := dropped[0].begin
	if merge {
		base = g.begin
	}
	at := int(base - o.start)
	tail := append(scratch[:0], o.buf[at:]...)
	o.buf = o.buf[:at]
	from := uint64(0) // in tail: what is before it is in o.buf again, or dropped
	if merge {
		from = g.end - base
	}
	for len(dropped) > 0 {
		run := 1
		for run < len(dropped) && dropped[run].seq == dropped[run-1].seq+1 {
			run++
		}
		if !merge {
			o.buf = append(o.buf, tail[from:dropped[0].begin-base]...)
			from = dropped[0].begin - base
			g = gap{from: dropped[0].seq}
		}
		merge = false
		g.to = dropped[run-1].seq
		g.begin = o.end()
		o.buf = frame.AppendFrame(o.buf, frame.OpText, wire.AppendGaps(nil, []wire.Gap{{Range: wire.Range{From: g.from, To: g.to}, Cause: "dropped"}}))
		g.end = o.end()
		for _, m := range dropped[:run] {
			o.buf = append(o.buf, tail[from:m.begin-base]...)
			from = m.end - base
		}
		dropped = dropped[run:]
	}
	o.gap = g
	shift := len(o.buf) - at - int(from)
	o.buf = append(o.buf, tail[from:]...)
	for i := range o.marks[last:] {
		m := &o.marks[last+i]
		m.begin += uint64(shift) // wraps when the shift is negative
		m.end += uint64(shift)
	}
	gone = append(gone, o.marks[first:last]...)
	o.marks = o.marks[:first+copy(o.marks[first:], o.marks[last:])]
	return gone, tail
}
