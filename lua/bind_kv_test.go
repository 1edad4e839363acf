package lua

import (
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/kv"
)

// gatewayState is a core.Env that keeps state as a gateway does.
func gatewayState() *core.Env {
	states := map[string]any{}
	return &core.Env{State: func(name string, make func() any) any {
		if states[name] == nil {
			states[name] = make()
		}
		return states[name]
	}}
}

// at is a message that the shard took at this moment, in milliseconds.
func at(moment int64) *core.Message {
	m := newMessage()
	m.Time = moment
	return m
}

func TestKvFromLua(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		if got := handle(t, at(1000), "local kv = stratix.kv\n"+body); got != "done "+want {
			t.Errorf("%s\n got %s\nwant done %s", body, got, want)
		}
	}
	f(`msg:reply(kv.get("a") == nil)`, `reply=true`)
	f(`msg:reply{ kv.set("a", "text"), kv.get("a") }`, `reply=[true,"text"]`)
	f(`kv.set("a", 1.5) msg:reply{ kv.get("a"), kv.get("b") == nil }`, `reply=[1.5,true]`)
	f(`kv.set("a", false) msg:reply{ kv.get("a"), kv.set("a", true), kv.get("a") }`, `reply=[false,true,true]`)
	f(`msg:reply{ kv.add("a", 1), kv.add("a", 2), kv.get("a") }`, `reply=[true,false,1]`)
	f(`msg:reply{ kv.incr("a"), kv.incr("a", 5), kv.incr("a", -2), kv.incr("a", nil, { ttl = "1s" }) }`, `reply=[1,6,4,5]`)
	f(`kv.set("a", 1) msg:reply{ kv.delete("a"), kv.delete("a"), kv.get("a") == nil }`, `reply=[true,false,true]`)
	f(`kv.set("a", ("x"):rep(65536)) msg:reply(#kv.get("a"))`, `reply=65536`)
	f(`kv.set("a\0b", "c\0d", {}) msg:reply(kv.get("a\0b"))`, `reply="c\u0000d"`)
}

func TestMistakesWithKvAreNamed(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		if got := failure(t, at(1000), "stratix.kv."+body); got != "main.lua:3: stratix.kv."+want {
			t.Errorf("%s: %s", body, got)
		}
	}
	f(`get()`, `get takes a key that is a string, not a nil`)
	f(`get(5)`, `get takes a key that is a string, not a number`)
	f(`get("")`, `get: a key is 1 to 256 bytes, not 0`)
	f(`delete(("k"):rep(257))`, `delete: a key is 1 to 256 bytes, not 257`)
	f(`set("a")`, `set takes a value; stratix.kv.delete(key) removes one`)
	f(`set("a", {})`, `set takes a string, a number or a boolean, not a table; json.encode makes a string of it`)
	f(`add("a", stratix.null)`, `add takes a string, a number or a boolean, not a userdata`)
	f(`set("a", ("x"):rep(65537))`, `set: a value is at most 65536 bytes, not 65537`)
	f(`set("a", 1, 30)`, `set takes a table of options, not a number`)
	f(`set("a", 1, { tll = "1s" })`, `set: unknown option "tll"; did you mean "ttl"?`)
	f(`set("a", 1, { ttl = 30 })`, `set: ttl is a duration with its unit, such as "30s", not a number`)
	f(`set("a", 1, { ttl = true })`, `set: ttl is a duration such as "30s", not a boolean`)
	f(`set("a", 1, { ttl = "soon" })`, `set: ttl "soon" is no duration; write one such as "30s", "5m" or "24h"`)
	f(`set("a", 1, { ttl = "0s" })`, `set: ttl "0s" is no duration; write one such as "30s", "5m" or "24h"`)
	f(`incr("a", "1")`, `incr takes a number after the key, not a string`)
	f(`incr("a", 0/0)`, `incr: the number is out of range`)
	f(`set("a", "x") stratix.kv.incr("a")`, `incr: the value is no number`)
}

func TestKvIsSharedByShardsAndOutlivesASave(t *testing.T) {
	env := gatewayState()
	load := func(number uint32) *core.Generation {
		return mustLoad(t, Options{Env: env, Shards: 2, Number: number}, "main.lua",
			`pipeline { function(msg) msg:to(tostring(stratix.kv.incr("n"))) if msg:get("data.a") ~= 1 then msg:drop() end end }`)
	}
	f := func(gen *core.Generation, shard int, data, want string) {
		t.Helper()
		m := at(1)
		m.Data = []byte(data)
		if _, err := gen.Programs[shard].Pipeline.Run(m); err != nil {
			t.Fatal(err)
		}
		if got := m.Effects.Targets[0].Name; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	first := load(1)
	f(first, 0, `{"a":1}`, "1")
	f(first, 1, `{"a":2}`, "2") // dropped, and counted all the same
	second := load(2)
	f(second, 1, `{"a":1}`, "3")
	f(first, 0, `{"a":1}`, "4")
}

func TestKvLivesByTheTimeOfTheMessage(t *testing.T) {
	gen := mustLoad(t, Options{}, "main.lua", `
local brief = { ttl = "30s" }
pipeline { function(msg)
  if msg:get("data.a") == 1 then stratix.kv.set("seen", "yes", brief) end
  msg:to(stratix.kv.get("seen") or "no")
end }
function on_tick(now) assert(stratix.kv.get("seen") == nil) end`)
	f := func(moment int64, data, want string) {
		t.Helper()
		m := at(moment)
		m.Data = []byte(data)
		if got := describe(m, gen.Programs[0].Pipeline); !strings.HasPrefix(got, "done client:"+want+" ") {
			t.Errorf("at %d: %s, want %s", moment, got, want)
		}
	}
	f(1_000, `{"a":1}`, "yes")
	f(30_999, `{"a":2}`, "yes")
	f(31_000, `{"a":2}`, "no")
	if err := gen.Programs[0].Hooks.Tick(31_000); err != nil {
		t.Error(err)
	}
	// One that was held: the time of its turn is over, the clock's counts.
	f(1_000, `{"a":1}`, "yes")
	m := at(1_000)
	m.Data = []byte(`{"a":2}`)
	m.Own(nil, core.Held{Program: gen.Programs[0]})
	if got := describe(m, gen.Programs[0].Pipeline); !strings.HasPrefix(got, "done client:no") {
		t.Errorf("a message that was held: %s", got)
	}
}

func TestAFullKvSaysSo(t *testing.T) {
	env := gatewayState()
	env.State(kv.State, func() any { return kv.New(kv.Limits{Entries: 1}) })
	gen := mustLoad(t, Options{Env: env}, "main.lua", `pipeline { function(msg)
  local kv = stratix.kv
  local function why(v, problem) return tostring(v) .. " " .. tostring(problem) end
  msg:to{ why(kv.set("a", 1)), why(kv.set("b", 1)), why(kv.add("b", 1)), why(kv.incr("b")), why(kv.set("a", 2)) }
end }`)
	if got := describe(newMessage(), gen.Programs[0].Pipeline); got != "done client:true nil client:nil full client:nil full client:nil full client:true nil" {
		t.Error(got)
	}
}

func TestKvAllocatesNothingForNumbersItKnows(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	gen := mustLoad(t, Options{}, "main.lua", `
local kv, day = stratix.kv, { ttl = "24h" }
kv.set("n", 7)
pipeline { function(msg) kv.get("n") kv.set("n", 7, day) kv.incr("n", 0, day) end }`)
	m := at(1000)
	p := gen.Programs[0].Pipeline
	if n := testing.AllocsPerRun(100*messageChunk, func() { m.Instructions = 0; _, _ = p.Run(m) }); n > 0.1 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkShared(b *testing.B) {
	bench := func(name, before, body string) {
		b.Run(name, func(b *testing.B) {
			gen := mustLoad(b, Options{}, "main.lua", before+"\npipeline { function(msg) "+body+" end }")
			m, p := at(1000), gen.Programs[0].Pipeline
			m.Data = []byte(`{"text":"` + strings.Repeat("The quick brown fox jumps over the lazy dog. ", 5)[:200] + `"}`)
			b.ReportAllocs()
			for b.Loop() {
				m.Instructions = 0
				if _, err := p.Run(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	bench("nothing", "", "")
	bench("text", "", `local t = msg:get("data.text")`)
	bench("kv.get", `local kv = stratix.kv kv.set("client-123", 5)`, `local n = kv.get("client-123")`)
	bench("kv.incr", `local kv = stratix.kv`, `local n = kv.incr("client-123")`)
	bench("kv.incr with a ttl", `local kv, minute = stratix.kv, { ttl = "1m" }`, `local n = kv.incr("client-123", 1, minute)`)
	bench("kv.set a string", `local kv = stratix.kv`, `kv.set("client-123", "away")`)
	bench("words.find in 200 bytes", `local l = {} for i = 1, 1000 do l[i] = "word" .. i end local w = stratix.words(l)`, `local w = w:find(msg:get("data.text"))`)
	bench("re.test on 200 bytes", `local r = stratix.re[[\bfo[aeiou]\b]]`, `local ok = r:test(msg:get("data.text"))`)
	bench("prefix.find", `local p = stratix.prefix{ ["client-"] = 1, ["desk-"] = 2, [""] = 3 }`, `local v = p:find(msg:from())`)
	bench("counter.inc", `local c = stratix.metric.counter("c", "h")`, `c:inc()`)
	bench("counter.inc with a label", `local c = stratix.metric.counter("c", "h", { "kind" }) local order = { kind = "order" }`, `c:inc(1, order)`)
	bench("histogram.observe", `local h = stratix.metric.histogram("h", "h", { 10, 100, 1000 })`, `h:observe(50)`)
}
