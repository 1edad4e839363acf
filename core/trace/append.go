package trace

import (
	"bytes"
	"encoding/binary"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/wire"
)

// The kinds of entries.
const (
	kindDecision = 'D'
	kindAnswer   = 'A'
	kindLate     = 'L'
)

// headBytes is the length of kind, number and millis.
const headBytes = 17

// flags of a decision and of an answer.
const (
	flagSampled = 1 << iota
	flagOwn
	flagTold
)

// The kinds of changes, in the order of changeWords.
const (
	changeData = iota
	changeHeaders
	changeTargets
	changeReplies
	changeGroups
	changeTTL
	changePriority
	changeStorage
)

var changeWords = [...]string{"data", "headers", "targets", "replies", "groups", "ttl", "priority", "storage"}

// verdictError is the fifth verdict of a step: it failed.
const verdictError = 4

var verdictWords = [...]string{"next", "done", "drop", "hold", "error"}

// Decision is what is written down of a message when its pipeline has ended. Its
// strings and the message are read during AppendDecision only.
type Decision struct {
	Number       uint64
	Shard        int
	Outcome      Outcome
	Code, Reason string
	Targets      []core.Target
	Own          bool   // they are the client's own
	Preview      int    // bytes of data to show
	Stage        string // that ended it, where m has no Trace; "" for none
}

// AppendDecision appends the entry for m. It does not allocate.
func AppendDecision(dst []byte, d *Decision, m *core.Message) []byte {
	began := len(dst)
	dst = appendHead(dst, kindDecision, d.Number, m.Time)
	dst = appendID(dst, m.ID)
	dst = appendText(dst, m.From.ID, maxName)
	dst = appendRemote(dst, m)
	dst = appendInt(dst, m.Size)
	dst = binary.AppendUvarint(dst, uint64(m.Generation))
	dst = appendInt(dst, d.Shard)
	var flags byte
	if m.Trace != nil {
		flags |= flagSampled
	}
	if d.Own {
		flags |= flagOwn
	}
	dst = append(dst, flags, byte(d.Outcome))
	dst = appendText(dst, d.Code, maxName)
	dst = appendText(dst, d.Reason, maxReason)
	dst = appendInt(dst, m.Instructions)
	dst = appendInt(dst, int(m.Priority))
	dst = binary.AppendUvarint(dst, uint64(m.TTL))
	dst = append(dst, byte(m.Storage))
	dst = appendInt(dst, len(m.Effects.Replies))
	dst = appendInt(dst, len(m.Effects.Joins)+len(m.Effects.Leaves))
	dst = appendInt(dst, len(d.Targets))
	shown := d.Targets[:min(len(d.Targets), maxTargets)]
	dst = appendInt(dst, len(shown))
	for _, t := range shown {
		dst = append(dst, byte(t.Kind))
		dst = appendText(dst, t.Name, maxName)
	}
	dst = appendPreview(dst, m.Data, d.Preview)
	switch t := m.Trace; {
	case t != nil:
		steps := t.Steps[:min(len(t.Steps), maxSteps)]
		dst = appendInt(dst, len(steps))
		before := &t.First
		for i := range steps {
			dst = appendStep(dst, &steps[i], before, d.Preview, began+previewsUntil)
			before = &steps[i].After
		}
	case d.Stage != "":
		verdict := byte(core.Drop)
		if d.Outcome == Failed {
			verdict = verdictError
		}
		dst = appendInt(dst, 1)
		dst = appendText(dst, d.Stage, maxName)
		dst = append(dst, verdict, 0, 0, 0, 0)
	default:
		dst = appendInt(dst, 0)
	}
	return dst
}

func appendStep(dst []byte, s *core.Step, before *core.Look, preview, until int) []byte {
	dst = appendText(dst, s.Stage, maxName)
	verdict := byte(s.Verdict)
	if s.Failed {
		verdict = verdictError
	}
	dst = append(dst, verdict)
	dst = appendInt(dst, int(s.Spent))
	dst = appendInt(dst, int(s.Held.Milliseconds()))
	dst = appendInt(dst, s.Instructions)
	at := len(dst)
	dst = append(dst, 0) // how many changes: fewer than 128
	a := &s.After
	part := func(kind byte, was, is []byte) {
		if bytes.Equal(was, is) {
			return
		}
		dst[at]++
		dst = append(dst, kind)
		dst = appendInt(appendInt(dst, len(was)), len(is))
		dst = appendKeys(dst, was, is)
		if kind == changeHeaders || len(dst) > until {
			dst = append(dst, 0, 0) // the values of headers are never shown
			return
		}
		dst = appendPreview(appendPreview(dst, was, preview), is, preview)
	}
	part(changeData, before.Data, a.Data)
	part(changeHeaders, before.Headers, a.Headers)
	number := func(kind byte, was, is int) {
		if was != is {
			dst[at]++
			dst = append(dst, kind)
			dst = append(appendInt(appendInt(dst, was), is), 0, 0, 0)
		}
	}
	number(changeTargets, before.Targets, a.Targets)
	number(changeReplies, before.Replies, a.Replies)
	number(changeGroups, before.Joins+before.Leaves, a.Joins+a.Leaves)
	number(changeTTL, int(before.TTL), int(a.TTL))
	number(changePriority, int(before.Priority), int(a.Priority))
	number(changeStorage, int(before.Storage), int(a.Storage))
	return dst
}

// AppendAnswer appends the entry for what the sender was told.
func AppendAnswer(dst []byte, number uint64, millis int64, told bool, c wire.Counts, stored, status, code, reason string) []byte {
	dst = appendHead(dst, kindAnswer, number, millis)
	var flags byte
	if told {
		flags = flagTold
	}
	dst = append(dst, flags)
	for _, n := range [...]uint32{c.Delivered, c.Queued, c.Offline, c.Refused, c.Repeats} {
		dst = binary.AppendUvarint(dst, uint64(n))
	}
	dst = appendText(dst, stored, maxName)
	dst = appendText(dst, status, maxName)
	dst = appendText(dst, code, maxName)
	return appendText(dst, reason, maxReason)
}

// AppendLate appends the entry for what became of a message that had to wait.
func AppendLate(dst []byte, number uint64, millis int64, outcome string) []byte {
	return appendText(appendHead(dst, kindLate, number, millis), outcome, maxName)
}

func appendHead(dst []byte, kind byte, number uint64, millis int64) []byte {
	dst = append(dst, kind)
	dst = binary.LittleEndian.AppendUint64(dst, number)
	return binary.LittleEndian.AppendUint64(dst, uint64(millis))
}

func appendInt(dst []byte, n int) []byte { return binary.AppendUvarint(dst, uint64(max(n, 0))) }

func appendText(dst []byte, s string, longest int) []byte {
	s = s[:min(len(s), longest)]
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// appendID appends the messageId, which comes as a JSON string, as text.
func appendID(dst, raw []byte) []byte {
	at := len(dst)
	dst = append(dst, 0, 0) // two bytes of length: an id may be longer than 127
	dst = wire.Unquote(dst, raw)
	n := min(len(dst)-at-2, core.MaxMessageID)
	dst = dst[:at+2+n]
	dst[at], dst[at+1] = byte(n)|0x80, byte(n>>7)
	return dst
}

// appendRemote appends the address that the client came from, as text.
func appendRemote(dst []byte, m *core.Message) []byte {
	at := len(dst)
	dst = append(dst, 0)
	if m.From.Remote.IsValid() {
		dst = m.From.Remote.AppendTo(dst)
	}
	if len(dst)-at-1 > 127 { // a zone of any length
		dst = dst[:at+128]
	}
	dst[at] = byte(len(dst) - at - 1)
	return dst
}
