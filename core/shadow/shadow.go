// Package shadow runs what clients have sent through two states of the scripts,
// with all effects withheld, and says in what they decide differently.
package shadow

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stratix-gateway/stratix/core/rehearse"
	"github.com/stratix-gateway/stratix/core/traffic"
	"github.com/stratix-gateway/stratix/core/wire"
)

// Side is one state of the scripts, loaded for this run alone.
type Side struct {
	*rehearse.Rehearsal
	// Clock is what its scripts read. It stands where a message was taken.
	Clock *Clock
}

// Clock is a clock that somebody sets. One goroutine uses it.
type Clock struct{ now time.Time }

// Now is what the clock shows.
func (c *Clock) Now() time.Time { return c.now }

// Set sets it, in milliseconds since 1970.
func (c *Clock) Set(millis int64) { c.now = time.UnixMilli(millis).UTC() }

// Decide runs one message at its time.
func (s *Side) Decide(in *traffic.Input) rehearse.Decision {
	s.Clock.Set(in.Time)
	return s.Run(in)
}

// Report is what two states of the scripts made of the same messages.
type Report struct {
	Messages  int      `json:"messages"`
	Of        int      `json:"of"` // that there were: the time was over before
	Differ    int      `json:"differ"`
	Errors    int      `json:"errors"`    // messages that the new scripts fail on ...
	NewErrors int      `json:"newErrors"` // ... of these, that the old ones do not fail on
	OldErrors int      `json:"oldErrors"`
	P99       int      `json:"p99"` // instructions, of the new ones
	OldP99    int      `json:"oldP99"`
	Changes   []Change `json:"changes,omitempty"` // the most frequent kinds
	More      int      `json:"more,omitempty"`    // messages of other kinds
	Problems  []string `json:"problems,omitempty"`
}

// Change is one kind of a difference.
type Change struct {
	Messages int    `json:"messages"`
	Before   string `json:"before"`
	After    string `json:"after"`
	Client   string `json:"client"` // an example: its sender ...
	ID       string `json:"id,omitempty"`
}

const (
	maxChanges  = 5
	maxKinds    = 1000
	maxProblems = 5
)

// Compare runs the inputs through both sides until ctx ends.
func Compare(ctx context.Context, inputs []traffic.Input, before, after *Side) *Report {
	c := comparison{kinds: map[[2]string]*Change{}, problems: map[string]int{}}
	r := &c.Report
	r.Of = len(inputs)
	for i := range inputs {
		if ctx.Err() != nil { // one message may take as long as 64 others
			break
		}
		in := &inputs[i]
		was, is := before.Decide(in), after.Decide(in)
		r.Messages++
		c.note(in, &was, &is)
	}
	c.finish()
	return r
}

type comparison struct {
	Report
	kinds     map[[2]string]*Change
	problems  map[string]int
	was, is   []int // instructions
	otherKind int
}

func (c *comparison) note(in *traffic.Input, was, is *rehearse.Decision) {
	c.was, c.is = append(c.was, was.Instructions), append(c.is, is.Instructions)
	if was.Err != nil {
		c.OldErrors++
	}
	if is.Err != nil {
		c.Errors++
		if was.Err == nil {
			c.NewErrors++
		}
		if text := firstLine(is.Err.Error()); len(c.problems) < maxKinds || c.problems[text] > 0 {
			c.problems[text]++
		}
	}
	if was.Equal(is) {
		return
	}
	c.Differ++
	key := [2]string{Kind(was), Kind(is)}
	if key[0] == key[1] {
		key[1] += ", with other content"
	}
	k := c.kinds[key]
	if k == nil {
		if len(c.kinds) == maxKinds {
			c.otherKind++
			return
		}
		k = &Change{Before: key[0], After: key[1], Client: in.From, ID: string(wire.Unquote(nil, in.ID))}
		c.kinds[key] = k
	}
	k.Messages++
}

func (c *comparison) finish() {
	for _, k := range c.kinds {
		c.Changes = append(c.Changes, *k)
	}
	slices.SortFunc(c.Changes, func(a, b Change) int {
		return cmp.Or(b.Messages-a.Messages, strings.Compare(a.Before, b.Before), strings.Compare(a.After, b.After))
	})
	c.More = c.otherKind
	for _, k := range c.Changes[min(maxChanges, len(c.Changes)):] {
		c.More += k.Messages
	}
	c.Changes = c.Changes[:min(maxChanges, len(c.Changes))]
	for text := range c.problems {
		c.Problems = append(c.Problems, text)
	}
	slices.SortFunc(c.Problems, func(a, b string) int { return cmp.Or(c.problems[b]-c.problems[a], strings.Compare(a, b)) })
	for i, text := range c.Problems {
		c.Problems[i] = fmt.Sprintf("%s (%s)", text, plural(c.problems[text], "message"))
	}
	c.Problems = c.Problems[:min(maxProblems, len(c.Problems))]
	c.P99, c.OldP99 = p99(c.is), p99(c.was)
}

func p99(values []int) int {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[(len(values)*99+99)/100-1]
}

// Kind is a decision without the content: the same for messages that are treated
// alike.
func Kind(d *rehearse.Decision) string {
	switch {
	case d.Err != nil:
		return "fails: " + firstLine(d.Err.Error())
	case d.Held:
		return "is held by " + d.Stage
	case d.Code != "":
		return strings.TrimSuffix("is refused: "+d.Code+": "+d.Reason, ": ")
	}
	var parts []string
	if n := len(d.Targets); n > 4 {
		parts = append(parts, fmt.Sprintf("goes to %d targets", n))
	} else if n > 0 {
		parts = append(parts, "goes to "+strings.Join(rehearse.TargetTexts(d.Targets, " "), ", "))
	}
	if len(d.Replies) > 0 {
		parts = append(parts, "is replied to")
	}
	for _, g := range d.Joins {
		parts = append(parts, "joins "+g)
	}
	for _, g := range d.Leaves {
		parts = append(parts, "leaves "+g)
	}
	if d.Priority > 0 {
		parts = append(parts, fmt.Sprintf("priority %d", d.Priority))
	}
	if s := d.Storage.String(); s != "" {
		parts = append(parts, "kept: "+s)
	}
	return strings.Join(parts, ", ")
}

// Lines is the Report as a person reads it, the verdict first.
func (r *Report) Lines() []string {
	first := fmt.Sprintf("%d of %s decided differently; %s (before: %d); p99 instructions %d -> %d",
		r.Differ, plural(r.Messages, "message"), plural(r.Errors, "error"), r.OldErrors, r.OldP99, r.P99)
	if r.Messages < r.Of {
		first += fmt.Sprintf("; of %d there was no time for more", r.Of)
	}
	out := []string{first}
	for _, c := range r.Changes {
		who := c.Client
		if c.ID != "" {
			who += " " + c.ID
		}
		out = append(out, fmt.Sprintf("%d: %s  ->  %s  (%s)", c.Messages, c.Before, c.After, who))
	}
	if r.More > 0 {
		out = append(out, fmt.Sprintf("%d: in other ways", r.More))
	}
	return append(out, r.Problems...)
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
