package upstream

import (
	"context"
	"hash/maphash"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

// Upstream is one service and what waits for it. It outlives the generations
// that declare it alike.
type Upstream struct {
	name     string
	settings Settings
	secret   []byte // of the signature; nil for none
	log      *slog.Logger
	tally    *tally
	gate     *gate
	client   *http.Client
	lanes    []*lane
	seed     maphash.Seed

	queued atomic.Int64 // posts that it has, those being made included
	bytes  atomic.Int64
	shut   atomic.Bool
	empty  chan struct{} // gets a token when it has none any more

	ctx     context.Context // ends when what is left is given up
	cancel  context.CancelFunc
	hurry   chan struct{} // closed when nothing is to linger any more
	workers sync.WaitGroup
	why     atomic.Pointer[string] // the reason for giving up what is left
	said    struct {
		sync.Mutex
		last       time.Time // that something was logged of posts that were given up
		suppressed int       // since then
	}

	// The registry's, guarded by its lock.
	key      string
	users    int // generations
	draining bool
}

// newUpstream makes an Upstream and starts its workers. A nil transport is the
// network.
func newUpstream(d *Desc, key string, t *tally, log *slog.Logger, transport http.RoundTripper) *Upstream {
	s := d.Settings
	u := &Upstream{
		name: d.Name, key: key, settings: s, log: log, tally: t, gate: newGate(s.Breaker, s.Cooldown),
		seed: maphash.MakeSeed(), empty: make(chan struct{}, 1), hurry: make(chan struct{}),
	}
	if d.Secret != "" {
		u.secret = []byte(d.Secret)
	}
	u.ctx, u.cancel = context.WithCancel(context.Background())
	if transport == nil {
		transport = network(&s)
	}
	u.client = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for range s.Concurrency {
		l := &lane{up: u, signal: make(chan struct{}, 1), most: s.Batch}
		u.lanes = append(u.lanes, l)
		u.workers.Go(l.run)
	}
	return u
}

// network is HTTP/1.1 with as many connections as there are workers. It takes no
// proxy from the environment: the addresses that are checked are the upstream's.
func network(s *Settings) *http.Transport {
	dialer := &net.Dialer{Timeout: s.Timeout, KeepAlive: 15 * time.Second}
	if !s.AllowInternal {
		dialer.Control = checkDial
	}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    s.Timeout,
		MaxConnsPerHost:        s.Concurrency + 1, // one may be on its way out
		MaxIdleConnsPerHost:    s.Concurrency,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
	}
}

// Offer is core.PostQueue.
func (u *Upstream) Offer(p *core.Post) bool {
	size := cost(p)
	posts, bytes := u.queued.Add(1), u.bytes.Add(size)
	if posts > int64(u.settings.Queue) || bytes > int64(u.settings.QueueBytes) || u.shut.Load() {
		u.done(1, size)
		u.tally.refused.Add(1)
		return false
	}
	u.lanes[u.laneOf(p.From)].push(p)
	return true
}

// cost is what a post takes of the bound on bytes.
func cost(p *core.Post) int64 { return int64(len(p.Body) + len(p.ID) + postCost) }

func (u *Upstream) laneOf(from string) int {
	if len(u.lanes) == 1 {
		return 0
	}
	return int(maphash.String(u.seed, from) % uint64(len(u.lanes)))
}

// done counts posts out that are given back.
func (u *Upstream) done(posts, bytes int64) {
	u.bytes.Add(-bytes)
	if u.queued.Add(-posts) == 0 {
		select {
		case u.empty <- struct{}{}:
		default:
		}
	}
}

// drained waits until nothing waits any more; false if ctx ended first.
func (u *Upstream) drained(ctx context.Context) bool {
	for u.queued.Load() > 0 {
		select {
		case <-u.empty:
		case <-ctx.Done():
			return u.queued.Load() == 0
		}
	}
	select {
	case u.empty <- struct{}{}: // for another one who waits
	default:
	}
	return true
}

// close ends the workers; what is left is given up for this reason. It takes no
// post any more.
func (u *Upstream) close(why string) {
	u.why.Store(&why)
	u.shut.Store(true)
	u.cancel()
	u.workers.Wait()
	u.client.CloseIdleConnections()
}
