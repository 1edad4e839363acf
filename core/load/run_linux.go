package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"time"
)

// run is one call of Run.
type run struct {
	Config
	printer
	target target
	report Report

	// quiet is how long nothing may come before what is still missing is lost,
	// limit how long the wait for it lasts at most.
	quiet, limit time.Duration
	// Memory has settled when so many samples in a row, taken so far apart,
	// differ little; after so many it is taken as it is.
	sampleEvery              time.Duration
	calmSamples, mostSamples int
	// A reload waits so long before each save, and for it to go live at most.
	savePause, saveLimit time.Duration
	attacks              func(target) []attack
	probes               int // of a reload: connections beside the ones asked for
	// tag is in the names of a measurement's clients and group: what an earlier
	// one left with the gateway is for others.
	tag string
}

// Run measures the gateway at c.URL and prints each result to out as it comes.
// Every combination of c's lists gives one. It is an error if a message was not
// answered once and delivered once, or a connection broke; the report is
// complete then, and its results say which. Other errors end the run.
func Run(ctx context.Context, c Config, out io.Writer) (Report, error) {
	r := newRun(c, out)
	if err := r.all(ctx); err != nil {
		return r.report, fmt.Errorf("bench: %w", err)
	}
	return r.report, nil
}

func newRun(c Config, out io.Writer) *run {
	r := &run{
		Config: c.withDefaults(), printer: printer{out, c.JSON},
		quiet: 5 * time.Second, limit: 30 * time.Second,
		sampleEvery: 250 * time.Millisecond, calmSamples: 8, mostSamples: 160,
		attacks:   attacks,
		savePause: 200 * time.Millisecond, saveLimit: 5 * time.Second,
	}
	if c.Scenario == Reload {
		r.probes = probesPerCore * runtime.NumCPU()
	}
	return r
}

// measurement is one combination of the lists.
type measurement struct {
	connections, window, rate int
	attack                    attack
}

func (r *run) all(ctx context.Context) (err error) {
	if err := r.check(); err != nil {
		return err
	}
	if r.target, err = parseTarget(r.URL); err != nil {
		return err
	}
	needed := slices.Max(r.Connections) + r.probes
	if r.Scenario == Attack {
		for _, a := range r.attacks(r.target) {
			needed = max(needed, slices.Max(r.Connections)+a.conns+int(newcomerPatience/newcomerEvery))
		}
	}
	if err := descriptors(needed); err != nil {
		return err
	}
	if r.PID == 0 {
		if r.PID, err = listener(r.target.addr.Port()); err != nil {
			return err
		}
	}
	r.report.Machine = machine()
	if err := errors.Join(r.machine(r.report.Machine), r.heading(r.Scenario)); err != nil {
		return err
	}
	var faults []error
	for _, m := range r.measurements() {
		result, err := r.measure(ctx, m)
		if err != nil {
			return fmt.Errorf("%s: %w", r.Scenario, err)
		}
		r.report.Results = append(r.report.Results, result)
		if err := r.row(&result); err != nil {
			return err
		}
		if result.Faults != "" {
			faults = append(faults, fmt.Errorf("%s: %s", r.Scenario, result.Faults))
		}
	}
	return errors.Join(faults...)
}

func (r *run) measurements() (all []measurement) {
	for _, n := range r.Connections {
		switch r.Scenario {
		case Idle:
			return []measurement{{connections: r.Connections[len(r.Connections)-1]}}
		case Connect, Churn:
			all = append(all, measurement{connections: n})
		case Attack:
			for _, rate := range r.Rate {
				for _, a := range r.attacks(r.target) {
					all = append(all, measurement{connections: n, rate: rate, attack: a})
				}
			}
		case Open, Reload:
			for _, rate := range r.Rate {
				all = append(all, measurement{connections: n, rate: rate})
			}
		default:
			for _, window := range r.Window {
				all = append(all, measurement{connections: n, window: window})
			}
		}
	}
	return all
}

// client names the connections. An echo's are routed back by the shipped routes
// because of their prefix; a fanout's publisher is none of its subscribers.
func (r *run) client(id int) string {
	switch {
	case r.Scenario == Echo:
		return fmt.Sprintf("client-%s-%06d", r.group(), id)
	case r.Scenario == Fanout && id == 0:
		return "publisher-" + r.group()
	}
	return fmt.Sprintf("%s-%06d", r.group(), id)
}

// group is what a fanout's subscribers join, and how their names begin.
func (r *run) group() string { return "bench-" + r.tag }

func (r *run) measure(ctx context.Context, m measurement) (Result, error) {
	r.tag = fmt.Sprintf("%06x", rand.Uint32()&0xffffff)
	f, err := newFleet(r.target, m.connections+r.probes, r.Workers, r.client)
	if err != nil {
		return Result{}, err
	}
	defer f.close()
	f.reliable = r.Reliable
	result := Result{Scenario: r.Scenario, Connections: m.connections, Window: m.window, Rate: m.rate, Workers: r.Workers, Reliable: r.Reliable}
	copies := 0
	switch r.Scenario {
	case Idle:
		err = r.idle(ctx, f, &result)
	case Connect:
		err = r.connect(ctx, f, &result)
	case Churn:
		err = r.churn(ctx, f, &result)
	default:
		switch r.Scenario {
		case Reload:
			result.Size = r.Size
			err = r.reload(ctx, f, m, &result)
		case Attack:
			result.Size = r.Size
			err = r.assault(ctx, f, m, &result)
		case Durable:
			result.Payload = r.Payload
			err = r.exchange(ctx, f, m, &result, r.durably(&result))
		case Pending:
			result.Payload = r.Payload
			err = r.pending(ctx, f, m, &result)
		default:
			result.Size = r.Size
			err = r.exchange(ctx, f, m, &result, r.span)
		}
		if f.traffic != nil {
			copies = f.traffic.copies
		}
	}
	if err != nil {
		return Result{}, err
	}
	result.Totals = f.counts()
	faults := result.faults(copies)
	if s := result.Saves; s != nil && s.Late > 0 {
		faults = append(faults, fmt.Sprintf("saves not live within %v: %d", r.saveLimit, s.Late))
	}
	result.Faults = strings.Join(faults, ", ")
	if result.Why == "" {
		result.Why = f.why()
	}
	result.Latency = f.latency(false)
	if l := f.latency(true); l != nil && result.Saves != nil {
		result.Saves.P99 = l.P99
	}
	return result, nil
}

// moment is what can be read at one time while a phase runs.
type moment struct {
	at           time.Duration
	gateway, own time.Duration // CPU time
	Counts
}

func (r *run) moment(f *fleet) (moment, error) {
	cpu, err := cpuTime(r.PID)
	return moment{f.now(), cpu, ownCPU(), f.counts()}, err
}

// between fills in the figures of the time between two moments; each is what
// the CPU time is divided by.
func (r *Result) between(a, b moment, each func(Counts) uint64) {
	r.Seconds = (b.at - a.at).Seconds()
	per := func(x, y uint64) float64 { return float64(y-x) / r.Seconds }
	r.Sent = per(a.Sent, b.Sent)
	r.Acked = per(a.Acked, b.Acked)
	r.Delivered = per(a.Counts.Delivered, b.Counts.Delivered)
	r.GatewayCPU = (b.gateway - a.gateway).Seconds() / r.Seconds
	r.LoadCPU = (b.own - a.own).Seconds() / r.Seconds
	n, spent := float64(each(b.Counts)-each(a.Counts)), (b.gateway - a.gateway).Seconds()
	if n > 0 && spent > 0 {
		r.PerCPUSecond, r.CPUMicros = n/spent, spent*1e6/n
	}
}
