package lua

import (
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

const filterAndRoute = `
pipeline {
  function(msg)
    if msg:get("data.kind") == "spam" then return msg:drop("spam") end
    if msg:get("data.urgent") then msg:priority(9) end
    msg:to("client-456")
  end,
}`

// filtered is a message for filterAndRoute, 128 bytes of JSON.
func filtered() *core.Message {
	m := newMessage()
	m.Data = []byte(`{"kind":"chat","user":"alice","room":"lobby","text":"hello there, how are you today?","urgent":false,"ts":1700000000000,"n":[1,2]}`)
	m.Headers, m.To = nil, nil
	return m
}

// A message through a filter with two reads and a route allocates nothing but
// its share of a chunk of msg objects.
func TestFilterAndRouteDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	p := mustLoad(t, Options{}, "main.lua", filterAndRoute).Programs[0].Pipeline
	m := filtered()
	if got := testing.AllocsPerRun(1000, func() {
		m.Effects.Targets, m.Instructions = m.Effects.Targets[:0], 0
		if _, err := p.Run(m); err != nil {
			t.Fatal(err)
		}
	}); got > 0 {
		t.Errorf("%v allocations a message", got)
	}
}

func BenchmarkFilterAndRoute(b *testing.B) {
	p := mustLoad(b, Options{}, "main.lua", filterAndRoute).Programs[0].Pipeline
	m := filtered()
	b.ReportAllocs()
	for b.Loop() {
		m.Effects.Targets, m.Instructions = m.Effects.Targets[:0], 0
		if _, err := p.Run(m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCall(b *testing.B) {
	p := mustLoad(b, Options{}, "main.lua", "pipeline { function(msg) end }").Programs[0].Pipeline
	m := filtered()
	b.ReportAllocs()
	for b.Loop() {
		m.Instructions = 0
		if _, err := p.Run(m); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSampled is BenchmarkFilterAndRoute while it is profiled.
func BenchmarkSampled(b *testing.B) {
	program := mustLoad(b, Options{}, "main.lua", filterAndRoute).Programs[0]
	m := filtered()
	program.Sample(&core.Samples{})
	b.ReportAllocs()
	for b.Loop() {
		m.Effects.Targets, m.Instructions = m.Effects.Targets[:0], 0
		if _, err := program.Pipeline.Run(m); err != nil {
			b.Fatal(err)
		}
	}
}
