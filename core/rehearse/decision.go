package rehearse

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/ruling"
)

// Decision is what was decided on one message. Where Verdict is not Done, what
// the pipeline did to the message does not count and is not in it.
type Decision struct {
	// Verdict is Done for what was accepted and goes somewhere, Drop for what a
	// stage or the gateway refused, and Hold.
	Verdict core.Verdict
	// Stage is the label of the stage that ended the pipeline or holds the message;
	// "" where all were passed.
	Stage string
	// Code and Reason are what the sender is told of a refusal.
	Code, Reason string
	// RetryAfter is in how many milliseconds it may be sent again, as the sender is
	// told; 0 says nothing about it.
	RetryAfter int64
	// Disconnect says that the sender's connection is closed for it.
	Disconnect bool
	// Targets are where it goes: those that a stage chose, or the sender's own.
	Targets []core.Target
	// Replies are JSON values for the sender.
	Replies       [][]byte
	Joins, Leaves []string
	// Data and Headers are as the pipeline left them.
	Data, Headers             []byte
	DataEdited, HeadersEdited bool
	TTL                       uint32
	Priority                  uint8
	Storage                   core.Storage
	Overflow                  core.Overflow
	Key                       string // of OverflowConflate
	// Instructions is what the Lua functions of the pipeline took.
	Instructions int
	// Err is what failed where the sender is only told that something did: a
	// script's error names file and line.
	Err error
	// Held says that a stage keeps the message: what comes of it is open.
	Held bool
}

func (d *Decision) refuse(r *ruling.Refusal) {
	*d = Decision{Verdict: core.Drop, Code: r.Code, Reason: strings.Clone(r.Text), Err: r.Policy, Instructions: d.Instructions}
}

// Equal reports whether everybody but the operator sees the same: it leaves out
// the stage, which moves with each edit, the instructions, and RetryAfter. Two failures are
// equal if their codes are.
func (d *Decision) Equal(o *Decision) bool {
	if d.Verdict != o.Verdict || d.Code != o.Code || d.Disconnect != o.Disconnect {
		return false
	}
	if d.Err != nil && o.Err != nil {
		return true
	}
	return (d.Err == nil) == (o.Err == nil) && d.Reason == o.Reason &&
		slices.Equal(d.Targets, o.Targets) && slices.EqualFunc(d.Replies, o.Replies, bytes.Equal) &&
		slices.Equal(d.Joins, o.Joins) && slices.Equal(d.Leaves, o.Leaves) &&
		bytes.Equal(d.Data, o.Data) && bytes.Equal(d.Headers, o.Headers) &&
		d.TTL == o.TTL && d.Priority == o.Priority &&
		d.Storage == o.Storage && d.Overflow == o.Overflow && d.Key == o.Key
}

// maxShown bounds what String shows of one JSON value, in bytes.
const maxShown = 200

// String is the Decision in one line: the same for what is Equal, but for the
// stage and a script's error.
func (d *Decision) String() string {
	switch {
	case d.Verdict == core.Hold:
		return "hold" + by(d.Stage)
	case d.Verdict == core.Drop && d.Err != nil:
		return "error " + d.Code + ": " + oneLine(d.Err.Error()) + by(d.Stage)
	case d.Verdict == core.Drop && d.Code == core.CodeDropped:
		return "drop: " + oneLine(d.Reason) + by(d.Stage)
	case d.Verdict == core.Drop && d.Disconnect:
		return "disconnect " + d.Code + ": " + oneLine(d.Reason) + by(d.Stage)
	case d.Verdict == core.Drop:
		return "reject " + d.Code + ": " + oneLine(d.Reason) + by(d.Stage)
	}
	var parts []string
	if len(d.Targets) > 0 {
		parts = append(parts, "-> "+strings.Join(TargetTexts(d.Targets, " "), ", "))
	}
	for _, reply := range d.Replies {
		parts = append(parts, "reply "+shown(reply))
	}
	for _, g := range d.Joins {
		parts = append(parts, "join "+g)
	}
	for _, g := range d.Leaves {
		parts = append(parts, "leave "+g)
	}
	if d.DataEdited {
		parts = append(parts, "data "+shown(d.Data))
	}
	if d.HeadersEdited {
		parts = append(parts, "headers "+shown(d.Headers))
	}
	return strings.Join(parts, "; ") + d.marks()
}

// marks are the properties that are not the default ones.
func (d *Decision) marks() string {
	var marks []string
	if d.Priority > 0 {
		marks = append(marks, fmt.Sprintf("prio %d", d.Priority))
	}
	if d.TTL > 0 {
		marks = append(marks, fmt.Sprintf("ttl %ds", d.TTL))
	}
	if d.Storage > core.StorageNone {
		marks = append(marks, d.Storage.String())
	}
	if d.Overflow > core.OverflowReject {
		word := d.Overflow.String()
		if d.Key != "" {
			word += " " + oneLine(d.Key)
		}
		marks = append(marks, word)
	}
	if len(marks) == 0 {
		return ""
	}
	return " [" + strings.Join(marks, ", ") + "]"
}

// TargetTexts are the targets as words, with sep between the kind and the name.
func TargetTexts(targets []core.Target, sep string) []string {
	texts := make([]string, len(targets))
	for i, t := range targets {
		texts[i] = t.Kind.String()
		if t.Kind != core.ToSender {
			texts[i] += sep + t.Name
		}
	}
	return texts
}

func by(stage string) string {
	if stage == "" {
		return ""
	}
	return " (" + stage + ")"
}

func shown(json []byte) string {
	if json == nil {
		return "none"
	}
	text := oneLine(string(json))
	if len(text) > maxShown {
		cut := maxShown
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "..."
	}
	return text
}

// oneLine makes spaces of what would break a line.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
