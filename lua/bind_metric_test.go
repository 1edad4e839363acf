package lua

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/metric"
)

// scrape is what the metrics of scripts look like.
func scrape(env *core.Env) string {
	var b bytes.Buffer
	for _, f := range env.State(metric.State, nil).(*metric.Registry).Families(true) {
		f.Write(&b)
	}
	return strings.ReplaceAll(b.String(), metric.Prefix, "")
}

// goLive starts a generation as a gateway does; the result stops it.
func goLive(t *testing.T, gen *core.Generation) (stop func()) {
	t.Helper()
	for _, s := range gen.Stages {
		if err := s.Stage.(core.Starter).Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		for _, s := range gen.Stages {
			_ = s.Stage.(core.Stopper).Stop(t.Context())
		}
	}
}

func TestMetricsFromLua(t *testing.T) {
	env := gatewayState()
	load := func(main string) *core.Generation {
		return mustLoad(t, Options{Env: env, Shards: 2}, "main.lua", main)
	}
	const main = `
local metric = stratix.metric
local orders = metric.counter("orders_total", "Orders.", { "kind", "big" })
local level = metric.gauge("level", "Level.")
local sizes = metric.histogram("size_bytes", "Sizes.", { 50, 100 })
level:set(10)
pipeline { function(msg)
  orders:inc(1, { kind = "a", big = true })
  orders:inc(nil, { kind = 5, big = false })
  level:add(-0.5)
  sizes:observe(msg:size())
end }`
	first := load(main)
	if got := scrape(env); got != "" {
		t.Errorf("before it is live: %s", got)
	}
	stopFirst := goLive(t, first)
	describe(newMessage(), first.Programs[0].Pipeline)
	describe(newMessage(), first.Programs[1].Pipeline)
	if got, want := scrape(env), `level 9
orders_total{kind="a",big="true"} 2
orders_total{kind="5",big="false"} 2
size_bytes_bucket{le="50"} 0
size_bytes_bucket{le="100"} 2
size_bytes_bucket{le="+Inf"} 2
size_bytes_sum 198
size_bytes_count 2
`; got != want {
		t.Errorf("got:\n%s", got)
	}

	// A save that declares one of them alike, another one otherwise, and one no more.
	second := load(`
local orders = stratix.metric.counter("orders_total", "Orders.", { "kind", "big" })
local level = stratix.metric.counter("level", "Level.")
pipeline { function() orders:inc(1, { kind = "a", big = true }) level:inc() end }`)
	goLive(t, second)
	stopFirst()
	describe(newMessage(), second.Programs[0].Pipeline)
	if got, want := scrape(env), `level 1
orders_total{kind="a",big="true"} 3
orders_total{kind="5",big="false"} 2
`; got != want {
		t.Errorf("after a save:\n%s", got)
	}

	if gen := load("pipeline {}"); len(gen.Stages) != 0 {
		t.Errorf("scripts without metrics have %d stages", len(gen.Stages))
	}
}

func TestMistakesWithMetricsAreNamed(t *testing.T) {
	f := func(declare, want string) {
		t.Helper()
		_, err := tryLoad(Options{}, "main.lua", "pipeline {}\nlocal c = stratix.metric."+declare)
		if err == nil || err.Error() != "main.lua:2: "+want {
			t.Errorf("%s: %v", declare, err)
		}
	}
	f(`counter()`, `stratix.metric.counter takes a name, not a nil`)
	f(`counter("a")`, `stratix.metric.counter takes a help text after the name, not a nil`)
	f(`counter("A", "h")`, `stratix.metric.counter: the name "A" is not of a-z, 0-9 and _, beginning with a letter, at most 64 bytes`)
	f(`gauge("a", "h", "kind")`, `stratix.metric.gauge takes a list of labels last, not a string`)
	f(`gauge("a", "h", { 5 })`, `stratix.metric.gauge: label 1 is a number`)
	f(`gauge("a", "h", { kind = "x" })`, `stratix.metric.gauge: the labels are a list of names; it has no key "kind"`)
	f(`histogram("a", "h")`, `stratix.metric.histogram takes a list of numbers for its buckets after the help text, not a nil`)
	f(`histogram("a", "h", { "x" })`, `stratix.metric.histogram: bucket 1 is a string`)
	f(`histogram("a", "h", { 2, 1 })`, `stratix.metric.histogram: a: the buckets are numbers that rise; the last one, for all others, is there anyway`)
	f(`counter("a", "h") stratix.metric.gauge("a", "h")`, `stratix.metric.gauge: a is declared already, as a counter in another way`)
	f(`counter("a", "h"):inc()`, `counter:inc cannot be called while the scripts load: each shard loads them, and it would count each time`)

	g := func(call, want string) {
		t.Helper()
		text := ""
		gen := mustLoad(t, Options{OnScriptError: func(_ string, e *ScriptError) { text = e.Error() }}, "main.lua",
			`local c, g = stratix.metric.counter("c", "h", { "kind" }), stratix.metric.gauge("g", "h")
pipeline { function(msg) `+call+` end }`)
		describe(newMessage(), gen.Programs[0].Pipeline)
		if text != "main.lua:2: "+want {
			t.Errorf("%s: %s", call, text)
		}
	}
	g(`c.inc(1)`, `a verb needs its object and a colon, as in counter:inc()`)
	g(`c:inc()`, `counter:inc: the label "kind" is missing, as in {kind = "..."}`)
	g(`c:inc(1, { knd = "x" })`, `counter:inc: the label "kind" is a nil; it takes a string, a number or a boolean`)
	g(`c:inc(1, { kind = "x", more = 1 })`, `counter:inc: the metric was declared with 1 labels, and more are given`)
	g(`c:inc(-1, { kind = "x" })`, `counter:inc takes a number from 0 up, not -1: a counter never falls; use a gauge`)
	g(`c:inc("1", { kind = "x" })`, `counter:inc takes a number, not 1`)
	g(`c:set(1)`, `unknown verb of a counter "set"`)
	g(`g:set()`, `gauge:set takes a number, not nil`)
	g(`g:set(0/0)`, `gauge:set takes a number, not NaN`)
	g(`g:set(1, { kind = "x" })`, `gauge:set: the metric was declared with 0 labels, and more are given`)
	g(`g:set(1, "x")`, `gauge:set takes a table of labels last, not a string`)
}

func TestCountingAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	gen := mustLoad(t, Options{}, "main.lua", `
local c = stratix.metric.counter("c", "h")
local l = stratix.metric.counter("l", "h", { "kind" })
local h = stratix.metric.histogram("h", "h", { 1, 2 })
local order = { kind = "order" }
pipeline { function(msg) c:inc() l:inc(1, order) h:observe(1) end }`)
	m, p := newMessage(), gen.Programs[0].Pipeline
	if n := testing.AllocsPerRun(100*messageChunk, func() { m.Instructions = 0; _, _ = p.Run(m) }); n > 0.1 {
		t.Errorf("%v allocations", n)
	}
}
