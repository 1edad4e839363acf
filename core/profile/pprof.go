package profile

import (
	"io"
	"path/filepath"
	"strings"

	"github.com/google/pprof/profile"
	"github.com/stratix-gateway/stratix/core"
)

// embedded is where the modules of the binary are, which no folder has.
const embedded = "stdlib/"

// writePprof writes the stacks with their stages as labels.
func (p *Profile) writePprof(w io.Writer) error {
	b := builder{
		folder:    p.Folder,
		functions: map[function]*profile.Function{},
		locations: map[location]*profile.Location{},
	}
	// With a mapping that says so, pprof does not look for symbols itself.
	scripts := &profile.Mapping{ID: 1, File: "scripts", HasFunctions: true, HasFilenames: true, HasLineNumbers: true}
	b.out = &profile.Profile{
		SampleType:        []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "instructions", Unit: "count"}},
		DefaultSampleType: "instructions",
		PeriodType:        &profile.ValueType{Type: "instructions", Unit: "count"},
		Period:            core.SampleEvery,
		TimeNanos:         p.Began.UnixNano(),
		DurationNanos:     p.Took.Nanoseconds(),
		Mapping:           []*profile.Mapping{scripts},
	}
	for _, s := range p.stacks() {
		b.add(s)
	}
	if _, lost := p.total(); lost > 0 {
		b.add(&core.Stack{Stage: "(no room)", Frames: []core.Frame{{Function: "(no room)"}}, Samples: lost})
	}
	return b.out.Write(w)
}

// builder makes the tables of a pprof file.
type builder struct {
	out       *profile.Profile
	folder    string
	functions map[function]*profile.Function
	locations map[location]*profile.Location
}

type function struct {
	name, file string
	start      int
}

type location struct {
	function function
	line     int
}

func (b *builder) add(s *core.Stack) {
	sample := &profile.Sample{
		Value:    []int64{int64(s.Samples), int64(s.Samples * core.SampleEvery)},
		Label:    map[string][]string{"stage": {s.Stage}},
		NumLabel: map[string][]int64{"generation": {int64(s.Generation)}},
	}
	for _, f := range s.Frames {
		sample.Location = append(sample.Location, b.location(f))
	}
	b.out.Sample = append(b.out.Sample, sample)
}

func (b *builder) location(f core.Frame) *profile.Location {
	key := location{function{f.Function, f.File, f.Start}, f.Line}
	l := b.locations[key]
	if l == nil {
		l = &profile.Location{
			ID: uint64(len(b.out.Location)) + 1, Mapping: b.out.Mapping[0],
			Line: []profile.Line{{Function: b.function(key.function), Line: int64(f.Line)}},
		}
		l.Address = l.ID // pprof tells locations apart by it
		b.locations[key] = l
		b.out.Location = append(b.out.Location, l)
	}
	return l
}

func (b *builder) function(f function) *profile.Function {
	fn := b.functions[f]
	if fn == nil {
		file := f.file
		if file != "" && !strings.HasPrefix(file, embedded) {
			file = filepath.Join(b.folder, filepath.FromSlash(file))
		}
		fn = &profile.Function{ID: uint64(len(b.out.Function)) + 1, Name: f.name, SystemName: f.name, Filename: file, StartLine: int64(f.start)}
		b.functions[f] = fn
		b.out.Function = append(b.out.Function, fn)
	}
	return fn
}
