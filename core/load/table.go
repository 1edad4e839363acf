package load

import (
	"encoding/json"
	"fmt"
	"io"
)

// printer writes results as they come: lines of JSON, or a table.
type printer struct {
	out  io.Writer
	json bool
}

// machine begins the report.
func (p printer) machine(m Machine) error {
	if p.json {
		return json.NewEncoder(p.out).Encode(map[string]Machine{"machine": m})
	}
	_, err := fmt.Fprintf(p.out, "%d x %s, Linux %s, %s\n", m.Cores, m.CPU, m.Kernel, m.Go)
	return err
}

// heading names the columns of a scenario's rows.
func (p printer) heading(scenario string) error {
	if p.json {
		return nil
	}
	var err error
	switch scenario {
	case Idle:
		_, err = fmt.Fprintf(p.out, "%-8s%8s%12s%10s\n", "", "conns", "RSS MiB", "B/conn")
	case Open:
		_, err = fmt.Fprintf(p.out, "%-8s%8s%8s%10s%10s%12s%8s%9s%7s%10s%10s%10s%10s%10s\n", "", "conns", "rate", "sent/s", "dlvrd/s",
			"per cpu-s", "us each", "gateway", "load", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms")
	case Reload:
		_, err = fmt.Fprintf(p.out, "%-8s%8s%8s%10s%12s%8s%9s%7s%7s%10s%10s%10s%10s%12s\n", "", "conns", "rate", "dlvrd/s",
			"per cpu-s", "us each", "gateway", "load", "saves", "live p50", "live p90", "live max", "p99 ms", "p99 saving")
	case Connect, Churn:
		_, err = fmt.Fprintf(p.out, "%-8s%8s%10s%12s%8s%9s%7s%9s%9s%9s\n", "", "conns", "hands/s",
			"per cpu-s", "us each", "gateway", "load", "p50 ms", "p99 ms", "max ms")
	case Durable:
		_, err = fmt.Fprintf(p.out, "%-8s%8s%8s%11s%10s%12s%8s%9s%7s%10s%9s%9s%10s%9s\n", "", "conns", "window", "durable/s", "both/s",
			"per cpu-s", "us each", "gateway", "load", "commits/s", "records", "KiB each", "mean ms", "p99 ms")
	case Attack:
		_, err = fmt.Fprintf(p.out, "%-14s%8s%8s%9s%7s%10s%10s%10s%9s%9s%10s%10s%10s%8s%9s%9s\n", "", "conns", "rate", "gateway", "load", "p50 ms", "p99 ms", "max ms",
			"RSS MiB", "peak", "opened", "held", "answered", "new", "failed", "p99 ms")
	case Pending:
		_, err = fmt.Fprintf(p.out, "%-8s%8s%8s%10s%12s%8s%9s%7s%10s%8s%9s%9s%7s\n", "", "conns", "window", "acks/s",
			"per cpu-s", "us each", "gateway", "load", "pending", "for", "pay MiB", "RSS MiB", "ratio")
	default:
		_, err = fmt.Fprintf(p.out, "%-8s%8s%8s%10s%10s%12s%8s%9s%7s\n", "", "conns", "window", "acks/s", "dlvrd/s",
			"per cpu-s", "us each", "gateway", "load")
	}
	return err
}

// row writes one result. CPU is in percent of one core.
func (p printer) row(r *Result) error {
	if p.json {
		return json.NewEncoder(p.out).Encode(r)
	}
	l := r.Latency
	if l == nil {
		l = new(Latency)
	}
	cost := fmt.Sprintf("%12.0f%8.2f%8.0f%%%6.0f%%", r.PerCPUSecond, r.CPUMicros, 100*r.GatewayCPU, 100*r.LoadCPU)
	name := fmt.Sprintf("%-8s", r.Scenario)
	var err error
	switch r.Scenario {
	case Idle:
		for i, level := range r.Levels {
			slope, unsettled := "", ""
			if i == len(r.Levels)-1 {
				slope = fmt.Sprintf("%10.0f", r.BytesPerConnection)
			}
			if !level.Settled {
				unsettled = "  (still changing)"
			}
			_, err = fmt.Fprintf(p.out, "%s%8d%12.1f%s%s\n", name, level.Connections, float64(level.RSS)/(1<<20), slope, unsettled)
		}
	case Open:
		_, err = fmt.Fprintf(p.out, "%s%8d%8d%10.0f%10.0f%s%10.3f%10.3f%10.3f%10.3f%10.3f\n", name, r.Connections, r.Rate, r.Sent, r.Delivered,
			cost, l.P50, l.P90, l.P99, l.P999, l.Max)
	case Reload:
		s := r.Saves
		_, err = fmt.Fprintf(p.out, "%s%8d%8d%10.0f%s%7d%10.1f%10.1f%10.1f%10.3f%12.3f\n", name, r.Connections, r.Rate, r.Delivered,
			cost, s.Live, s.P50, s.P90, s.Max, l.P99, s.P99)
	case Connect, Churn:
		_, err = fmt.Fprintf(p.out, "%s%8d%10.0f%s%9.3f%9.3f%9.3f\n", name, r.Connections, r.Handshakes, cost, l.P50, l.P99, l.Max)
	case Durable:
		g := r.Log
		if g == nil {
			g = new(Log)
		}
		_, err = fmt.Fprintf(p.out, "%s%8d%8d%11.0f%10.0f%s%10.0f%9.0f%9.1f%10.2f%9.2f\n", name, r.Connections, r.Window, r.Durable, r.Whole,
			cost, g.Commits, g.Records, g.Bytes/1024, g.Mean, g.P99)
	case Attack:
		o, answered := r.Assault, uint64(0)
		for _, n := range o.Answers {
			answered += n
		}
		_, err = fmt.Fprintf(p.out, "%-14s%8d%8d%8.0f%%%6.0f%%%10.3f%10.3f%10.3f%9.1f%9.1f%10d%10d%10d%8d%9d%9.3f\n", o.Name, r.Connections, r.Rate, 100*r.GatewayCPU, 100*r.LoadCPU,
			l.P50, l.P99, l.Max, float64(o.Before)/(1<<20), float64(o.Peak)/(1<<20), o.Opened, o.Held, answered, o.Newcomers.Count, o.Newcomers.Failed, o.Newcomers.P99)
	case Pending:
		q := r.Backlog
		_, err = fmt.Fprintf(p.out, "%s%8d%8d%10.0f%s%10d%8d%9.1f%9.1f%7.2f\n", name, r.Connections, r.Window, r.Acked,
			cost, q.Messages, q.Recipients, float64(q.Payload)/(1<<20), float64(q.RSS)/(1<<20), q.Ratio)
	default:
		_, err = fmt.Fprintf(p.out, "%s%8d%8d%10.0f%10.0f%s\n", name, r.Connections, r.Window, r.Acked, r.Delivered, cost)
	}
	if t := &r.Totals; err == nil && t.Acked > 0 {
		_, err = fmt.Fprintf(p.out, "%-8sacks: %d disk, %d os, %d memory; %d queued, %d delivered\n", "", t.ToldDisk, t.ToldOS, t.ToldMemory, t.ToldQueued, t.ToldDelivered)
	}
	if t := &r.Totals; err == nil && t.Redelivered+t.Gaps+t.Ephemeral > 0 {
		_, err = fmt.Fprintf(p.out, "%-8srecipients: %d redelivered, %d in gaps, %d without a seq\n", "", t.Redelivered, t.Gaps, t.Ephemeral)
	}
	if err == nil && (r.Faults != "" || r.Totals.Refused > 0) {
		_, err = fmt.Fprintf(p.out, "%-8s%s (%d refused) %s\n", "", r.Faults, r.Totals.Refused, r.Why)
	}
	return err
}
