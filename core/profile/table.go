package profile

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

// maxRows is how many lines and functions a table shows.
const maxRows = 30

// row is a line, a function or a stage with its samples.
type row struct {
	name, place string
	self        uint64 // the innermost one
	total       uint64 // anywhere on the stack, once a sample
}

// sums are the rows of one table by key.
type sums map[string]*row

// at is the row of a key; it is new if there is none.
func (s sums) at(key, name, place string) *row {
	r := s[key]
	if r == nil {
		r = &row{name: name, place: place}
		s[key] = r
	}
	return r
}

// top are the rows with the most samples first, and what is left over.
func (s sums) top() (rows []*row, rest row, others int) {
	for _, r := range s {
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b *row) int {
		return cmp.Or(cmp.Compare(b.self, a.self), cmp.Compare(b.total, a.total), strings.Compare(a.place, b.place), strings.Compare(a.name, b.name))
	})
	if len(rows) > maxRows {
		for _, r := range rows[maxRows:] {
			rest.self += r.self
		}
		rows, others = rows[:maxRows], len(rows)-maxRows
	}
	return rows, rest, others
}

func (p *Profile) writeTable(out io.Writer) error {
	lines, functions, stages := sums{}, sums{}, sums{}
	var generations []string
	for _, s := range p.stacks() {
		if g := strconv.FormatUint(uint64(s.Generation), 10); !slices.Contains(generations, g) {
			generations = append(generations, g)
		}
		stages.at(s.Stage, s.Stage, "").self += s.Samples
		count(s, lines, functions)
	}
	samples, lost := p.total()
	if samples == 0 {
		_, err := fmt.Fprintf(out, "no samples in %s: the scripts ran less than some hundred instructions, or no message came\n", p.Took.Round(time.Millisecond))
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s on %d shard(s), generation %s: about %d Lua instructions (%d samples, one for each %d)\n",
		p.Took.Round(time.Millisecond), len(p.Shards), strings.Join(generations, ", "), samples*core.SampleEvery, samples, core.SampleEvery)
	if lost > 0 {
		fmt.Fprintf(w, "%d samples are in no table: there were too many different stacks\n", lost)
	}
	section := func(title string, s sums) {
		fmt.Fprintf(w, "\nself\ttotal\tinstructions\t  %s\n", title)
		rows, rest, others := s.top()
		for _, r := range rows {
			text := r.name
			if r.place != "" {
				text = r.place
				if r.name != "" && r.name != r.place {
					text += " " + r.name
				}
			}
			fmt.Fprintf(w, "%s\t%s\t%d\t  %s\n", share(r.self, samples), share(r.total, samples), r.self*core.SampleEvery, text)
		}
		if others > 0 {
			fmt.Fprintf(w, "%s\t\t%d\t  %d more\n", share(rest.self, samples), rest.self*core.SampleEvery, others)
		}
	}
	section("line", lines)
	section("function", functions)
	fmt.Fprintf(w, "\nshare\tinstructions\t  stage or hook\n")
	rows, rest, others := stages.top()
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%d\t  %s\n", share(r.self, samples), r.self*core.SampleEvery, r.name)
	}
	if others > 0 {
		fmt.Fprintf(w, "%s\t%d\t  %d more\n", share(rest.self, samples), rest.self*core.SampleEvery, others)
	}
	return w.Flush()
}

// count adds a stack to the lines and functions on it. What a built-in did is
// also its line's, which called it.
func count(s *core.Stack, lines, functions sums) {
	seen := map[*row]bool{}
	add := func(r *row, self bool) {
		if self {
			r.self += s.Samples
		}
		if !seen[r] {
			seen[r] = true
			r.total += s.Samples
		}
	}
	innermost := true // no line was seen yet
	for i, f := range s.Frames {
		if f.File == "" {
			add(functions.at(f.Function, f.Function, ""), i == 0)
			continue
		}
		start := f.File + ":" + strconv.Itoa(f.Start)
		fn := functions.at(start, f.Function, start)
		if fn.name == start {
			fn.name = f.Function // called by a name elsewhere
		}
		add(fn, i == 0)
		line := f.File + ":" + strconv.Itoa(f.Line)
		add(lines.at(line, "", line), innermost)
		innermost = false
	}
}

func share(n, all uint64) string { return fmt.Sprintf("%.1f%%", 100*float64(n)/float64(all)) }
