package record

import (
	"encoding/binary"
	"math"

	"github.com/stratix-gateway/stratix/core"
)

// Kind is what a record says; the first byte of each.
type Kind byte

// The kinds.
const (
	Message Kind = 'M' // a letter and those whom it is for
	Ack     Kind = 'A' // a recipient has settled messages
	Gone    Kind = 'G' // messages will never be delivered
	Session Kind = 'S' // what is known of a recipient
	End     Kind = 'E' // a recipient is forgotten
	Run     Kind = 'R' // the gateway begins, or has ended in order
)

// Cause is why a message is never delivered. The values stand in the log.
type Cause uint8

// The causes.
const (
	Expired   Cause = iota + 1 // it waited longer than its ttl
	Overflow                   // it made room for a newer one
	Conflated                  // a newer one under its key took its place
	Damaged                    // the log lost it
	Lost                       // it was in memory only, and the process ended
)

// String is the word on the wire, in logs and in metrics.
func (c Cause) String() string {
	if c < Expired || c > Lost {
		return "unknown"
	}
	return [...]string{"expired", "overflow", "conflated", "damaged", "lost"}[c-1]
}

// Causes are all of them.
var Causes = [...]Cause{Expired, Overflow, Conflated, Damaged, Lost}

// Recipient is one of those whom a message is for.
type Recipient struct {
	Name  string
	Epoch uint64
	Seq   uint64
}

// Range is the seqs from From to To, both included.
type Range struct{ From, To uint64 }

// State is what is known of a recipient.
type State struct {
	Name   string
	Epoch  uint64
	Seq    uint64   // of the last message given to it
	Upto   uint64   // all up to it are settled
	Flags  uint8    // of the recipient; see the shard
	Seen   int64    // when it was last connected, seconds since 1970
	Groups []string // that it is in
	Spans  []Span   // seqs after Upto that do not wait any more, in order
}

// Span is a range of seqs that do not wait any more: they are settled if Cause
// is 0, else they will never be delivered.
type Span struct {
	Range
	Cause Cause
}

// AppendMessage appends the part of a message record in front of its
// recipients: one AppendRecipient each must follow. content is Letter.Content.
func AppendMessage(dst []byte, from string, content []byte, recipients int) []byte {
	dst = append(appendText(append(dst, byte(Message)), from), content...)
	return binary.AppendUvarint(dst, uint64(recipients))
}

// AppendRecipient appends one recipient of a message record.
func AppendRecipient(dst []byte, name string, epoch, seq uint64) []byte {
	dst = appendText(dst, name)
	dst = binary.LittleEndian.AppendUint64(dst, epoch)
	return binary.AppendUvarint(dst, seq)
}

// AppendAck appends a record of what a recipient has settled: everything up to
// upto, and the ranges.
func AppendAck(dst []byte, epoch, upto uint64, ranges []Range) []byte {
	dst = append(dst, byte(Ack))
	dst = binary.LittleEndian.AppendUint64(dst, epoch)
	dst = binary.AppendUvarint(dst, upto)
	return appendRanges(dst, ranges)
}

// AppendGone appends a record of what will never be delivered.
func AppendGone(dst []byte, epoch uint64, cause Cause, ranges ...Range) []byte {
	dst = append(dst, byte(Gone))
	dst = binary.LittleEndian.AppendUint64(dst, epoch)
	return appendRanges(append(dst, byte(cause)), ranges)
}

func appendRanges(dst []byte, ranges []Range) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(ranges)))
	for _, r := range ranges {
		dst = binary.AppendUvarint(dst, r.From)
		dst = binary.AppendUvarint(dst, r.To-r.From)
	}
	return dst
}

// AppendSession appends a record of what is known of a recipient.
func AppendSession(dst []byte, s *State) []byte {
	dst = append(dst, byte(Session))
	dst = appendText(dst, s.Name)
	dst = binary.LittleEndian.AppendUint64(dst, s.Epoch)
	dst = binary.AppendUvarint(dst, s.Seq)
	dst = binary.AppendUvarint(dst, s.Upto)
	dst = append(dst, s.Flags)
	dst = binary.AppendUvarint(dst, uint64(s.Seen))
	dst = binary.AppendUvarint(dst, uint64(len(s.Groups)))
	for _, g := range s.Groups {
		dst = appendText(dst, g)
	}
	dst = binary.AppendUvarint(dst, uint64(len(s.Spans)))
	for _, span := range s.Spans {
		dst = append(dst, byte(span.Cause))
		dst = binary.AppendUvarint(dst, span.From)
		dst = binary.AppendUvarint(dst, span.To-span.From)
	}
	return dst
}

// AppendRun appends a record of a run that begins under sync, or has ended in
// order: then nothing that was told is missing behind it.
func AppendRun(dst []byte, sync core.Sync, ended bool) []byte {
	flag := byte(0)
	if ended {
		flag = 1
	}
	return append(dst, byte(Run), byte(sync), flag)
}

// AppendEnd appends a record of a recipient being forgotten.
func AppendEnd(dst []byte, epoch uint64) []byte {
	return binary.LittleEndian.AppendUint64(append(dst, byte(End)), epoch)
}

// Record is a record that was read. Only the fields of its kind are set; they
// alias the bytes that it was read from, and the slices are used again by the
// next Read.
type Record struct {
	Kind       Kind
	Letter     Letter
	Recipients []Recipient
	Epoch      uint64 // Ack, Gone, End
	Upto       uint64 // Ack
	Cause      Cause  // Gone
	Ranges     []Range
	State      State
	Sync       core.Sync // Run
	Ended      bool      // Run
}

// Read reads b, one whole record, and reports whether it is one.
func (r *Record) Read(b []byte) bool {
	in := reader{b: b}
	r.Kind = Kind(in.byte())
	r.Recipients, r.Ranges = r.Recipients[:0], r.Ranges[:0]
	switch r.Kind {
	case Message:
		n, ok := ReadLetter(b[1:], &r.Letter)
		if !ok {
			return false
		}
		in.at += n
		r.readRecipients(&in)
	case Ack:
		r.Epoch, r.Upto = in.fixed(), in.uvarint()
		r.readRanges(&in)
	case Gone:
		r.Epoch, r.Cause = in.fixed(), Cause(in.byte())
		in.bad = in.bad || r.Cause < Expired || r.Cause > Lost
		r.readRanges(&in)
	case Session:
		r.readState(&in)
	case End:
		r.Epoch = in.fixed()
	case Run:
		r.Sync, r.Ended = core.Sync(in.byte()), in.byte() == 1
	default:
		return false
	}
	return !in.bad && in.at == len(b)
}

func (r *Record) readRecipients(in *reader) {
	for n := in.count(10); n > 0 && !in.bad; n-- {
		to := Recipient{Name: in.text(), Epoch: in.fixed(), Seq: in.uvarint()}
		in.bad = in.bad || to.Name == "" || to.Seq == 0
		r.Recipients = append(r.Recipients, to)
	}
	in.bad = in.bad || len(r.Recipients) == 0
}

func (r *Record) readRanges(in *reader) {
	for n := in.count(2); n > 0 && !in.bad; n-- {
		from, more := in.uvarint(), in.uvarint()
		in.bad = in.bad || more > math.MaxUint64-from
		r.Ranges = append(r.Ranges, Range{from, from + more})
	}
}

func (r *Record) readState(in *reader) {
	r.State = State{
		Name: in.text(), Epoch: in.fixed(), Seq: in.uvarint(), Upto: in.uvarint(), Flags: in.byte(), Seen: int64(in.uvarint()),
		Groups: r.State.Groups[:0], Spans: r.State.Spans[:0],
	}
	for n := in.count(1); n > 0 && !in.bad; n-- {
		r.State.Groups = append(r.State.Groups, in.text())
	}
	for n := in.count(3); n > 0 && !in.bad; n-- {
		cause, from, more := Cause(in.byte()), in.uvarint(), in.uvarint()
		in.bad = in.bad || cause > Lost || more > math.MaxUint64-from
		r.State.Spans = append(r.State.Spans, Span{Range{from, from + more}, cause})
	}
	in.bad = in.bad || r.State.Name == ""
}

// count reads how many items of at least size bytes follow.
func (r *reader) count(size int) uint64 {
	n := r.uvarint()
	if n > uint64((len(r.b)-r.at)/size) {
		r.bad = true
		return 0
	}
	return n
}
