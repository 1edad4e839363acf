package trace

import (
	"fmt"
	"slices"
	"strings"
)

// Filter says which messages somebody wants to see. The empty one is all.
type Filter struct {
	Client string // the sender
	Prefix string // of the sender
	// Verdict is an outcome, or with Stage what that stage said.
	Verdict string
	Stage   string // the message came to it
	Code    string // of the error that the sender was told
}

// aliases are the words of scripts for outcomes.
var aliases = map[string]string{"accept": "accepted", "done": "accepted", "drop": "dropped", "reject": "rejected", "fail": "error", "failed": "error"}

// Check makes the words of f those of traces, and refuses what no trace has.
func (f *Filter) Check() error {
	words := outcomeWords[:]
	if f.Stage != "" {
		words = verdictWords[:]
	} else if word, ok := aliases[f.Verdict]; ok {
		f.Verdict = word
	}
	if f.Verdict != "" && !slices.Contains(words, f.Verdict) {
		return fmt.Errorf("verdict %q is none of %s", f.Verdict, strings.Join(words, ", "))
	}
	if f.Client != "" && f.Prefix != "" {
		return fmt.Errorf("client and prefix exclude each other")
	}
	return nil
}

// From reports whether messages of this client can match.
func (f *Filter) From(client string) bool {
	return (f.Client == "" || f.Client == client) && strings.HasPrefix(client, f.Prefix)
}

// May reports whether what was decided can match: an accepted message may still
// be answered with an error.
func (f *Filter) May(d *Decision) bool {
	if f.Stage == "" && f.Verdict != "" && f.Verdict != d.Outcome.String() {
		return false
	}
	return f.Code == "" || f.Code == d.Code || d.Outcome == Accepted
}

// Match reports whether t, with its answer, matches.
func (f *Filter) Match(t *Trace) bool {
	if !f.From(t.Client) {
		return false
	}
	code := t.Code
	if t.Answer != nil && t.Answer.Code != "" {
		code = t.Answer.Code
	}
	if f.Code != "" && f.Code != code {
		return false
	}
	if f.Stage == "" {
		return f.Verdict == "" || f.Verdict == t.Verdict.String()
	}
	return slices.ContainsFunc(t.Stages, func(s Stage) bool {
		return s.Stage == f.Stage && (f.Verdict == "" || f.Verdict == s.Verdict)
	})
}
