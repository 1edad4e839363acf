package trace

import (
	"encoding/binary"
	"strings"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

// Head returns the number of the trace that an entry belongs to and whether it
// is the decision, with which a trace begins.
func Head(entry []byte) (number uint64, decision, ok bool) {
	if len(entry) < headBytes {
		return 0, false, false
	}
	return binary.LittleEndian.Uint64(entry[1:]), entry[0] == kindDecision, true
}

// millisOf is when an entry was written; a decision, when its message came.
func millisOf(entry []byte) int64 {
	if len(entry) < headBytes {
		return 0
	}
	return int64(binary.LittleEndian.Uint64(entry[9:]))
}

// Is reports whether a decision is about the message with this id, and of this
// client; "" is any client. It is Read for those two.
func Is(entry []byte, id, client string) bool {
	if len(entry) < headBytes {
		return false
	}
	r := reader{b: entry, at: headBytes}
	return r.view() == id && (client == "" || r.view() == client) && !r.bad
}

// Read reads an entry into t, which it belongs to: a decision replaces t, the
// others add to it. It reports false, and t is not to be used, if the entry is
// none.
func Read(entry []byte, t *Trace) bool {
	if len(entry) < headBytes {
		return false
	}
	r := reader{b: entry, at: headBytes}
	number, when := binary.LittleEndian.Uint64(entry[1:]), time.UnixMilli(millisOf(entry)).UTC()
	if year := when.Year(); year < 1970 || year > 9999 {
		return false // JSON has no such time
	}
	switch entry[0] {
	case kindDecision:
		*t = Trace{Number: number, Time: when}
		r.decision(t)
	case kindAnswer:
		a := &Answer{Time: when}
		a.Told = r.byte()&flagTold != 0
		a.Delivered, a.Queued, a.Offline, a.Refused = uint32(r.uvarint()), uint32(r.uvarint()), uint32(r.uvarint()), uint32(r.uvarint())
		a.Repeats = uint32(r.uvarint())
		a.Stored, a.Status, a.Code, a.Reason = r.text(), r.text(), r.text(), r.text()
		t.Answer = a
	case kindLate:
		t.Late = &Late{Time: when, Outcome: r.text()}
	default:
		return false
	}
	return !r.bad && r.at == len(entry)
}

func (r *reader) decision(t *Trace) {
	t.MessageID, t.Client, t.Remote = r.text(), r.text(), r.text()
	t.Size, t.Generation, t.Shard = r.int(), uint32(r.uvarint()), r.int()
	flags := r.byte()
	t.Sampled, t.OwnTargets = flags&flagSampled != 0, flags&flagOwn != 0
	t.Verdict = Outcome(r.below(int(outcomes)))
	t.Code, t.Reason = r.text(), r.text()
	t.Instructions, t.Priority, t.TTL = r.int(), uint8(r.uvarint()), uint32(r.uvarint())
	t.Storage = core.Storage(r.byte()).String()
	t.Replies, t.Groups, t.TargetCount = r.int(), r.int(), r.int()
	for range r.count() {
		kind := core.TargetKind(r.byte()).String()
		t.Targets = append(t.Targets, Target{kind, r.text()})
	}
	t.Data = r.text()
	for range r.count() {
		s := Stage{Stage: r.text(), Verdict: verdictWords[r.below(len(verdictWords))]}
		s.Micros = float64(r.uvarint()) / 1000
		s.HeldMillis, s.Instructions = int64(r.uvarint()), r.int()
		for range r.byte() {
			c := Change{What: changeWords[r.below(len(changeWords))], Was: r.uvarint(), Is: r.uvarint()}
			c.Keys, c.Before, c.After = r.text(), r.text(), r.text()
			if r.bad {
				return
			}
			if c.What == changeWords[changeStorage] {
				c.Before, c.After = storageWord(c.Was), storageWord(c.Is)
			}
			s.Changes = append(s.Changes, c)
		}
		if r.bad {
			return
		}
		t.Stages = append(t.Stages, s)
	}
}

// storageWord is the word for a value of "storage".
func storageWord(n uint64) string {
	switch {
	case n == uint64(core.StorageUnset):
		return "unset"
	case n <= uint64(core.StorageDisk):
		return core.Storage(n).String()
	}
	return ""
}

// reader takes an entry apart. Past its end, or after something that makes no
// sense, it is bad and returns zero values.
type reader struct {
	b   []byte
	at  int
	bad bool
}

func (r *reader) byte() byte {
	if r.bad || r.at >= len(r.b) {
		r.bad = true
		return 0
	}
	r.at++
	return r.b[r.at-1]
}

// below is a byte that must be smaller than n.
func (r *reader) below(n int) byte {
	b := r.byte()
	if int(b) >= n {
		r.bad = true
		return 0
	}
	return b
}

func (r *reader) uvarint() uint64 {
	if r.bad {
		return 0
	}
	v, n := binary.Uvarint(r.b[r.at:])
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.at += n
	return v
}

func (r *reader) int() int { return int(r.uvarint() & (1<<31 - 1)) }

// count is how many of something follow, each at least a byte.
func (r *reader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.b)-r.at) {
		r.bad = true
		return 0
	}
	return int(n)
}

// view is text for as long as the entry is not written to.
func (r *reader) view() string {
	n := r.count()
	r.at += n
	return view(r.b[r.at-n : r.at])
}

func (r *reader) text() string { return strings.Clone(r.view()) }
