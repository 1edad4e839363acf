package lua

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

// sampleRuns samples a pipeline of these files over runs messages.
func sampleRuns(t testing.TB, runs int, files ...string) *core.Samples {
	t.Helper()
	p := mustLoad(t, Options{}, files...).Programs[0]
	var samples core.Samples
	p.Sample(&samples)
	for range runs {
		m := newMessage()
		if _, err := p.Pipeline.Run(m); err != nil {
			t.Fatal(err)
		}
	}
	p.Sample(nil)
	return &samples
}

// shares are the parts of all samples that key finds, in percent.
func shares(samples *core.Samples, key func(*core.Stack) string) map[string]float64 {
	all, by := 0.0, map[string]float64{}
	for _, s := range samples.Stacks {
		all += float64(s.Samples)
		by[key(s)] += float64(s.Samples)
	}
	for k := range by {
		by[k] *= 100 / all
	}
	return by
}

func lineOf(f core.Frame) string { return fmt.Sprintf("%s:%d", f.File, f.Line) }

func TestSamplesAreTakenInProportion(t *testing.T) {
	const script = `local function double(n)
  local sum = 0
  for i = 1, n do
    sum = sum + i
  end
  return sum
end

pipeline {
  function(msg)
    double(20)
  end,
  function(msg)
    double(60)
  end,
}`
	p := mustLoad(t, Options{}, "main.lua", script).Programs[0]
	var samples core.Samples
	p.Sample(&samples)
	const runs = 40_000
	for range runs {
		m := newMessage()
		if _, err := p.Pipeline.Run(m); err != nil {
			t.Fatal(err)
		}
	}
	taken := uint64(0)
	for _, s := range samples.Stacks {
		taken += s.Samples
	}
	expected := float64(p.Script.Instructions) / core.SampleEvery
	if per := p.Script.Instructions / runs; per > core.SampleEvery/2 {
		t.Errorf("%d instructions a message are no short calls", per)
	}
	if off := math.Abs(float64(taken)-expected) / expected; off > 0.1 {
		t.Errorf("%d samples, expected %.0f", taken, expected)
	}
	by := shares(&samples, func(s *core.Stack) string { return s.Stage })
	if ratio := by["main.lua:13"] / by["main.lua:10"]; ratio < 2 || ratio > 3.3 {
		t.Errorf("the stages share %v", by)
	}
	leaves := shares(&samples, func(s *core.Stack) string { return lineOf(s.Frames[0]) })
	if loop := leaves["main.lua:3"] + leaves["main.lua:4"]; loop < 75 {
		t.Errorf("the lines share %v", leaves)
	}
	for _, s := range samples.Stacks {
		if root := s.Frames[len(s.Frames)-1]; root.Function != s.Stage || s.Generation != 7 {
			t.Errorf("%+v begins at %+v", s, root)
		}
	}

	p.Sample(nil)
	before := taken
	for range 1000 {
		_, _ = p.Pipeline.Run(newMessage())
	}
	taken = 0
	for _, s := range samples.Stacks {
		taken += s.Samples
	}
	if taken != before {
		t.Errorf("%d samples were taken after the end", taken-before)
	}
}

func TestStacksNameWhatRuns(t *testing.T) {
	f := func(body string, want ...string) {
		t.Helper()
		samples := sampleRuns(t, 300, "main.lua", body)
		var got []string
		for _, s := range samples.Stacks {
			words := []string{}
			for _, frame := range s.Frames {
				word := frame.Function
				if frame.File != "" {
					word += "@" + lineOf(frame)
				}
				words = append(words, word)
			}
			got = append(got, strings.Join(words, " < "))
		}
		for _, w := range want {
			if !slices.Contains(got, w) {
				t.Errorf("%s\nhas no stack %s\nbut %s", body, w, strings.Join(got, "\n    "))
			}
		}
	}
	f("pipeline { function(msg)\nfor i = 1, 100 do local s = ('x'):rep(3000)\nend end }",
		"string.rep < main.lua:1@main.lua:2")
	f("pipeline { function(msg)\nlocal s = ('x'):rep(3000)\nfor i = 1, 100 do local t = s .. s end end }",
		".. < main.lua:1@main.lua:3")
	f("local function inner()\nfor i = 1, 500 do end end\nlocal lib = {}\nfunction lib.outer() inner() end\npipeline { function(msg)\nfor i = 1, 10 do lib.outer() end end }",
		"inner@main.lua:2 < outer@main.lua:4 < main.lua:5@main.lua:6")
	f("pipeline { function(msg)\nlocal s = ('ab'):rep(500) s:gsub('a', function(c)\nfor i = 1, 20 do end end) end }",
		"main.lua:2@main.lua:3 < string.gsub < main.lua:1@main.lua:2")
	f("pipeline { function(msg)\nfor i = 1, 500 do local from = msg:get('data.list') end end }",
		"msg:get < main.lua:1@main.lua:2")
	// Tail calls leave nothing of their callers, nor a name.
	f("local function down(n)\nif n == 0 then return 0 end\nreturn down(n - 1) end\npipeline { function(msg)\nlocal x = down(500) end }",
		"main.lua:1@main.lua:3 < main.lua:4@main.lua:5")
}

func TestHooksAreSampled(t *testing.T) {
	p := mustLoad(t, Options{}, "main.lua", "function on_tick(now)\nfor i = 1, 2000 do end end\npipeline {}").Programs[0]
	var samples core.Samples
	p.Sample(&samples)
	for range 20 {
		if err := p.Hooks.Tick(1); err != nil {
			t.Fatal(err)
		}
	}
	s := samples.Stacks[0]
	if s.Stage != onTick || s.Frames[0].Function != onTick || s.Frames[0].File != mainFile {
		t.Errorf("on_tick is %+v", s)
	}
}

func TestSamplingGoesOnInANewVM(t *testing.T) {
	p := mustLoad(t, Options{}, "main.lua", "pipeline { function(msg)\nfor i = 1, 5000 do end end }").Programs[0]
	run := p.Pipeline
	var samples core.Samples
	p.Sample(&samples)
	h := p.Hooks.(hookCalls)
	h.in.vm.broken = true
	h.restart()
	if _, err := run.Run(newMessage()); err != nil {
		t.Fatal(err)
	}
	if len(samples.Stacks) == 0 {
		t.Error("nothing was sampled in the new VM")
	}
}

func TestSamplesDoNotChangeTheBudget(t *testing.T) {
	const script = "pipeline { function(msg) local n = 0 while true do n = n + 1 end end }"
	p := mustLoad(t, Options{Budget: 10_000}, "main.lua", script).Programs[0]
	used := func() uint64 {
		before := p.Script.Instructions
		if _, err := p.Pipeline.Run(newMessage()); err == nil {
			t.Error("an endless loop went through")
		}
		return p.Script.Instructions - before
	}
	plain := used()
	var samples core.Samples
	p.Sample(&samples)
	if sampled := used(); sampled != plain || plain != 10_000 {
		t.Errorf("%d instructions with samples, %d without", sampled, plain)
	}
	taken := uint64(0)
	for _, s := range samples.Stacks {
		taken += s.Samples
	}
	if taken < 10 || taken > 11 {
		t.Errorf("%d samples of 10,000 instructions", taken)
	}
}

func TestSamplesAreBounded(t *testing.T) {
	const script = `local function down(n) if n > 0 then local a = down(n - 1)
for i = 1, 40 do end return a end return 0 end
pipeline { function(msg) for i = 1, 100 do down(i) end end }`
	p := mustLoad(t, Options{Budget: 10_000_000}, "main.lua", script).Programs[0]
	samples := &core.Samples{}
	for samples.Add(&core.Stack{Frames: make([]core.Frame, 1000)}) {
	}
	filled := len(samples.Stacks)
	p.Sample(samples)
	if _, err := p.Pipeline.Run(newMessage()); err != nil {
		t.Fatal(err)
	}
	kept := uint64(0)
	for _, s := range samples.Stacks[filled:] {
		kept += s.Samples
	}
	if expected := p.Script.Instructions / core.SampleEvery; samples.Lost == 0 || samples.Lost+kept < expected-1 || samples.Lost+kept > expected+2 {
		t.Errorf("%d lost and %d kept of %d", samples.Lost, kept, expected)
	}
}
