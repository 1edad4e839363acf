package ratelimit

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/coretest"
)

// onShards opens a stage as a gateway of some shards does.
func onShards(t testing.TB, shards int, v values) []core.Stage {
	t.Helper()
	env := coretest.Env(t, nil)
	env.Shards = shards
	p, _ := core.Lookup("ratelimit")
	opened, err := p.Open(core.Config{Stage: "ratelimit", Values: v}, env)
	if err != nil {
		t.Fatal(err)
	}
	var all []core.Stage
	for i := range shards {
		all = append(all, opened.(core.Sharded).ForShard(i))
	}
	return all
}

// A limit is one over all shards, whoever comes first.
func TestShardsShareALimit(t *testing.T) {
	const shards, each = 4, 5000
	for _, v := range []values{
		{"per": "address"}, {"per": "prefix", "prefix": "c"}, {"per": "key", "key": "data.room"},
		{"per": "key", "key": "data.room", "over": "delay", "max_delay": "1s"},
	} {
		v["rate"], v["burst"] = 1000.0, 700.0
		var passed, delayed atomic.Int64
		var all sync.WaitGroup
		for i, s := range onShards(t, shards, v) {
			all.Go(func() {
				for j := range each {
					m := message(fmt.Sprint("c", i), "192.0.2.1", int64(j/10)) // half a second
					switch verdict, _ := s.Handle(m); verdict {
					case core.Next:
						passed.Add(1)
					case core.Hold:
						delayed.Add(1)
					}
				}
			})
		}
		all.Wait()
		// The rest of a second's burst and half a second's tokens; a shard that is
		// ahead in time makes the others late, and nobody early.
		most := int64(700 + 500)
		if v["over"] == "delay" {
			most += 1000
		}
		if n := passed.Load() + delayed.Load(); n > most || n < most-5 {
			t.Errorf("%v: %d passed and %d are delayed, want %d", v, passed.Load(), delayed.Load(), most)
		}
	}
}

// Clients and strangers on all shards, scrapes meanwhile: for the race detector.
func TestAScrapeRacesWithShards(t *testing.T) {
	env := coretest.Env(t, nil)
	env.Shards = 2
	p, _ := core.Lookup("ratelimit")
	v := values{"rate": 1.0, "burst": 1.0, "max_buckets": 1000.0, "over": "disconnect", "connect_rate": 1.0}
	opened, err := p.Open(core.Config{Stage: "ratelimit", Values: v}, env)
	if err != nil {
		t.Fatal(err)
	}
	if err := opened.(core.Starter).Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 2 {
		s := opened.(core.Sharded).ForShard(i)
		all.Go(func() {
			for j := range 2000 {
				_, _ = s.Handle(message(fmt.Sprint(i, "-", j%700), "192.0.2.1", 0))
			}
		})
	}
	seen := map[string]float64{}
	scrape := func() {
		limitsOf(env).Report(
			func(name string, v uint64) { seen[name] = float64(v) },
			func(name string, v float64) { seen[name] = v })
	}
	for range 100 {
		scrape()
	}
	all.Wait()
	scrape()
	f := func(name string, want float64) {
		t.Helper()
		if got, ok := seen[name]; got != want || !ok {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	f(`stratix_ratelimit_buckets{limit="client"}`, 1000)
	// 500 of each shard's 700 have a bucket, and pass once; so does one of the crowd.
	f(`stratix_ratelimit_total{limit="client",result="disconnected"}`, 4000-2*501)
	f(`stratix_ratelimit_total{limit="client",result="rejected"}`, 0)
	f(`stratix_ratelimit_total{limit="client",result="delayed"}`, 0)
	f(`stratix_ratelimit_total{limit="client",result="refused"}`, 0)
	f(`stratix_ratelimit_crowded_total{limit="client"}`, 2*(200*2+100))
	f(`stratix_ratelimit_delayed_messages{limit="client"}`, 0)
	f(`stratix_ratelimit_delayed_bytes{limit="client"}`, 0)
}

func TestAMessageAllocatesNothing(t *testing.T) {
	f := func(v values, data string, verdict core.Verdict) {
		t.Helper()
		s := coretest.Open(t, "ratelimit", v, nil)
		m := message("desk-1", "2001:db8::1", 0)
		m.Data = []byte(data)
		coretest.AllocCeiling(t, 0, func() {
			if got, _ := s.Handle(m); got != verdict && got != core.Next {
				t.Fatal(got)
			}
		})
	}
	const data = `{"room":"lobby"}`
	f(values{"rate": 1000.0, "burst": 1000.0}, data, core.Next)
	f(values{"rate": 1.0}, data, core.Drop)
	f(values{"rate": 1.0, "over": "disconnect"}, data, core.Drop)
	f(values{"rate": 1.0, "per": "address"}, data, core.Drop)
	f(values{"rate": 1.0, "per": "prefix", "prefix": "desk-"}, data, core.Drop)
	f(values{"rate": 1.0, "per": "key", "key": "data.room"}, data, core.Drop)
	f(values{"rate": 1.0, "per": "key", "key": "data.room"}, `{"room":5}`, core.Drop)
	f(values{"rate": 1.0, "per": "key", "key": "data.room"}, `{}`, core.Drop)
}

func BenchmarkHandle(b *testing.B) {
	f := func(name string, v values, clients int) {
		b.Run(name, func(b *testing.B) {
			s := coretest.Open(b, "ratelimit", v, nil)
			sessions := make([]*core.Session, clients)
			for i := range sessions {
				sessions[i] = message(fmt.Sprint("client-", i), "192.0.2.1", 0).From
			}
			m := message("", "", 0) // as on a shard, which has one
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				m.From = sessions[i%clients]
				m.Time = start + int64(i)/100
				if _, err := s.Handle(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	f("client", values{"rate": 100000.0, "burst": 1000000.0}, 1)
	f("1000clients", values{"rate": 1000.0}, 1000)
	f("50000clients", values{"rate": 1000.0}, 50_000)
	f("rejected", values{"rate": 0.001, "burst": 1.0}, 1)
	f("address", values{"rate": 100000.0, "burst": 1000000.0, "per": "address"}, 1)
	f("prefix", values{"rate": 100000.0, "burst": 1000000.0, "per": "prefix", "prefix": []any{"desk-", "client-"}}, 1)
	f("key", values{"rate": 100000.0, "burst": 1000000.0, "per": "key", "key": "data.room"}, 1)
}
