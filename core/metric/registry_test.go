package metric

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// page is what a scrape sees.
func page(r *Registry, labelled bool) string {
	var b bytes.Buffer
	for _, f := range r.Families(labelled) {
		fmt.Fprintf(&b, "%s %s %s\n", f.Kind, f.Name, f.Help)
		f.Write(&b)
	}
	return strings.ReplaceAll(b.String(), Prefix, "")
}

func declare(t *testing.T, s *Set, d Desc) *Cache {
	t.Helper()
	m, err := s.Declare(d)
	if err != nil {
		t.Fatal(err)
	}
	return &Cache{Metric: m}
}

func labelled(c *Cache, values ...string) *Series {
	c.Begin()
	for _, v := range values {
		c.Label(v)
	}
	return c.Chosen()
}

func start(t *testing.T, s *Set) {
	t.Helper()
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func stop(t *testing.T, s *Set) {
	t.Helper()
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestDeclarationsAreChecked(t *testing.T) {
	s := NewRegistry(1).NewSet()
	f := func(d Desc, want string) {
		t.Helper()
		if d.Help == "" {
			d.Help = "h"
		}
		if _, err := s.Declare(d); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %s", d, err, want)
		}
	}
	f(Desc{Kind: Counter, Name: "9lives"}, `the name "9lives" is not of`)
	f(Desc{Kind: Counter, Name: "Orders"}, "is not of")
	f(Desc{Kind: Counter, Name: ""}, "is not of")
	f(Desc{Kind: Counter, Name: strings.Repeat("n", MaxName+1)}, "at most 64 bytes")
	f(Desc{Kind: Counter, Name: "calls_total"}, "stratix_script_calls_total is a metric of the gateway's own")
	f(Desc{Kind: Counter, Name: "a", Help: strings.Repeat("h", MaxHelp+1)}, "1 to 256 bytes")
	f(Desc{Kind: Counter, Name: "a", Labels: []string{"a", "b", "c", "d", "e"}}, "5 labels are more")
	f(Desc{Kind: Counter, Name: "a", Labels: []string{"le"}}, `the label "le"`)
	f(Desc{Kind: Counter, Name: "a", Labels: []string{"x", "x"}}, "is there twice")
	f(Desc{Kind: Counter, Name: "a", Labels: []string{"x-y"}}, "is not of")
	f(Desc{Kind: Histogram, Name: "a"}, "a histogram has 1 to 30 buckets, not 0")
	f(Desc{Kind: Histogram, Name: "a", Buckets: []float64{1, 1}}, "numbers that rise")

	declare(t, s, Desc{Kind: Histogram, Name: "wait", Help: "h", Buckets: []float64{1}})
	f(Desc{Kind: Counter, Name: "wait"}, "wait is declared already, as a histogram")
	f(Desc{Kind: Histogram, Name: "wait", Buckets: []float64{2}}, "wait is declared already")
	f(Desc{Kind: Counter, Name: "wait_count"}, "wait_count is declared already")
	for i := range MaxMetrics - 1 {
		declare(t, s, Desc{Kind: Gauge, Name: fmt.Sprint("g", i), Help: "h"})
	}
	f(Desc{Kind: Counter, Name: "more"}, "scripts may declare 200 metrics")
}

func TestThePageShowsWhatWasCounted(t *testing.T) {
	r := NewRegistry(2)
	s := r.NewSet()
	orders := declare(t, s, Desc{Kind: Counter, Name: "orders_total", Help: "Orders\nseen.", Labels: []string{"desk", "kind"}})
	sizes := declare(t, s, Desc{Kind: Histogram, Name: "bytes", Help: "Sizes.", Buckets: []float64{10, 2.5e3}})
	level := declare(t, s, Desc{Kind: Gauge, Name: "level", Help: "Level."})
	if got := page(r, true); got != "" {
		t.Errorf("before it is started: %s", got)
	}
	start(t, s)
	labelled(orders, "a", `"x"\`+"\n").Add(0, 1)
	labelled(orders, "a", `"x"\`+"\n").Add(1, 2)
	labelled(orders, "", "\xff"+strings.Repeat("y", 99)).Add(1, 0.5)
	sizes.Only().Observe(0, 10)
	sizes.Only().Observe(1, 11)
	sizes.Only().Observe(1, 1e9)
	level.Only().Set(4)
	level.Only().Add(1, -1.25)
	want := `histogram bytes Sizes.
bytes_bucket{le="10"} 1
bytes_bucket{le="2500"} 2
bytes_bucket{le="+Inf"} 3
bytes_sum 1000000021
bytes_count 3
gauge level Level.
level 2.75
`
	if got := page(r, false); got != want {
		t.Errorf("without labels:\n%s", got)
	}
	want += `counter orders_total Orders\nseen.
orders_total{desk="a",kind="\"x\"\\\n"} 3
orders_total{desk="",kind="` + "\ufffd" + strings.Repeat("y", 63) + `"} 0.5
`
	if got := page(r, true); got != want {
		t.Errorf("with labels:\n%s", got)
	}
}

func TestValuesOutliveGenerationsThatDeclareThem(t *testing.T) {
	r := NewRegistry(1)
	counter := Desc{Kind: Counter, Name: "n", Help: "h"}
	gauge := Desc{Kind: Gauge, Name: "rules", Help: "h", Labels: []string{"set"}}
	first, second, third := r.NewSet(), r.NewSet(), r.NewSet()

	n, g := declare(t, first, counter), declare(t, first, gauge)
	start(t, first)
	n.Only().Add(0, 1)
	labelled(g, "a").Set(1)

	again, gAgain := declare(t, second, counter), declare(t, second, gauge)
	labelled(gAgain, "a").Set(2) // while it loads
	labelled(gAgain, "b").Set(3)
	start(t, second)
	again.Only().Add(0, 1)
	n.Only().Add(0, 1) // a held message ends in the first
	stop(t, first)
	if got, want := page(r, true), "counter n h\nn 3\ngauge rules h\nrules{set=\"a\"} 2\nrules{set=\"b\"} 3\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}

	// Declared in another way it is another one, from the moment that is live.
	other := declare(t, third, Desc{Kind: Gauge, Name: "n", Help: "h"})
	start(t, third)
	other.Only().Set(9)
	if got := page(r, false); got != "gauge n h\nn 9\n" {
		t.Errorf("while both are in use: %q", got)
	}
	stop(t, third) // taken back
	if got := page(r, false); got != "counter n h\nn 3\n" {
		t.Errorf("after it was taken back: %q", got)
	}
	stop(t, second)
	if got := page(r, true); got != "" {
		t.Errorf("nobody declares it any more: %q", got)
	}
}

func TestTheNumberOfSeriesIsBounded(t *testing.T) {
	r := NewRegistry(1)
	s := r.NewSet()
	c := declare(t, s, Desc{Kind: Counter, Name: "c", Help: "h", Labels: []string{"l"}})
	h := declare(t, s, Desc{Kind: Histogram, Name: "h", Help: "h", Buckets: []float64{1, 2}, Labels: []string{"l"}})
	start(t, s)
	for i := range 100 {
		if labelled(h, fmt.Sprint(i)) == nil {
			t.Fatalf("no room after %d histograms", i)
		}
	}
	made := 0
	for i := range MaxSeries {
		if labelled(c, fmt.Sprint(i)) != nil {
			made++
		}
	}
	if lines := strings.Count(page(r, true), "\n") - 2; made != 500 || lines != MaxSeries || r.Refused() != 500 {
		t.Errorf("%d counters, %d lines, %d refused", made, lines, r.Refused())
	}
	if labelled(c, "7") == nil {
		t.Error("a series that is there is refused")
	}
}

func TestWhereThereIsNoRoomNobodyWaitsForALock(t *testing.T) {
	r := NewRegistry(2)
	s, other := r.NewSet(), r.NewSet()
	c := declare(t, s, Desc{Kind: Counter, Name: "c", Help: "h", Labels: []string{"l"}})
	second := &Cache{Metric: c.Metric} // of another shard
	large := declare(t, other, Desc{Kind: Counter, Name: "large", Help: "h", Labels: []string{"l"}})
	start(t, s)
	start(t, other)
	for i := range MaxSeries - 10 {
		labelled(large, fmt.Sprint(i))
	}
	for i := range 20 {
		labelled(c, fmt.Sprint(i))
	}
	if labelled(second, "new") != nil {
		t.Fatal("there is room")
	}
	r.mu.Lock() // who waits for it waits in vain
	for i := range 100 {
		if labelled(c, fmt.Sprint("more", i)) != nil || labelled(second, fmt.Sprint("more", i)) != nil || labelled(second, fmt.Sprint(i%10)) == nil {
			t.Error("what there is has changed")
		}
	}
	r.mu.Unlock()
	if n := r.Refused(); n != 10+1+200 {
		t.Errorf("%d are refused", n)
	}
	stop(t, other)
	if labelled(c, "new") == nil || labelled(second, "newer") == nil {
		t.Error("there is room again, and they are refused")
	}
}

func TestShardsCountAtOnce(t *testing.T) {
	const shards, rounds = 4, 1000
	r := NewRegistry(shards)
	s := r.NewSet()
	m := declare(t, s, Desc{Kind: Counter, Name: "c", Help: "h", Labels: []string{"l"}}).Metric
	start(t, s)
	var all sync.WaitGroup
	for shard := range shards {
		all.Go(func() {
			c := &Cache{Metric: m}
			for i := range rounds {
				labelled(c, fmt.Sprint(i%10)).Add(shard, 1)
				if i%100 == 0 {
					page(r, true)
				}
			}
		})
	}
	all.Wait()
	if got := page(r, true); strings.Count(got, "} 400\n") != 10 {
		t.Error(got)
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	s := NewRegistry(1).NewSet()
	c := declare(t, s, Desc{Kind: Counter, Name: "c", Help: "h", Labels: []string{"l"}})
	plain := declare(t, s, Desc{Kind: Counter, Name: "p", Help: "h"})
	if n := testing.AllocsPerRun(100, func() { plain.Only().Add(0, 1); labelled(c, "value").Add(0, 1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
