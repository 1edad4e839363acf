package load

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	// newcomerEvery is how often a client comes while the gateway is attacked, and
	// newcomerPatience how long it takes to give up.
	newcomerEvery    = 20 * time.Millisecond
	newcomerPatience = 2 * time.Second
	// rssEvery is how often the gateway's memory is looked at meanwhile.
	rssEvery = 50 * time.Millisecond
)

// assault measures messages while the gateway is attacked.
func (r *run) assault(ctx context.Context, f *fleet, m measurement, result *Result) error {
	// The loops of the attacker and of the workers take a processor of Go's each for
	// themselves; the newcomers must not wait for one.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.NumCPU() + r.Workers + 1))
	outcome := &Assault{Name: m.attack.name}
	result.Assault = outcome
	return r.exchange(ctx, f, m, result, func(ctx context.Context, f *fleet, from time.Duration) (a, b moment, err error) {
		k, err := newAttacker(r.target, m.attack)
		if err != nil {
			return
		}
		if outcome.Before, err = residentNow(r.PID); err != nil {
			return
		}
		var stop atomic.Bool
		var all sync.WaitGroup
		var failed error
		all.Go(func() { failed = k.run(&stop) })
		defer func() {
			stop.Store(true)
			all.Wait()
			if err == nil {
				err = failed
			}
			outcome.figure(k)
		}()
		watching, over := context.WithCancel(ctx)
		defer over()
		if err = pause(ctx, from-f.now()); err != nil {
			return
		}
		arrivals := newNewcomers(r.target, r.group())
		all.Go(func() { arrivals.run(watching) })
		all.Go(func() { outcome.watch(watching, r.PID) })
		a, b, err = r.span(ctx, f, from)
		outcome.Held = k.held.Load()
		over()
		arrivals.all.Wait()
		outcome.Newcomers = arrivals.figure()
		return
	})
}

// faults says what came out wrong: clients that cannot come in are as bad as
// messages that are lost.
func (r *Result) faults(copies int) []string {
	all := r.Totals.faults(copies)
	if o := r.Assault; o != nil && o.Newcomers.Failed > 0 {
		all = append(all, fmt.Sprintf("newcomers not let in within %v: %d", newcomerPatience, o.Newcomers.Failed))
		r.Why = o.Newcomers.Why
	}
	return all
}

// watch notes the most memory that the gateway takes until ctx ends.
func (o *Assault) watch(ctx context.Context, pid int) {
	for pause(ctx, rssEvery) == nil {
		if rss, err := residentNow(pid); err == nil {
			o.Peak = max(o.Peak, rss)
		}
	}
}

// figure fills in what the attacker has counted.
func (o *Assault) figure(k *attacker) {
	o.Opened, o.Ended = k.opened.Load(), k.ended.Load()
	for hundreds := range k.answers {
		if n := k.answers[hundreds].Load(); n > 0 {
			if o.Answers == nil {
				o.Answers = map[string]uint64{}
			}
			o.Answers[fmt.Sprintf("%dxx", hundreds)] = n
		}
	}
}

// residentNow is resident without the walk over the pages, which would hold the
// gateway up.
func residentNow(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("memory: %w", err)
	}
	return parseKilobytes(string(text), "VmRSS:")
}

// newcomers are clients that come one after the other, and leave at once.
type newcomers struct {
	target target
	name   string
	all    sync.WaitGroup

	mu     sync.Mutex // guards what follows
	took   *hdrhistogram.Histogram
	failed uint64
	why    error // the first failure
}

func newNewcomers(t target, name string) *newcomers {
	return &newcomers{target: t, name: name, took: hdrhistogram.New(1000, int64(time.Minute), 3)}
}

func (n *newcomers) run(ctx context.Context) {
	n.all.Add(1)
	defer n.all.Done()
	for i := 0; pause(ctx, newcomerEvery) == nil; i++ {
		n.all.Go(func() {
			began := time.Now()
			err := n.come(fmt.Sprintf("%s-new-%d", n.name, i))
			n.mu.Lock()
			defer n.mu.Unlock()
			if err == nil {
				err = n.took.RecordValue(int64(time.Since(began)))
			}
			if err != nil {
				n.failed++
				if n.why == nil {
					n.why = err
				}
			}
		})
	}
}

// come connects as a client and reads the answer to its handshake.
func (n *newcomers) come(client string) error {
	c, err := net.DialTimeout("tcp", n.target.addr.String(), newcomerPatience)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(newcomerPatience))
	if _, err := c.Write(n.target.appendUpgrade(nil, client, false)); err != nil {
		return err
	}
	var b []byte
	for part := make([]byte, 4096); ; {
		got, err := c.Read(part)
		b = append(b, part[:got]...)
		if end, wrong := parseUpgrade(b, false); wrong != nil || end > 0 {
			return wrong
		}
		if err != nil {
			return err
		}
	}
}

func (n *newcomers) figure() Newcomers {
	n.mu.Lock()
	defer n.mu.Unlock()
	ms := func(p float64) float64 { return float64(n.took.ValueAtPercentile(p)) / 1e6 }
	f := Newcomers{Count: n.took.TotalCount(), Failed: n.failed, P50: ms(50), P99: ms(99)}
	if n.why != nil {
		f.Why = n.why.Error()
	}
	return f
}
