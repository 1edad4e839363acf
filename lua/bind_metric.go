package lua

import (
	"math"

	"github.com/stratix-gateway/stratix/core/metric"
	glua "github.com/yuin/gopher-lua"
)

// metricCost is what counting costs, in instructions, and each label once more.
const metricCost = 2

// counter, gauge and histogram are what scripts count with.
type (
	counter   struct{ metric.Cache }
	gauge     struct{ metric.Cache }
	histogram struct{ metric.Cache }
)

func (in *instance) metricFunctions() functions {
	return functions{"counter": in.newCounter, "gauge": in.newGauge, "histogram": in.newHistogram}
}

func (in *instance) newCounter(L *glua.LState) int {
	m := in.declare(L, metric.Desc{Kind: metric.Counter}, 3)
	L.Push(in.object(in.counterType, &counter{metric.Cache{Metric: m}}))
	return 1
}

func (in *instance) newGauge(L *glua.LState) int {
	m := in.declare(L, metric.Desc{Kind: metric.Gauge}, 3)
	L.Push(in.object(in.gaugeType, &gauge{metric.Cache{Metric: m}}))
	return 1
}

func (in *instance) newHistogram(L *glua.LState) int {
	const name = "stratix.metric.histogram"
	t, ok := L.Get(3).(*glua.LTable)
	if !ok {
		L.RaiseError("%s takes a list of numbers for its buckets after the help text, not a %s", name, L.Get(3).Type())
	}
	d := metric.Desc{Kind: metric.Histogram, Buckets: make([]float64, min(t.MaxN(), metric.MaxBuckets+1))}
	for i := range d.Buckets {
		bound, ok := t.RawGetInt(i + 1).(glua.LNumber)
		if !ok {
			L.RaiseError("%s: bucket %d is a %s", name, i+1, t.RawGetInt(i+1).Type())
		}
		d.Buckets[i] = float64(bound)
	}
	m := in.declare(L, d, 4)
	L.Push(in.object(in.histogramType, &histogram{metric.Cache{Metric: m}}))
	return 1
}

// declare fills in d from the arguments; that of the labels is the nth.
func (in *instance) declare(L *glua.LState, d metric.Desc, n int) *metric.Metric {
	name := "stratix.metric." + d.Kind.String()
	in.onlyWhileLoading(L, name)
	d.Name = argString(L, 1, name, "a name")
	d.Help = argString(L, 2, name, "a help text after the name")
	switch labels := L.Get(n).(type) {
	case *glua.LNilType:
	case *glua.LTable:
		for i := 1; i <= min(labels.MaxN(), metric.MaxLabels+1); i++ {
			label, ok := labels.RawGetInt(i).(glua.LString)
			if !ok {
				L.RaiseError("%s: label %d is a %s", name, i, labels.RawGetInt(i).Type())
			}
			d.Labels = append(d.Labels, string(label))
		}
		if key := beyondList(labels, labels.MaxN()); key != glua.LNil {
			L.RaiseError("%s: the labels are a list of names; it has no key %q", name, key.String())
		}
	default:
		L.RaiseError("%s takes a list of labels last, not a %s", name, labels.Type())
	}
	in.vm.charge(nodeCost)
	m, err := in.load.shared.metrics.Declare(d)
	if err != nil {
		L.RaiseError("%s: %s", name, err)
	}
	return m
}

func (in *instance) counterVerbs() functions { return functions{"inc": in.counterInc} }

func (in *instance) gaugeVerbs() functions {
	return functions{"set": in.gaugeSet, "add": in.gaugeAdd}
}

func (in *instance) histogramVerbs() functions { return functions{"observe": in.histogramObserve} }

// counterInc is counter:inc(n, {labels}).
func (in *instance) counterInc(L *glua.LState) int {
	c, n := receiver[*counter](L, "counter:inc()"), 1.0
	if L.Get(2) != glua.LNil {
		n = finite(L, "counter:inc")
	}
	if n < 0 {
		L.RaiseError("counter:inc takes a number from 0 up, not %v: a counter never falls; use a gauge", n)
	}
	in.onlyOnceLive(L, "counter:inc")
	if s := in.series(L, &c.Cache, "counter:inc"); s != nil {
		s.Add(in.shard, n)
	}
	return 0
}

// gaugeSet is gauge:set(value, {labels}). It may be called while loading.
func (in *instance) gaugeSet(L *glua.LState) int {
	g := receiver[*gauge](L, "gauge:set(value)")
	n := finite(L, "gauge:set")
	if s := in.series(L, &g.Cache, "gauge:set"); s != nil {
		s.Set(n)
	}
	return 0
}

// gaugeAdd is gauge:add(n, {labels}).
func (in *instance) gaugeAdd(L *glua.LState) int {
	g := receiver[*gauge](L, "gauge:add(n)")
	n := finite(L, "gauge:add")
	in.onlyOnceLive(L, "gauge:add")
	if s := in.series(L, &g.Cache, "gauge:add"); s != nil {
		s.Add(in.shard, n)
	}
	return 0
}

// histogramObserve is histogram:observe(value, {labels}).
func (in *instance) histogramObserve(L *glua.LState) int {
	h := receiver[*histogram](L, "histogram:observe(value)")
	x := finite(L, "histogram:observe")
	in.onlyOnceLive(L, "histogram:observe")
	if s := in.series(L, &h.Cache, "histogram:observe"); s != nil {
		s.Observe(in.shard, x)
	}
	return 0
}

// onlyOnceLive refuses to count while main.lua loads, which each shard does.
func (in *instance) onlyOnceLive(L *glua.LState, verb string) {
	if in.loading {
		L.RaiseError("%s cannot be called while the scripts load: each shard loads them, and it would count each time", verb)
	}
}

// finite is argument 2, a number.
func finite(L *glua.LState, verb string) float64 {
	n, ok := L.Get(2).(glua.LNumber)
	if !ok || math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		L.RaiseError("%s takes a number, not %s", verb, L.Get(2).String())
	}
	return float64(n)
}

// series finds the series for the labels that are argument 3. It is nil when
// there is no room for another one, which the gateway counts.
func (in *instance) series(L *glua.LState, c *metric.Cache, verb string) *metric.Series {
	labels := c.Metric.Desc().Labels
	in.vm.charge(metricCost * (1 + len(labels)))
	t, given := L.Get(3).(*glua.LTable)
	switch {
	case !given && L.Get(3) != glua.LNil:
		L.RaiseError("%s takes a table of labels last, not a %s", verb, L.Get(3).Type())
	case len(labels) == 0 && !given:
		return c.Only()
	case !given:
		L.RaiseError("%s: the label %q is missing, as in {%s = \"...\"}", verb, labels[0], labels[0])
	}
	c.Begin()
	for _, name := range labels {
		switch v := t.RawGetString(name).(type) {
		case glua.LString:
			c.Label(string(v))
		case glua.LNumber, glua.LBool:
			c.Label(v.String())
		default:
			L.RaiseError("%s: the label %q is a %s; it takes a string, a number or a boolean", verb, name, v.Type())
		}
	}
	keys := 0
	for key, _ := t.Next(glua.LNil); key != glua.LNil; key, _ = t.Next(key) {
		if keys++; keys > len(labels) {
			L.RaiseError("%s: the metric was declared with %d labels, and more are given", verb, len(labels))
		}
	}
	return c.Chosen()
}
