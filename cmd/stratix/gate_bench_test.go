package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core/gateway"
	"github.com/stratix-gateway/stratix/core/rehearse"
	"github.com/stratix-gateway/stratix/core/reload"
	"github.com/stratix-gateway/stratix/core/shadow"
	"github.com/stratix-gateway/stratix/core/traffic"
)

// BenchmarkShadowRunOf10000 is the gate's shadow run: both states of the scripts
// are loaded, and 10,000 messages of 200 bytes run through both.
func BenchmarkShadowRunOf10000(b *testing.B) {
	files := map[string][]byte{"main.lua": []byte(`pipeline {
  function(msg)
    if msg:size() > 8192 then return msg:drop("too big") end
    if msg:get("data.kind") == "order" then msg:to_group("orders") end
    if msg:get("data.urgent") then msg:priority(9) end
  end,
  stage.prefix { routes = { ["desk-"] = { group = "desks" } } },
  stage.disk {}, stage.ring {},
}`)}
	snap := reload.Snapshot{Files: files}
	var inputs []traffic.Input
	for i := range 10_000 {
		inputs = append(inputs, traffic.Input{
			From: fmt.Sprintf("desk-%d", i%500), Time: 1795559233228 + int64(i), ID: fmt.Appendf(nil, `"m%d"`, i), To: []byte(`"client-456"`),
			Data: fmt.Appendf(nil, `{"kind":%q,"n":%d,"text":%q}`, []string{"order", "chat"}[i%2], i, strings.Repeat("x", 150)),
		})
	}
	quiet := slog.New(slog.DiscardHandler)
	side := func() *shadow.Side {
		clock := &shadow.Clock{}
		gen, err := loader(100_000, nil)(snap, gateway.LoadOptions{Number: 1, Env: rehearse.Env(quiet), Log: quiet, Now: clock.Now, Seed: 1})
		if err != nil {
			b.Fatal(err)
		}
		return &shadow.Side{Rehearsal: rehearse.New(gen.Programs[0]), Clock: clock}
	}
	b.ReportAllocs()
	for b.Loop() {
		if r := shadow.Compare(context.Background(), inputs, side(), side()); r.Messages != len(inputs) || r.Differ != 0 {
			b.Fatalf("got %+v", r)
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(time.Millisecond), "ms/run")
}
