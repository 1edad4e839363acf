package load

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// durably is span for messages that are counted when they are acknowledged and
// delivered, beside what the log did meanwhile.
func (r *run) durably(result *Result) func(context.Context, *fleet, time.Duration) (a, b moment, err error) {
	return func(ctx context.Context, f *fleet, from time.Duration) (a, b moment, err error) {
		if err = pause(ctx, from-f.now()); err != nil {
			return
		}
		before, ok1 := r.logCounts(ctx)
		if a, b, err = r.span(ctx, f, f.now()); err != nil {
			return
		}
		after, ok2 := r.logCounts(ctx)
		seconds := (b.at - a.at).Seconds()
		if ok1 && ok2 {
			result.Log = between(before, after, seconds)
		}
		result.Whole = float64(b.Whole-a.Whole) / seconds
		result.Durable = float64(b.Durable-a.Durable) / seconds
		return
	}
}

// logCounts asks the gateway; false if it does not say.
func (r *run) logCounts(ctx context.Context) (logCounts, bool) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/metrics", r.target.addr), nil)
	if err != nil {
		return logCounts{}, false
	}
	req.Close = true
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return logCounts{}, false
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || resp.StatusCode != http.StatusOK {
		return logCounts{}, false
	}
	return parseLogCounts(string(text))
}

// pending sends messages to recipients that are not there, and measures what
// the gateway holds when all are answered.
func (r *run) pending(ctx context.Context, f *fleet, m measurement, result *Result) error {
	t, err := r.traffic(f, m)
	if err != nil {
		return err
	}
	if err := f.connect(ctx, f.conns); err != nil {
		return err
	}
	f.traffic = t
	return f.during(ctx, (*worker).exchange, func(ctx context.Context) error {
		a, err := r.moment(f)
		if err != nil {
			return err
		}
		if err := r.allAnswered(ctx, f); err != nil {
			return err
		}
		b, err := r.moment(f)
		if err != nil {
			return err
		}
		result.between(a, b, func(c Counts) uint64 { return c.Acked })
		if err := f.drain(ctx, r.quiet, r.limit); err != nil {
			return err
		}
		p := &Backlog{Messages: f.counts().Acked, Recipients: r.Recipients}
		if p.RSS, p.Settled, err = r.settle(ctx); err != nil {
			return err
		}
		p.Payload = p.Messages * uint64(r.Payload)
		p.Ratio = float64(p.RSS) / (1.3*float64(p.Payload) + 64e6)
		result.Backlog = p
		return nil
	})
}

// allAnswered waits until all messages of a fixed number are answered, or
// nothing has been for the time of quiet.
func (r *run) allAnswered(ctx context.Context, f *fleet) error {
	moved, last := f.now(), f.counts()
	for f.now()-moved < r.quiet {
		c := f.counts()
		if c.Acked+c.Refused >= uint64(r.Messages) {
			return nil
		}
		if c != last {
			moved, last = f.now(), c
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
