package metric

import (
	"math"
	"strings"
	"sync/atomic"
)

// Metric is one declared metric. Until its set is started what it counts is its
// own; then it goes on with the values of the same metric of the sets before.
type Metric struct {
	desc     Desc
	registry *Registry
	values   atomic.Pointer[values]
}

// Desc is what the metric was declared with; it is read-only.
func (m *Metric) Desc() *Desc { return &m.desc }

// values are a metric's series, shared by all sets that declare it.
type values struct {
	desc   *Desc
	shards int
	only   *Series // of a metric without labels

	// Guarded by the registry's lock:
	byKey   map[string]*Series
	order   []*Series
	started bool // counted by the registry
}

func newValues(d *Desc, shards int) *values {
	v := &values{desc: d, shards: shards, byKey: map[string]*Series{}}
	if len(d.Labels) == 0 {
		v.only = v.add("", nil)
	}
	return v
}

func (v *values) weight() int { return len(v.order) * v.desc.weight() }

func (v *values) add(key string, labels []string) *Series {
	n := v.shards
	if v.desc.Kind == Gauge {
		n = 1 // the last one to set it says what it is, whichever shard that is
	}
	s := &Series{labels: labels, buckets: v.desc.Buckets, cells: make([]cell, n)}
	for i := range s.cells {
		if v.desc.Kind == Histogram {
			s.cells[i].counts = make([]atomic.Uint64, len(v.desc.Buckets)+1)
		}
	}
	v.byKey[key] = s
	v.order = append(v.order, s)
	return s
}

// Series is the values under one choice of labels: each shard has a cell of its
// own, so that shards do not wait for each other.
type Series struct {
	labels  []string // values, in the order of the metric's labels
	buckets []float64
	cells   []cell
	set     atomic.Bool // a gauge that was set
}

// cell is one shard's share.
type cell struct {
	sum    atomic.Uint64 // float64 bits
	counts []atomic.Uint64
	_      [32]byte // cells do not share a cache line
}

// Add adds n to a counter or a gauge.
func (s *Series) Add(shard int, n float64) { s.cells[min(shard, len(s.cells)-1)].add(n) }

// Set sets a gauge.
func (s *Series) Set(n float64) {
	s.cells[0].sum.Store(math.Float64bits(n))
	if !s.set.Load() {
		s.set.Store(true)
	}
}

// Observe counts x in a histogram.
func (s *Series) Observe(shard int, x float64) {
	c, at := &s.cells[shard], 0
	for at < len(s.buckets) && x > s.buckets[at] {
		at++
	}
	c.counts[at].Add(1)
	c.add(x)
}

func (c *cell) add(n float64) {
	for {
		old := c.sum.Load()
		if c.sum.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+n)) {
			return
		}
	}
}

func (s *Series) sum() (sum float64) {
	for i := range s.cells {
		sum += math.Float64frombits(s.cells[i].sum.Load())
	}
	return sum
}

// Cache finds the series of one metric for one shard without a lock. It belongs
// to that shard's goroutine.
type Cache struct {
	Metric *Metric
	of     *values // what byKey is of
	byKey  map[string]*Series
	full   uint64 // Registry.changes when byKey had all that there are, and there was no room for more; 0 for never
	key    []byte
}

// Only returns the series of a metric without labels.
func (c *Cache) Only() *Series { return c.Metric.values.Load().only }

// Begin begins the choice of a series; Label follows for each label in order,
// and Chosen.
func (c *Cache) Begin() { c.key = c.key[:0] }

// Label adds a label's value; of a long one the first MaxLabel bytes count, and
// what is not UTF-8 is replaced.
func (c *Cache) Label(value string) {
	if len(value) > MaxLabel {
		value = value[:MaxLabel]
	}
	// No valid UTF-8 has this byte.
	c.key = append(append(c.key, strings.ToValidUTF8(value, "\ufffd")...), '\xff')
}

// Chosen returns the series of the labels, or nil when there is no room for
// another one.
func (c *Cache) Chosen() *Series {
	r := c.Metric.registry
	if v := c.Metric.values.Load(); v != c.of {
		c.of, c.byKey, c.full = v, map[string]*Series{}, 0
	}
	if s := c.byKey[string(c.key)]; s != nil {
		return s
	}
	if c.full != 0 && c.full == r.changes.Load() {
		r.refused.Add(1)
		return nil
	}
	s, known, at := r.series(c.of, string(c.key))
	if s != nil {
		c.byKey[string(c.key)] = s
	} else {
		c.byKey, c.full = known, at
	}
	return s
}
