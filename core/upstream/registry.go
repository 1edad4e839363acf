package upstream

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

// State is the name of the gateway's Registry in core.Env.State.
const State = "upstream"

// Max is how many upstreams a generation may declare.
const Max = 64

// drainTime is how long what waits for an upstream that no generation declares
// any more is still posted.
const drainTime = 30 * time.Second

// Registry has the upstreams of the generations in use.
type Registry struct {
	log       *slog.Logger
	transport http.RoundTripper // nil for the network; tests have others

	mu      sync.Mutex
	ups     []*Upstream // running ones, the newest last
	tallies map[string]*tally
	closed  bool
	drains  sync.WaitGroup
}

// NewRegistry makes an empty registry.
func NewRegistry(log *slog.Logger) *Registry {
	return &Registry{log: log, tallies: map[string]*tally{}}
}

// Desc is what an upstream is declared with.
type Desc struct {
	Name     string
	Settings Settings
	Secret   string // what Settings.SecretEnv holds
}

// key is equal for upstreams that are one.
func (d *Desc) key() string { return fmt.Sprintf("%s %#v", d.Name, d.Settings) } // maps print in the order of their keys

// Set is the upstreams that one generation declares.
type Set struct {
	registry *Registry
	descs    []Desc
	handles  []*handle
}

// handle is an upstream as the programs of one generation have it.
type handle struct{ live atomic.Pointer[Upstream] }

// Offer is core.PostQueue. Before the generation is started there is no room.
func (h *handle) Offer(p *core.Post) bool {
	u := h.live.Load()
	return u != nil && u.Offer(p)
}

// NewSet makes a set, which is not started. The settings are those that Read
// accepted.
func (r *Registry) NewSet(descs []Desc) *Set {
	s := &Set{registry: r, descs: descs}
	for range descs {
		s.handles = append(s.handles, &handle{})
	}
	return s
}

// Upstreams is the set for a program.
func (s *Set) Upstreams() []core.Upstream {
	all := make([]core.Upstream, len(s.descs))
	for i := range s.descs {
		d := &s.descs[i]
		all[i] = core.Upstream{
			Name: d.Name, Queue: s.handles[i],
			Connects: d.Settings.wants(eventConnect), Disconnects: d.Settings.wants(eventDisconnect),
		}
		all[i].DeadLetter, _ = d.Settings.deadLetter() // Read has accepted it
	}
	return all
}

// Start takes over the upstreams that run under the same names and settings, with
// what waits for them, and starts the others.
func (s *Set) Start(context.Context) error {
	r := s.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range s.descs {
		if d := &s.descs[i]; d.Settings.SecretEnv != "" && d.Secret == "" {
			return fmt.Errorf("upstream %q: secret_env: the environment variable %s is not set, and posts would not be signed", d.Name, d.Settings.SecretEnv)
		}
	}
	for i := range s.descs {
		s.handles[i].live.Store(r.use(&s.descs[i]))
	}
	return nil
}

// use returns the upstream of this description, with one user more. The caller
// holds r.mu.
func (r *Registry) use(d *Desc) *Upstream {
	key := d.key()
	for _, u := range r.ups {
		if u.key == key {
			u.users++
			u.draining = false
			return u
		}
	}
	t := r.tallies[d.Name]
	if t == nil {
		r.forget()
		t = &tally{}
		r.tallies[d.Name] = t
	}
	t.letters = d.Settings.DeadLetter != ""
	u := newUpstream(d, key, t, r.log, r.transport)
	u.users = 1
	r.ups = append(r.ups, u)
	return u
}

// forget drops the counts of names that nothing runs under, when there are very
// many: scripts may make up names. The caller holds r.mu.
func (r *Registry) forget() {
	if len(r.tallies) < 4*Max {
		return
	}
	for name := range r.tallies {
		if !slices.ContainsFunc(r.ups, func(u *Upstream) bool { return u.name == name }) {
			delete(r.tallies, name)
		}
	}
}

// Stop lets go of the upstreams. One that no set uses any more is drained, in the
// background.
func (s *Set) Stop(context.Context) error {
	r := s.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range s.handles {
		u := h.live.Load()
		if u == nil {
			continue
		}
		if u.users--; u.users == 0 && !r.closed {
			u.draining = true
			r.drains.Go(func() { r.drain(u) })
		}
	}
	return nil
}

// drain closes an upstream when nothing waits for it any more, or it takes too
// long; unless it is used again.
func (r *Registry) drain(u *Upstream) {
	ctx, cancel := context.WithTimeout(u.ctx, drainTime)
	defer cancel()
	u.drained(ctx)
	r.mu.Lock()
	last := u.users == 0 && u.draining && slices.Contains(r.ups, u)
	if last {
		r.ups = slices.DeleteFunc(r.ups, func(o *Upstream) bool { return o == u })
	}
	r.mu.Unlock()
	if last {
		if n := u.queued.Load(); n > 0 {
			r.log.Warn("an upstream that the scripts do not name any more did not take what waited for it in time: it is given up",
				"upstream", u.name, "messages", n, "within", drainTime.String())
		}
		u.close("the scripts do not name the upstream any more")
	}
}

// Close posts what waits, until ctx ends, gives up the rest and ends all workers.
// It returns how many messages were given up. Sets may be stopped afterwards.
func (r *Registry) Close(ctx context.Context) (lost int) {
	r.mu.Lock()
	ups := r.ups
	r.ups, r.closed = nil, true
	r.mu.Unlock()
	for _, u := range ups {
		close(u.hurry)
	}
	var wait sync.WaitGroup
	var left atomic.Int64
	for _, u := range ups {
		wait.Go(func() {
			u.drained(ctx)
			left.Add(u.queued.Load())
			u.close("the gateway has shut down")
		})
	}
	wait.Wait()
	r.drains.Wait()
	return int(left.Load())
}
