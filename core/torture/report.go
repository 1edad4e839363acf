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

// Explain writes the violations, and under each all that the history says of
// its message.
func Explain(w io.Writer, events []Event, violations []Violation) {
	counts := map[string]int{}
	for _, v := range violations {
		if counts[v.Rule]++; counts[v.Rule] > maxOfRule {
			continue
		}
		fmt.Fprintf(w, "VIOLATION %s\n", v)
		if v.ID == "" {
			continue
		}
		shown := 0
		for i := range events {
			if !events[i].concerns(v) {
				continue
			}
			if shown++; shown > maxStory {
				fmt.Fprintf(w, "    ...\n")
				break
			}
			fmt.Fprintf(w, "    %s\n", &events[i])
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(w, "%s: broken %d times\n", rule, counts[rule])
	}
}

// concerns reports whether the event is about the message of v, or about what
// happened to the gateway and to v's recipient meanwhile.
func (e *Event) concerns(v Violation) bool {
	switch e.Kind {
	case Sent, Told, Refused:
		return e.Client == v.From && e.ID == v.ID
	case Received:
		return e.From == v.From && e.ID == v.ID
	case Fault:
		return e.Code == FaultKill || e.Code == FaultFlip || e.Code == faultWeak
	case Greeted, Gapped:
		return e.Client == v.Client
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
	field("last", e.Last, e.Kind == Greeted)
	field("recovered", e.Recovered, e.Kind == Greeted)
	field("repeat", true, e.Repeat)
	field("cause", e.Cause, e.Cause != "")
	field("code", e.Code, e.Code != "")
	field("text", e.Text, e.Text != "")
	return b.String()
}

// Summary says in a few lines what a history holds.
func Summary(events []Event) string {
	counts := map[string]int{}
	count := func(word string) { counts[word]++ }
	first := map[key]bool{}
	for i := range events {
		e := &events[i]
		switch e.Kind {
		case Sent:
			if k := (key{e.Client, e.ID}); !first[k] {
				first[k] = true
				count("messages")
			} else {
				count("sent again")
			}
		case Told:
			count("told " + e.Stored + " " + e.Status)
		case Refused:
			count("refused " + e.Code)
		case Received:
			switch {
			case e.Plain:
				count("received by plain clients")
			case e.Repeat:
				count("received again and dropped")
			case e.Seq == 0:
				count("received without seq")
			default:
				count("received")
			}
		case Gapped:
			counts["gap "+e.Cause] += int(e.UpTo - e.Seq + 1)
		case Greeted:
			if e.Recovered {
				count("hello recovered")
			} else {
				count("hello new epoch")
			}
		case Fault:
			if e.Text != "off" {
				count("fault " + e.Code)
			}
		}
	}
	words := make([]string, 0, len(counts))
	for word := range counts {
		words = append(words, word)
	}
	slices.Sort(words)
	for i, word := range words {
		words[i] = fmt.Sprintf("%s: %d", word, counts[word])
	}
	return strings.Join(words, "; ")
}
