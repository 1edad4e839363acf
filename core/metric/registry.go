package metric

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// MaxSeries bounds the lines of all metrics of scripts: a series of a histogram
// has one for each bucket, and three more.
const MaxSeries = 1000

// State is the name of the gateway's Registry in core.Env.State.
const State = "metric"

// Registry has the metrics of the generations in use.
type Registry struct {
	shards  int
	refused atomic.Uint64 // writes that found no room for another series
	changes atomic.Uint64 // of what series there are, and of the room for more; made under mu

	mu    sync.Mutex
	sets  []*Set // started ones, the newest last
	lines int    // of their values
}

// NewRegistry makes an empty registry for so many shards.
func NewRegistry(shards int) *Registry { return &Registry{shards: max(shards, 1)} }

// NewSet makes an empty set, which is not started.
func (r *Registry) NewSet() *Set { return &Set{registry: r} }

// Empty reports whether nothing is declared.
func (s *Set) Empty() bool {
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	return len(s.metrics) == 0
}

// Start shows the set's metrics. Those that a set in use declares alike go on
// with its values; a gauge that was set meanwhile is set. It is called before
// the set's generation handles messages.
func (s *Set) Start(context.Context) error {
	r := s.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range s.metrics {
		if old := r.find(&m.desc); old != nil {
			m.adopt(old)
		}
	}
	r.sets = append(r.sets, s)
	r.count()
	return nil
}

// Stop takes the set out. What no other set in use declares is gone.
func (s *Set) Stop(context.Context) error {
	r := s.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sets = slices.DeleteFunc(r.sets, func(o *Set) bool { return o == s })
	r.count()
	return nil
}

// adopt goes on with the values of a metric that is declared alike.
func (m *Metric) adopt(old *Metric) {
	own, theirs := m.values.Load(), old.values.Load()
	for key, s := range own.byKey {
		to := theirs.byKey[key]
		if to == nil && s.set.Load() {
			to = theirs.add(key, s.labels) // counted when all are adopted
		}
		if s.set.Load() {
			to.Set(s.sum())
		}
	}
	m.values.Store(theirs)
}

// find returns the newest metric in use that is declared alike.
func (r *Registry) find(d *Desc) *Metric {
	for _, s := range slices.Backward(r.sets) {
		for _, m := range s.metrics {
			if m.desc.alike(d) {
				return m
			}
		}
	}
	return nil
}

// count counts the lines of all values in use.
func (r *Registry) count() {
	r.changes.Add(1)
	seen := map[*values]bool{}
	r.lines = 0
	for _, s := range r.sets {
		for _, m := range s.metrics {
			if v := m.values.Load(); !seen[v] {
				seen[v], v.started = true, true
				r.lines += v.weight()
			}
		}
	}
}

// series finds or makes a series of v; nil when there is no room. Then the answer is
// the same for every other key that is not among known, until r.changes is not at any
// more.
func (r *Registry) series(v *values, key string) (s *Series, known map[string]*Series, at uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := v.byKey[key]; s != nil {
		return s, nil, 0
	}
	lines := v.weight()
	if v.started {
		lines = r.lines
	}
	if lines+v.desc.weight() > MaxSeries {
		r.refused.Add(1)
		return nil, maps.Clone(v.byKey), r.changes.Load()
	}
	if v.started {
		r.lines += v.desc.weight()
	}
	r.changes.Add(1)
	return v.add(key, strings.Split(strings.TrimSuffix(key, "\xff"), "\xff")), nil, 0
}

// Refused is how many writes found no room for another series.
func (r *Registry) Refused() uint64 { return r.refused.Load() }

// Family is a metric with the lines of its series.
type Family struct {
	Name, Kind, Help string
	Write            func(io.Writer)
}

// Families are the metrics in use, in the order of their names. Where two
// generations declare one name in different ways the newer one counts. Labels
// may hold what clients sent: without labelled, metrics with labels are left out.
func (r *Registry) Families(labelled bool) []Family {
	r.mu.Lock()
	defer r.mu.Unlock()
	var shown []*Metric
	for _, s := range slices.Backward(r.sets) {
		for _, m := range s.metrics {
			hidden := func(o *Metric) bool { return clash(&o.desc, &m.desc) || clash(&m.desc, &o.desc) }
			if !slices.ContainsFunc(shown, hidden) && (labelled || len(m.desc.Labels) == 0) {
				shown = append(shown, m)
			}
		}
	}
	slices.SortFunc(shown, func(a, b *Metric) int { return strings.Compare(a.desc.Name, b.desc.Name) })
	families := make([]Family, len(shown))
	for i, m := range shown {
		v := m.values.Load()
		all := slices.Clone(v.order)
		families[i] = Family{
			Name: Prefix + m.desc.Name, Kind: m.desc.Kind.String(), Help: helpText(m.desc.Help),
			Write: func(w io.Writer) { v.write(w, all) },
		}
	}
	return families
}
