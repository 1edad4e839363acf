// Package profile turns the samples of all shards into a report: a table for
// people, folded stacks for flame graphs, or a file for go tool pprof.
package profile

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

// Profile is what was sampled on all shards.
type Profile struct {
	Shards []*core.Samples
	Began  time.Time
	Took   time.Duration
	Folder string // of the scripts, absolute
}

// Format is how a report is written.
type Format uint8

// The formats.
const (
	Table  Format = iota // text for people
	Folded               // a line for each stack: outermost;...;innermost samples
	Pprof                // gzipped protobuf
)

var formats = []string{"table", "folded", "pprof"}

// ParseFormat reads the name of a format.
func ParseFormat(name string) (Format, error) {
	if i := slices.Index(formats, name); i >= 0 {
		return Format(i), nil
	}
	return 0, fmt.Errorf("format %q: it is one of %s", name, strings.Join(formats, ", "))
}

// ContentType is the format's in HTTP.
func (f Format) ContentType() string {
	if f == Pprof {
		return "application/octet-stream"
	}
	return "text/plain; charset=utf-8"
}

// Write writes the report.
func (p *Profile) Write(w io.Writer, f Format) error {
	switch f {
	case Folded:
		return p.writeFolded(w)
	case Pprof:
		return p.writePprof(w)
	}
	return p.writeTable(w)
}

// stacks are the stacks of all shards, each once, in the order of their text.
func (p *Profile) stacks() []*core.Stack {
	byText := map[string]*core.Stack{}
	var texts []string
	for _, shard := range p.Shards {
		for _, s := range shard.Stacks {
			text := strconv.FormatUint(uint64(s.Generation), 10) + ";" + foldedText(s)
			if sum := byText[text]; sum != nil {
				sum.Samples += s.Samples
				continue
			}
			sum := *s
			byText[text] = &sum
			texts = append(texts, text)
		}
	}
	slices.Sort(texts)
	all := make([]*core.Stack, len(texts))
	for i, text := range texts {
		all[i] = byText[text]
	}
	return all
}

// total counts the samples, and those whose stack found no room.
func (p *Profile) total() (samples, lost uint64) {
	for _, shard := range p.Shards {
		lost += shard.Lost
		for _, s := range shard.Stacks {
			samples += s.Samples
		}
	}
	return samples + lost, lost
}

// foldedText is a stack from its stage to the innermost function.
func foldedText(s *core.Stack) string {
	var b strings.Builder
	b.WriteString(foldedName(s.Stage))
	for _, f := range slices.Backward(s.Frames) {
		b.WriteByte(';')
		b.WriteString(foldedName(frameText(f)))
	}
	return b.String()
}

// foldedName keeps a name from being taken for several frames.
func foldedName(s string) string { return strings.NewReplacer(";", ",", "\n", " ").Replace(s) }

// frameText is a function and where in it the stack was.
func frameText(f core.Frame) string {
	if f.File == "" {
		return f.Function
	}
	return f.Function + " (" + f.File + ":" + strconv.Itoa(f.Line) + ")"
}

func (p *Profile) writeFolded(w io.Writer) error {
	counts := map[string]uint64{} // generations are one here
	for _, s := range p.stacks() {
		counts[foldedText(s)] += s.Samples
	}
	if _, lost := p.total(); lost > 0 {
		counts["(no room)"] = lost
	}
	texts := make([]string, 0, len(counts))
	for text := range counts {
		texts = append(texts, text)
	}
	slices.SortFunc(texts, func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b))
	})
	for _, text := range texts {
		if _, err := fmt.Fprintf(w, "%s %d\n", text, counts[text]); err != nil {
			return err
		}
	}
	return nil
}
