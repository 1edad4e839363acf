package lua

import (
	"fmt"
	"testing"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/trace"
)

// BenchmarkShareOfAMessage is what a message of two reads and a route takes in
// its script, within its budget, and with what a shard does for explain: one
// message in so many is traced, written down and kept.
func BenchmarkShareOfAMessage(b *testing.B) {
	for _, every := range []int{0, 64, 1} {
		b.Run(fmt.Sprintf("explain1in%d", every), func(b *testing.B) {
			gen := mustLoad(b, Options{}, "main.lua", `pipeline { function(msg)
				if msg:get("data.a") == 1 and msg:get("data.s") == "x" then msg:to_group("room") end
			end }`)
			p := gen.Programs[0].Pipeline
			m := newMessage()
			fresh := *m
			var tr core.Trace
			ring := trace.NewRing(1 << 20)
			var entry []byte
			untraced := every
			b.ReportAllocs()
			for b.Loop() {
				targets := m.Effects.Targets[:0]
				*m = fresh
				m.Effects.Targets = targets
				if untraced--; untraced == 0 {
					untraced = every
					tr.Reset()
					m.Trace = &tr
				}
				if v, err := p.Run(m); v != core.Done || err != nil {
					b.Fatal(v, err)
				}
				if m.Trace != nil {
					entry = trace.AppendDecision(entry[:0], &trace.Decision{Targets: m.Effects.Targets}, m)
					ring.Add(entry)
				}
			}
		})
	}
}
