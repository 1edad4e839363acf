package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stratix-gateway/stratix/core"
	corejournal "github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/record"
	"github.com/stratix-gateway/stratix/core/wire"
)

// logLine is a record of the log on its way to the terminal.
type logLine struct {
	at     corejournal.Position
	millis int64 // of its commit, since 1970; 0 where that is not known
	rec    *record.Record
	client string // whose record it is, of all but messages and runs; "" where the log does not say
}

// lineOf is the line of a record that accounts knows already.
func lineOf(e corejournal.Entry, rec *record.Record, known *accounts) logLine {
	l := logLine{at: e.At, millis: e.Millis, rec: rec}
	switch rec.Kind {
	case record.Session:
		l.client = rec.State.Name
	case record.Ack, record.Gone, record.End:
		l.client = known.nameOf(rec.Epoch)
	}
	return l
}

// kindNames are the kinds in the order in which they are listed.
var kindNames = [...]string{"message", "ack", "gone", "session", "end", "run"}

// kindIndex is the place of a kind in kindNames.
func kindIndex(k record.Kind) int { return strings.IndexByte("MAGSER", byte(k)) }

func (l *logLine) kind() string { return kindNames[kindIndex(l.rec.Kind)] }

// when is the time of the commit, or else of the message.
func (l *logLine) when() int64 {
	if l.millis == 0 && l.rec.Kind == record.Message {
		return l.rec.Letter.Time
	}
	return l.millis
}

const (
	shownData       = 80 // characters
	shownRecipients = 5
)

// text is the line as it is printed. If it is not to be full, what is long is
// cut.
func (l *logLine) text(full bool) string {
	return fmt.Sprintf("%-24s %-16s %-7s %s", timeText(l.when()), placeText(l.at), l.kind(), l.what(full))
}

// what is what the record says.
func (l *logLine) what(full bool) string {
	rec := l.rec
	var b strings.Builder
	field := func(name, value string) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(name + "=" + value)
	}
	switch rec.Kind {
	case record.Message:
		letter := &rec.Letter
		field("from", word(letter.From))
		if len(letter.ID) > 0 {
			field("id", word(messageID(letter)))
		}
		field("priority", strconv.Itoa(int(letter.Priority)))
		field("ttl", (time.Duration(letter.TTL) * time.Second).String())
		field("generation", strconv.FormatUint(uint64(letter.Generation), 10))
		if full {
			field("sent", timeText(letter.Time))
			if letter.Overflow != core.OverflowUnset {
				field("overflow", letter.Overflow.String())
			}
			if len(letter.Key) > 0 {
				field("key", word(string(letter.Key)))
			}
			if len(letter.Headers) > 0 {
				field("headers", visible(string(letter.Headers)))
			}
		}
		field("to", recipientsText(rec.Recipients, full))
		if data := visible(string(letter.Data)); full {
			field("data", data)
		} else if data != "" {
			field("data", cut(data, shownData))
		}
	case record.Ack:
		l.clientField(field, rec.Epoch)
		field("upto", strconv.FormatUint(rec.Upto, 10))
		if len(rec.Ranges) > 0 {
			field("also", rangesText(rec.Ranges))
		}
	case record.Gone:
		l.clientField(field, rec.Epoch)
		field("seq", rangesText(rec.Ranges))
		field("cause", rec.Cause.String())
	case record.Session:
		st := &rec.State
		l.clientField(field, st.Epoch)
		field("seq", strconv.FormatUint(st.Seq, 10))
		field("upto", strconv.FormatUint(st.Upto, 10))
		if len(st.Spans) > 0 {
			field("also", spansText(st.Spans))
		}
		if len(st.Groups) > 0 {
			groups := make([]string, len(st.Groups))
			for i, g := range st.Groups {
				groups[i] = word(g)
			}
			field("groups", strings.Join(groups, ","))
		}
		field("seen", timeText(st.Seen*1000))
	case record.End:
		l.clientField(field, rec.Epoch)
	case record.Run:
		if rec.Ended {
			return "ended in order sync=" + syncText(rec.Sync)
		}
		return "begins sync=" + syncText(rec.Sync)
	}
	return b.String()
}

func (l *logLine) clientField(field func(name, value string), epoch uint64) {
	name := "?"
	if l.client != "" {
		name = word(l.client)
	}
	field("client", name)
	field("epoch", epochText(epoch))
}

func recipientsText(to []record.Recipient, full bool) string {
	var parts []string
	for i, r := range to {
		if i == shownRecipients && !full {
			return strings.Join(parts, ",") + fmt.Sprintf(" (and %d more)", len(to)-i)
		}
		parts = append(parts, word(r.Name)+"#"+strconv.FormatUint(r.Seq, 10))
	}
	return strings.Join(parts, ",")
}

func rangesText(ranges []record.Range) string {
	parts := make([]string, len(ranges))
	for i, r := range ranges {
		parts[i] = rangeText(r)
	}
	return strings.Join(parts, ",")
}

func spansText(spans []record.Span) string {
	parts := make([]string, len(spans))
	for i, s := range spans {
		parts[i] = rangeText(s.Range)
		if s.Cause != 0 {
			parts[i] += "(" + s.Cause.String() + ")"
		}
	}
	return strings.Join(parts, ",")
}

func rangeText(r record.Range) string {
	if r.From == r.To {
		return strconv.FormatUint(r.From, 10)
	}
	return fmt.Sprintf("%d-%d", r.From, r.To)
}

func syncText(s core.Sync) string {
	switch s {
	case core.SyncCommit:
		return "commit"
	case core.SyncInterval:
		return "interval"
	case core.SyncOS:
		return "os"
	}
	return "unknown"
}

func epochText(epoch uint64) string { return string(wire.AppendEpoch(nil, epoch)) }

func placeText(at corejournal.Position) string { return fmt.Sprintf("%08d:%d", at.Segment, at.Offset) }

// timeText is milliseconds since 1970 as a time that --since reads.
func timeText(millis int64) string {
	if millis == 0 {
		return "-"
	}
	return time.UnixMilli(millis).UTC().Format("2006-01-02T15:04:05.000Z")
}

// word is s, quoted if it would not stand as one word in a line.
func word(s string) string {
	if s != "" && visible(s) == s && !strings.ContainsAny(s, " \"\\=,#") {
		return s
	}
	return strconv.Quote(s)
}

// visible is s on one line, without what a terminal takes for a command.
func visible(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\n' || r == '\r' || r == '\t':
			b.WriteByte(' ')
		case !unicode.IsPrint(r) && r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		case !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

// cut is s, or what it begins with if it has more than n characters.
func cut(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i] + "…"
		}
		n--
	}
	return s
}
