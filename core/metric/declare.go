// Package metric holds the metrics that scripts declare: counters, gauges and
// histograms, with labels if they like. A Set is what one generation declares;
// while its generation is in use it is in the Registry, which the metrics page
// is written from.
package metric

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
)

// Prefix begins the name of every metric of a script.
const Prefix = "stratix_script_"

// Bounds on what a generation declares.
const (
	MaxMetrics = 200
	MaxName    = 64 // bytes of a name, without Prefix, and of a label's
	MaxHelp    = 256
	MaxLabels  = 4
	MaxBuckets = 30
	MaxLabel   = 64 // bytes of a label's value; what is behind them is cut off
)

// Kind is a kind of metric.
type Kind uint8

// The kinds of metrics.
const (
	Counter Kind = iota + 1
	Gauge
	Histogram
)

// String is the kind's word in Lua and in Prometheus text.
func (k Kind) String() string {
	switch k {
	case Counter:
		return "counter"
	case Gauge:
		return "gauge"
	}
	return "histogram"
}

// Desc is what a metric is declared with. Two that are equal are one metric.
type Desc struct {
	Kind    Kind
	Name    string // without Prefix
	Help    string
	Labels  []string
	Buckets []float64 // upper bounds, ascending; of a histogram only
}

func (d *Desc) alike(o *Desc) bool {
	return d.Kind == o.Kind && d.Name == o.Name && d.Help == o.Help &&
		slices.Equal(d.Labels, o.Labels) && slices.Equal(d.Buckets, o.Buckets)
}

// weight is how many lines one series takes.
func (d *Desc) weight() int {
	if d.Kind == Histogram {
		return len(d.Buckets) + 3
	}
	return 1
}

var (
	metricName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	labelName  = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

// Reserved are the names that the gateway's own metrics have under Prefix.
var Reserved = []string{"calls_total", "instructions_total", "errors_total", "overruns_total", "panics_total", "series_refused_total"}

// check says what is wrong with a declaration, in words for its author.
func (d *Desc) check() error {
	switch {
	case !metricName.MatchString(d.Name) || len(d.Name) > MaxName:
		return fmt.Errorf("the name %.80q is not of a-z, 0-9 and _, beginning with a letter, at most %d bytes", d.Name, MaxName)
	case slices.Contains(Reserved, d.Name):
		return fmt.Errorf("%s%s is a metric of the gateway's own; take another name", Prefix, d.Name)
	case d.Help == "" || len(d.Help) > MaxHelp:
		return fmt.Errorf("%s: the help text is 1 to %d bytes", d.Name, MaxHelp)
	case len(d.Labels) > MaxLabels:
		return fmt.Errorf("%s: %d labels are more than a metric may have (%d)", d.Name, len(d.Labels), MaxLabels)
	}
	for i, l := range d.Labels {
		if !labelName.MatchString(l) || len(l) > MaxName || l == "le" || slices.Contains(d.Labels[:i], l) {
			return fmt.Errorf("%s: the label %.80q is not of a-z, 0-9 and _, is le, or is there twice", d.Name, l)
		}
	}
	if d.Kind != Histogram {
		return nil
	}
	if len(d.Buckets) == 0 || len(d.Buckets) > MaxBuckets {
		return fmt.Errorf("%s: a histogram has 1 to %d buckets, not %d", d.Name, MaxBuckets, len(d.Buckets))
	}
	for i, b := range d.Buckets {
		if math.IsNaN(b) || math.IsInf(b, 0) || i > 0 && b <= d.Buckets[i-1] {
			return fmt.Errorf("%s: the buckets are numbers that rise; the last one, for all others, is there anyway", d.Name)
		}
	}
	return nil
}

// Set is what one generation declares. Its methods may be called from several
// goroutines.
type Set struct {
	registry *Registry
	metrics  []*Metric // guarded by registry.mu
}

// Declare returns the metric of this description, the same one for each shard
// that declares it. The error is words for the author of the script.
func (s *Set) Declare(d Desc) (*Metric, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	for _, m := range s.metrics {
		if m.desc.alike(&d) {
			return m, nil
		}
		if clash(&m.desc, &d) || clash(&d, &m.desc) {
			return nil, fmt.Errorf("%s is declared already, as a %s in another way", d.Name, m.desc.Kind)
		}
	}
	if len(s.metrics) == MaxMetrics {
		return nil, fmt.Errorf("%s: scripts may declare %d metrics", d.Name, MaxMetrics)
	}
	m := &Metric{desc: d, registry: s.registry}
	m.values.Store(newValues(&m.desc, s.registry.shards))
	s.metrics = append(s.metrics, m)
	return m, nil
}

// clash reports whether b's name is one that a's lines have.
func clash(a, b *Desc) bool {
	if a.Name == b.Name {
		return true
	}
	end, begins := strings.CutPrefix(b.Name, a.Name)
	return begins && a.Kind == Histogram && slices.Contains([]string{"_bucket", "_sum", "_count"}, end)
}
