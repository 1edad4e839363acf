package load

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// exchange measures messages. span takes the two moments between which the
// figures are, the first one at the time that it is given.
func (r *run) exchange(ctx context.Context, f *fleet, m measurement, result *Result,
	span func(ctx context.Context, f *fleet, from time.Duration) (a, b moment, err error)) error {
	t, err := r.traffic(f, m)
	if err != nil {
		return err
	}
	if err := f.connect(ctx, f.conns); err != nil {
		return err
	}
	const headStart = 10 * time.Millisecond
	t.began = f.now() + headStart
	from := t.began + seconds(r.Warmup)
	until := from + seconds(r.Seconds)
	if r.Scenario == Reload {
		until = from + time.Duration(r.Saves)*(r.savePause+r.saveLimit) // at the latest
	}
	t.until.Store(int64(until))
	if m.rate > 0 {
		f.time(from, until)
	}
	f.traffic = t
	return f.during(ctx, (*worker).exchange, func(ctx context.Context) error {
		a, b, err := span(ctx, f, from)
		if err != nil {
			return err
		}
		result.between(a, b, func(c Counts) uint64 {
			if t.whole {
				return c.Whole
			}
			return c.Delivered
		})
		return f.drain(ctx, r.quiet, r.limit)
	})
}

// traffic says who sends what to whom, and prepares the connections for it.
func (r *run) traffic(f *fleet, m measurement) (*traffic, error) {
	t := &traffic{window: m.window, rate: m.rate, copies: 1}
	if r.Scenario == Fanout {
		t.copies = len(f.conns) - 1
		t.fan = newFan(f.conns[0], t.copies, m.window)
		if r.By == "group" {
			f.join = `{"type":8,"groups":["` + r.group() + `"]}`
		}
	}
	t.whole = r.Scenario == Durable
	if r.Scenario == Pending {
		t.copies, t.away = 0, uint32(r.Recipients)
	}
	if r.Scenario == Reload {
		t.saves = &saves{probes: r.probes, live: make(chan time.Duration, 1)}
	}
	for _, c := range f.conns {
		var to, headers string
		size := r.Size
		switch {
		case r.Scenario == Echo:
			c.from = c
		case r.Scenario == Reload && c.id >= m.connections:
			c.from, c.probe = c, true
			to, headers = `"`+c.client+`"`, `{"`+probeHeader+`":"1"}`
			size = max(size, probeSize)
		case r.Scenario == Fanout:
			to = `{"` + r.By + `":"` + r.group() + `"}`
			if c.id > 0 {
				c.from = f.conns[0]
			}
		case r.Scenario == Pending:
			to = `"` + r.group() + `-away-000000"`
			c.quota = uint32((r.Messages + len(f.conns) - 1 - c.id) / len(f.conns))
		default:
			c.from = f.conns[c.id^1]
			to = `"` + c.from.client + `"`
		}
		if r.Scenario == Durable || r.Scenario == Pending {
			size = sizeWith(r.Payload, c.origin, to, headers)
		}
		var err error
		if c.message, err = newTemplate(c.origin, to, headers, size); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// span takes a moment at a time of the fleet's clock and another one when the
// time to measure is over.
func (r *run) span(ctx context.Context, f *fleet, from time.Duration) (a, b moment, err error) {
	if err = pause(ctx, from-f.now()); err != nil {
		return
	}
	if a, err = r.moment(f); err != nil {
		return
	}
	if err = pause(ctx, seconds(r.Seconds)); err != nil {
		return
	}
	b, err = r.moment(f)
	return
}

// connect measures how fast all connections open.
func (r *run) connect(ctx context.Context, f *fleet, result *Result) error {
	f.time(0, math.MaxInt64)
	a, err := r.moment(f)
	if err != nil {
		return err
	}
	if err := f.connect(ctx, f.conns); err != nil {
		return err
	}
	b, err := r.moment(f)
	if err != nil {
		return err
	}
	handshakes := func(c Counts) uint64 { return c.Handshakes }
	result.between(a, b, handshakes)
	result.Handshakes = float64(handshakes(b.Counts)) / result.Seconds
	return nil
}

// churn measures connections that open and close all the time.
func (r *run) churn(ctx context.Context, f *fleet, result *Result) error {
	from := f.now() + seconds(r.Warmup)
	f.time(from, from+seconds(r.Seconds))
	return f.during(ctx, (*worker).churn, func(ctx context.Context) error {
		a, b, err := r.span(ctx, f, from)
		if err != nil {
			return err
		}
		cycles := func(c Counts) uint64 { return c.Cycles }
		result.between(a, b, cycles)
		result.Handshakes = float64(cycles(b.Counts)-cycles(a.Counts)) / result.Seconds
		return nil
	})
}

// idle measures what connections at rest cost in memory: the slope between the
// first level and the last.
func (r *run) idle(ctx context.Context, f *fleet, result *Result) error {
	opened := 0
	for _, n := range r.Connections {
		if err := f.connect(ctx, f.conns[opened:n]); err != nil {
			return err
		}
		opened = n
		level := Level{Connections: n}
		err := f.during(ctx, (*worker).hold, func(ctx context.Context) (err error) {
			level.RSS, level.Settled, err = r.settle(ctx)
			return err
		})
		if err != nil {
			return err
		}
		result.Levels = append(result.Levels, level)
	}
	first, last := result.Levels[0], result.Levels[len(result.Levels)-1]
	result.BytesPerConnection = float64(last.RSS-first.RSS) / float64(last.Connections-first.Connections)
	return nil
}

// settle waits until the gateway's memory stops changing.
func (r *run) settle(ctx context.Context) (rss int64, settled bool, err error) {
	var samples []int64
	for len(samples) < r.mostSamples {
		rss, err := resident(r.PID)
		if err != nil {
			return 0, false, err
		}
		samples = append(samples, rss)
		if n := len(samples); n >= r.calmSamples && calm(samples[n-r.calmSamples:]) {
			return rss, true, nil
		}
		if err := pause(ctx, r.sampleEvery); err != nil {
			return 0, false, fmt.Errorf("memory: %w", err)
		}
	}
	return samples[len(samples)-1], false, nil
}

// calm reports whether samples of memory differ by less than 64 KiB.
func calm(samples []int64) bool {
	return slices.Max(samples)-slices.Min(samples) < 64<<10
}
