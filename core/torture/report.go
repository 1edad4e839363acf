package torture

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// String is one line.
func (v Violation) String() string {
	var b strings.Builder
	b.WriteString(v.Rule + ":")
	if v.ID != "" {
		fmt.Fprintf(&b, " message %s of %s", v.ID, v.From)
	}
	if v.Client != "" {
		fmt.Fprintf(&b, " at %s", v.Client)
	}
	fmt.Fprintf(&b, " %s", v.Text)
	return b.String()
}

// What is printed at the most; the history file has the rest.
const (
	maxOfRule = 5
	maxStory  = 40 // events of one message
)

// Explain writes the violations, and under each all that the history in the file
// at path says of its message.
func Explain(w io.Writer, path string, violations []Violation) error {
	counts := map[string]int{}
	var shown []Violation
	for _, v := range violations {
		if counts[v.Rule]++; counts[v.Rule] <= maxOfRule {
			shown = append(shown, v)
		}
	}
	stories, begun := make([][]string, len(shown)), make([]bool, len(shown))
	err := ReadFile(path, func(e *Event) {
		for i := range shown {
			if shown[i].ID == "" || len(stories[i]) > maxStory || !e.concerns(&shown[i]) {
				continue
			}
			switch e.Kind {
			case Sent, Received:
				begun[i] = true
			}
			if begun[i] || e.Kind == Bounded {
				stories[i] = append(stories[i], e.String())
			}
		}
	})
	for i := range shown {
		fmt.Fprintf(w, "VIOLATION %s\n", shown[i])
		for n, line := range stories[i] {
			if n == maxStory {
				line = "..."
			}
			fmt.Fprintf(w, "    %s\n", line)
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(w, "%s: broken %d times\n", rule, counts[rule])
	}
	return err
}

// concerns reports whether the event is about the message of v, or about what
// happened to the gateway and to v's recipient meanwhile.
func (e *Event) concerns(v *Violation) bool {
	switch e.Kind {
	case Sent, Told, Refused:
		return e.Client == v.From && e.ID == v.ID
	case Received:
		return e.From == v.From && e.ID == v.ID
	case Fault:
		return e.Code == FaultKill || e.Code == FaultFlip || e.Code == faultWeak
	case Greeted, Forgot:
		return e.Client == v.Client
	case Gapped: // where there is no room they would fill the story
		return e.Client == v.Client && e.Cause != causeOverflow && e.Cause != causeConflated
	case Bounded:
		return true
	case Closed:
		return e.Client == v.From || e.Client == v.Client
	}
	return false
}

// String is one line for a reader.
func (e *Event) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%9.3fs %s", e.At.Seconds(), e.Kind)
	field := func(name string, v any, is bool) {
		if is {
			fmt.Fprintf(&b, " %s=%v", name, v)
		}
	}
	field("by", e.Client, e.Client != "")
	field("from", e.From, e.From != "")
	field("id", e.ID, e.ID != "")
	if e.To != nil {
		fmt.Fprintf(&b, " to=%s:%s", e.To.Kind, e.To.Name)
		field("members", strings.Join(e.To.Members, ","), e.To.Kind != ToClient)
	}
	field("key", e.Key, e.Key != "")
	field("priority", e.Priority, e.Priority > 0)
	field("ttl", e.TTL, e.TTL > 0)
	field("receipt", true, e.Receipt)
	field("stored", e.Stored, e.Stored != "")
	field("status", e.Status, e.Status != "")
	if e.Counts != nil {
		fmt.Fprintf(&b, " counts=%+v", *e.Counts)
	}
	field("epoch", e.Epoch, e.Epoch != "")
	field("seq", e.Seq, e.Seq > 0 || e.Kind == Greeted)
	field("upto", e.UpTo, e.UpTo > 0)
	field("also", e.Also, len(e.Also) > 0)
	field("last", e.Last, e.Kind == Greeted)
	field("recovered", e.Recovered, e.Kind == Greeted)
	field("repeat", true, e.Repeat)
	field("cause", e.Cause, e.Cause != "")
	field("code", e.Code, e.Code != "")
	field("text", e.Text, e.Text != "")
	return b.String()
}
