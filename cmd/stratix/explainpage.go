package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/gateway"
	"github.com/stratix-gateway/stratix/core/trace"
)

// traceTime is how a page and a tail write the time of a message.
const traceTime = "15:04:05.000"

// writeTraces prints what is known of a message for a person.
func writeTraces(out io.Writer, e *gateway.Explanation) error {
	for i := range e.Traces {
		if i > 0 {
			fmt.Fprintln(out)
		}
		if err := writeTrace(out, &e.Traces[i]); err != nil {
			return err
		}
	}
	if n := len(e.Traces); n > 1 {
		_, err := fmt.Fprintf(out, "\n%d messages had this id. Name the sender with --client.\n", n)
		return err
	}
	return nil
}

// writeTrace prints one trace: its message, a line for each stage, the end.
func writeTrace(out io.Writer, t *trace.Trace) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := rows(w)
	row("message", "%s from %s at %s", orDash(t.MessageID), senderText(t), t.Time.Local().Format(time.DateOnly+" "+traceTime))
	if t.Generation > 0 {
		row("", "%d bytes, generation %d, shard %d", t.Size, t.Generation, t.Shard)
	}
	for i := range t.Stages {
		row("stage", "%s", stageText(&t.Stages[i], t.Sampled))
	}
	row("verdict", "%s", verdictText(t))
	if where := targetsText(t); where != "" {
		row("went to", "%s", where)
	}
	if t.Verdict == trace.Accepted && (t.Storage != "" || t.Priority > 0 || t.TTL > 0) {
		row("kept", "%s", keptText(t))
	}
	if t.Data != "" {
		row("data", "%s", t.Data)
	}
	row("told", "%s", toldText(t))
	if l := t.Late; l != nil {
		row("later", "%s", lateText(t, l))
	}
	if !t.Sampled && t.Verdict != trace.Malformed { // which comes to no stage that could be watched
		row("note", "%s", "it was not sampled: only its end is known (--explain-rate 1 watches every message)")
	}
	return w.Flush()
}

// rows writes lines of a name and a text to w. What clients have sent may be in the
// text: it cannot drive the terminal.
func rows(w io.Writer) func(name, format string, args ...any) {
	return func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", name, visible(fmt.Sprintf(format, args...)))
	}
}

func senderText(t *trace.Trace) string {
	if t.Remote == "" {
		return t.Client
	}
	return t.Client + " (" + t.Remote + ")"
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func stageText(s *trace.Stage, timed bool) string {
	parts := []string{fmt.Sprintf("%s: %s", s.Stage, s.Verdict)}
	if timed {
		parts = append(parts, fmt.Sprintf("%.1f us", s.Micros))
	}
	if s.Instructions > 0 {
		parts = append(parts, fmt.Sprintf("%d instructions", s.Instructions))
	}
	if s.HeldMillis > 0 {
		parts = append(parts, fmt.Sprintf("held for %d ms", s.HeldMillis))
	}
	for i := range s.Changes {
		parts = append(parts, changeText(&s.Changes[i]))
	}
	return strings.Join(parts, ", ")
}

// storages are the words for the values of a change of "storage".
var storages = []string{"unset", "none", "memory", "disk"}

func changeText(c *trace.Change) string {
	switch c.What {
	case "data", "headers":
		text := fmt.Sprintf("%s %d -> %d bytes", c.What, c.Was, c.Is)
		if c.Keys != "" {
			text += " (" + c.Keys + ")"
		}
		if c.Before+c.After != "" {
			text += ": " + c.Before + " -> " + c.After
		}
		return text
	case "targets", "replies", "groups":
		return fmt.Sprintf("%s %d -> %d", c.What, c.Was, c.Is)
	case "storage":
		if max(c.Was, c.Is) < uint64(len(storages)) {
			return fmt.Sprintf("storage %s -> %s", storages[c.Was], storages[c.Is])
		}
	}
	return fmt.Sprintf("%s %d -> %d", c.What, c.Was, c.Is)
}

func verdictText(t *trace.Trace) string {
	text := strings.ToUpper(t.Verdict.String())
	if t.Verdict == trace.Accepted {
		text = "accepted"
	}
	if t.Code != "" && t.Code != t.Verdict.String() {
		text += " " + t.Code
	}
	if t.Reason != "" {
		text += ": " + t.Reason
	}
	if t.Instructions > 0 {
		text += fmt.Sprintf(" (%d instructions in all)", t.Instructions)
	}
	return text
}

func targetsText(t *trace.Trace) string {
	var parts []string
	for _, to := range t.Targets {
		parts = append(parts, strings.TrimSpace(to.Kind+" "+to.Name))
	}
	if more := t.TargetCount - len(t.Targets); more > 0 {
		parts = append(parts, fmt.Sprintf("%d more", more))
	}
	if t.Replies > 0 {
		parts = append(parts, fmt.Sprintf("%d reply(s) to its sender", t.Replies))
	}
	if t.Groups > 0 {
		parts = append(parts, fmt.Sprintf("%d group(s) joined or left", t.Groups))
	}
	text := strings.Join(parts, ", ")
	if t.OwnTargets {
		text += " (its own \"to\")"
	}
	return text
}

func keptText(t *trace.Trace) string {
	text := storageText(t)
	if t.Priority > 0 {
		text += fmt.Sprintf(", priority %d", t.Priority)
	}
	if t.TTL > 0 {
		text += fmt.Sprintf(", ttl %s", time.Duration(t.TTL)*time.Second)
	}
	return text
}

// storageText is where a message waits for its recipients.
func storageText(t *trace.Trace) string {
	some, alone := t.Upstreams()
	kept := t.Storage == core.StorageMemory.String() || t.Storage == core.StorageDisk.String()
	switch {
	case alone && kept:
		return "in memory, in the queue of the upstream; a dead letter of it would be kept: " + t.Storage
	case alone:
		return "in memory, in the queue of the upstream"
	case some && kept:
		return t.Storage + "; in memory for the upstream"
	}
	return orDash(t.Storage)
}

// toldText is what the sender was told, and of whom.
func toldText(t *trace.Trace) string {
	a := t.Answer
	switch {
	case a == nil && t.Verdict == trace.Accepted:
		return "nothing yet: the receipts are not all in"
	case a == nil:
		return "error " + t.Code
	}
	text := "stored=" + a.Stored + " status=" + a.Status
	if a.Code != "" {
		text = "error " + a.Code + ": " + a.Reason
	}
	if !a.Told {
		text = "nothing (it had left, or gave no messageId); it would have been " + text
	}
	text += fmt.Sprintf(", after %s;", a.Time.Sub(t.Time).Round(time.Millisecond))
	text += fmt.Sprintf(" delivered %d, queued %d, offline %d, refused %d", a.Delivered, a.Queued, a.Offline, a.Refused)
	switch all := a.Delivered + a.Queued + a.Offline + a.Refused; {
	case a.Repeats == 0:
	case a.Repeats == all:
		text += "; a repeat: nobody was given it again, and this is what has become of the first"
	default:
		text += fmt.Sprintf("; a repeat for %d of these: they were not given it again, and for them this is what has become of the first", a.Repeats)
	}
	return text
}

func lateText(t *trace.Trace, l *trace.Late) string {
	after := l.Time.Sub(t.Time).Round(time.Millisecond)
	if l.Outcome == "unknown" {
		return fmt.Sprintf("a repeat whose end nobody waits for, after %s", after)
	}
	return fmt.Sprintf("%s after %s", l.Outcome, after)
}
