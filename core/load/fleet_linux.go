package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"
)

// The course of a phase.
const (
	running  int32 = iota
	draining       // nothing new is sent, what is out still comes in
	ended
)

// fleet is the connections of one measurement and the workers that run them.
type fleet struct {
	target  target
	start   time.Time
	workers []*worker
	conns   []*conn // by id
	phase   atomic.Int32

	// Set before a phase that needs them.
	traffic *traffic
	join    string // the frame with which those that receive join a group
	// reliable says that all clients are; set before the first is dialled.
	reliable bool
}

// newFleet makes n connections, none of them dialled, on that many workers;
// client names them. Connections 2i and 2i+1 share a worker.
func newFleet(t target, n, workers int, client func(id int) string) (*fleet, error) {
	f := &fleet{target: t, start: time.Now()}
	for i := range workers {
		w, err := newWorker(f, i)
		if err != nil {
			f.close()
			return nil, err
		}
		f.workers = append(f.workers, w)
	}
	run := rand.Uint32()
	for id := range n {
		w := f.workers[id/2%workers]
		c := &conn{id: id, client: client(id), origin: originOf(run, id), worker: w}
		w.conns = append(w.conns, c)
		f.conns = append(f.conns, c)
	}
	return f, nil
}

// now is the time since the fleet was made.
func (f *fleet) now() time.Duration { return time.Since(f.start) }

// close ends all connections.
func (f *fleet) close() {
	for _, c := range f.conns {
		if c.state != shut {
			unix.Close(c.fd)
		}
	}
	for _, w := range f.workers {
		w.close()
	}
}

// enter moves the phase on and tells the workers.
func (f *fleet) enter(phase int32) {
	f.phase.Store(phase)
	for _, w := range f.workers {
		w.wake()
	}
}

// during runs a phase: work on every worker, and meanwhile watch, whose end ends
// the phase. A worker that fails ends it too, as does ctx; watch sees both in
// its own ctx. A nil watch leaves the end to the workers.
func (f *fleet) during(ctx context.Context, work func(*worker) error, watch func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f.phase.Store(running)
	unhooked := make(chan struct{})
	unhook := context.AfterFunc(ctx, func() {
		f.enter(ended)
		close(unhooked)
	})
	defer func() {
		if !unhook() {
			<-unhooked // it rings bells that the caller may close
		}
	}()
	var all sync.WaitGroup
	for _, w := range f.workers {
		all.Go(func() {
			pin()
			if err := work(w); err != nil {
				cancel(err)
			}
			w.publish()
		})
	}
	var err error
	if watch != nil {
		err = watch(ctx)
		f.enter(ended)
	}
	all.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// connect opens some of the connections.
func (f *fleet) connect(ctx context.Context, conns []*conn) error {
	return f.during(ctx, func(w *worker) error { return w.connect(conns) }, nil)
}

// counts adds up what the workers have counted up to their last turns.
func (f *fleet) counts() (sum Counts) {
	for _, w := range f.workers {
		w.mu.Lock()
		sum.add(&w.seen)
		w.mu.Unlock()
	}
	return sum
}

// silent reports whether no worker sends messages any more in this phase, so
// that counts taken from now on hold all that was sent.
func (f *fleet) silent() bool {
	for _, w := range f.workers {
		w.mu.Lock()
		silent := w.silent
		w.mu.Unlock()
		if !silent {
			return false
		}
	}
	return true
}

// why is the first explanation that a worker noted; only between phases.
func (f *fleet) why() string {
	for _, w := range f.workers {
		if w.why != "" {
			return w.why
		}
	}
	return ""
}

// time makes all workers time what is due between from and until.
func (f *fleet) time(from, until time.Duration) {
	for _, w := range f.workers {
		w.time(from, until)
	}
}

// latency merges what the workers timed, or of that what was due while a save
// went live; only between phases.
func (f *fleet) latency(saving bool) *Latency {
	var all *hdrhistogram.Histogram
	for _, w := range f.workers {
		h := w.latency
		if saving {
			h = w.saving
		}
		switch {
		case h == nil:
		case all == nil:
			all = h
		default:
			all.Merge(h)
		}
	}
	if all == nil || all.TotalCount() == 0 {
		return nil
	}
	ms := func(ns int64) float64 { return float64(ns) / 1e6 }
	at := func(p float64) float64 { return ms(all.ValueAtPercentile(p)) }
	return &Latency{all.TotalCount(), at(50), at(90), at(99), at(99.9), ms(all.Max())}
}

// pause waits, or returns early with ctx's error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// drain waits until all that was sent is answered and delivered, or until
// nothing has come for the time of quiet, or for limit at most; then a moment
// longer, since a copy too many comes last.
func (f *fleet) drain(ctx context.Context, quiet, limit time.Duration) error {
	f.enter(draining)
	began := f.now()
	moved, last := began, f.counts()
	for f.now()-moved < quiet && f.now()-began < limit {
		silent, c := f.silent(), f.counts()
		if silent && !c.outstanding(f.traffic.copies) {
			break
		}
		if c != last {
			moved, last = f.now(), c
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	return pause(ctx, min(quiet, 200*time.Millisecond))
}

// descriptors refuses what the process may not open.
func descriptors(n int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("descriptor limit: %w", err)
	}
	const spare = 64
	if uint64(n)+spare > limit.Cur {
		return fmt.Errorf("connections: %d need more descriptors than the %d this process may open (ulimit -n)", n, limit.Cur)
	}
	return nil
}
