package gateway

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/VictoriaMetrics/metrics"

	"github.com/stratix-gateway/stratix/core/metric"
)

// page is a page of Prometheus text. The format wants all lines of a metric
// together, below its type.
type page struct {
	order  []*family
	byName map[string]*family
}

// family is a metric with all its labels.
type family struct {
	name, kind, help string
	lines            bytes.Buffer
}

func newPage() *page { return &page{byName: map[string]*family{}} }

// family returns the metric with this name, without labels.
func (p *page) family(name, kind string) *bytes.Buffer {
	f := p.byName[name]
	if f == nil {
		f = &family{name: name, kind: kind, help: helpTexts[name]}
		p.byName[name] = f
		p.order = append(p.order, f)
	}
	return &f.lines
}

// counter adds a line; name may have labels.
func (p *page) counter(name string, v uint64) {
	base, _, _ := strings.Cut(name, "{")
	metrics.WriteCounterUint64(p.family(base, "counter"), name, v)
}

func (p *page) counterFloat(name string, v float64) {
	base, _, _ := strings.Cut(name, "{")
	metrics.WriteCounterFloat64(p.family(base, "counter"), name, v)
}

func (p *page) gauge(name string, v float64) {
	base, _, _ := strings.Cut(name, "{")
	metrics.WriteGaugeFloat64(p.family(base, "gauge"), name, v)
}

// scripts adds the metrics that scripts declare.
func (p *page) scripts(families []metric.Family) {
	for _, f := range families {
		f.Write(p.family(f.Name, f.Kind))
		p.byName[f.Name].help = f.Help
	}
}

func (p *page) writeTo(w io.Writer) {
	for _, f := range p.order {
		if f.help != "" {
			fmt.Fprintf(w, "# HELP %s %s\n", f.name, f.help)
		}
		fmt.Fprintf(w, "# TYPE %s %s\n", f.name, f.kind)
		_, _ = f.lines.WriteTo(w) // a scraper that left misses nothing
	}
}
