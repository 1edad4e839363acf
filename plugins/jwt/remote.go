package jwt

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

const (
	// askAgain is how long after a fetch an unknown kid does not cause another one.
	askAgain = 10 * time.Second
	// askWait is how long a client waits for a fetch.
	askWait = 3 * time.Second
	// firstRetry and lastRetry are the back-off after fetches that failed.
	firstRetry = time.Second
	lastRetry  = 5 * time.Minute
)

// fetched is one stage's view of a key set with an address.
type fetched struct {
	url        string
	algorithms []string
	env        *core.Env
	set        *remote // from start on
}

// remotes are the key sets that the gateway looks after, by address. Stages of
// several generations share one, so that a save does not lose its keys.
type remotes struct {
	mu    sync.Mutex // held while a first fetch runs: only start and stop take it
	byURL map[string]*remote
}

func (f *fetched) remotes() *remotes {
	return f.env.State("jwt", func() any { return &remotes{byURL: map[string]*remote{}} }).(*remotes)
}

// start gets the keys, unless another stage has them already.
func (f *fetched) start(ctx context.Context) error {
	all := f.remotes()
	all.mu.Lock()
	defer all.mu.Unlock()
	r := all.byURL[f.url]
	if r == nil {
		r = newRemote(f.url, f.env.Log, fetch)
		if err := r.begin(ctx); err != nil {
			return fmt.Errorf("jwks %s: %w", f.url, err)
		}
	}
	if known := *r.keys.Load(); !slices.ContainsFunc(f.algorithms, func(a string) bool { return known.find("", a) != nil }) {
		if r.users == 0 {
			r.finish()
		}
		return fmt.Errorf("jwks %s: none of its keys fits any of the algorithms", f.url)
	}
	all.byURL[f.url] = r
	r.users++
	f.set = r
	return nil
}

func (f *fetched) stop() {
	if f.set == nil {
		return
	}
	all := f.remotes()
	all.mu.Lock()
	defer all.mu.Unlock()
	if f.set.users--; f.set.users == 0 {
		delete(all.byURL, f.url)
		f.set.finish()
	}
}

// refresh fetches the set, unless that was done a moment ago.
func (f *fetched) refresh() {
	if f.set != nil {
		_, _ = f.set.ask() // nobody waits here
	}
}

func (f *fetched) find(ctx context.Context, id, algorithm string) ([]any, error) {
	if f.set == nil {
		return nil, fmt.Errorf("jwks %s has not been fetched", f.url)
	}
	return f.set.find(ctx, id, algorithm)
}

// remote is a key set that is fetched in the background and when a token names a
// key that it does not hold. While that fails the last good keys stay.
type remote struct {
	url   string
	log   *slog.Logger
	get   func(ctx context.Context, url string) (keys, time.Duration, error)
	keys  atomic.Pointer[keys]
	users int // stages; guarded by remotes.mu

	asked chan struct{} // somebody waits for a fetch
	end   context.CancelFunc
	ended chan struct{} // closed when nothing is fetched any more

	mu      sync.Mutex    // guards what follows
	last    time.Time     // when the last fetch began
	waiting chan struct{} // closed when the fetch that is due or runs has ended; nil for none
}

func newRemote(url string, log *slog.Logger, get func(context.Context, string) (keys, time.Duration, error)) *remote {
	return &remote{url: url, log: log, get: get, asked: make(chan struct{}, 1), ended: make(chan struct{})}
}

// begin fetches the set and looks after it from then on, until finish.
func (r *remote) begin(ctx context.Context) error {
	r.last = time.Now()
	all, age, err := r.get(ctx, r.url)
	if err != nil {
		return err
	}
	r.keys.Store(&all)
	life, cancel := context.WithCancel(context.Background())
	r.end = cancel
	go r.run(life, age)
	return nil
}

// finish ends the looking after, and waits for that.
func (r *remote) finish() {
	r.end()
	<-r.ended
}

// run fetches the set when its age is over or somebody asks.
func (r *remote) run(ctx context.Context, age time.Duration) {
	defer close(r.ended)
	retry := firstRetry
	for {
		// Gateways that began together do not stay together.
		timer := time.NewTimer(age - rand.N(age/10+1))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-r.asked:
			timer.Stop()
		}
		done := r.fetching()
		all, next, err := r.get(ctx, r.url)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			age = retry/2 + rand.N(retry)
			retry = min(2*retry, lastRetry)
			r.log.Error("the key set cannot be fetched: the keys from before stay", "jwks", r.url, "error", err, "again_in", age.Round(time.Millisecond).String())
		default:
			if before := len(*r.keys.Load()); before != len(all) {
				r.log.Info("the key set has changed", "jwks", r.url, "keys", len(all), "before", before)
			}
			r.keys.Store(&all)
			age, retry = next, firstRetry
		}
		done()
	}
}

// fetching notes that a fetch begins: who asks from now on waits for it. done
// tells all who do.
func (r *remote) fetching() (done func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = time.Now()
	if r.waiting == nil {
		r.waiting = make(chan struct{})
	}
	select {
	case <-r.asked:
	default:
	}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		close(r.waiting)
		r.waiting = nil
	}
}

// find returns the keys with this kid, after a fetch if there is none.
func (r *remote) find(ctx context.Context, id, algorithm string) ([]any, error) {
	if found := r.keys.Load().find(id, algorithm); found != nil || id == "" || r.keys.Load().holds(id) {
		return found, nil
	}
	wait, later := r.ask()
	if wait == nil {
		return nil, unsure(later)
	}
	timer := time.NewTimer(askWait)
	defer timer.Stop()
	select {
	case <-wait:
		return r.keys.Load().find(id, algorithm), nil
	case <-r.ended:
	case <-timer.C:
	case <-ctx.Done():
	}
	return nil, unsure(askWait)
}

// unsure is the answer to a token whose key may be a new one.
func unsure(later time.Duration) error {
	return &core.Denial{
		Status: http.StatusServiceUnavailable, Code: "unknown_key",
		Text:       "the token is signed with a key that this gateway does not know, and it cannot ask the issuer for new ones at the moment",
		RetryAfter: max(later, time.Second),
	}
}

// ask has the set fetched, and returns what is closed when that is done; nil while
// it is too early for another fetch, and for how long.
func (r *remote) ask() (done <-chan struct{}, later time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting == nil {
		if since := time.Since(r.last); since < askAgain {
			return nil, askAgain - since
		}
		r.waiting = make(chan struct{})
		select {
		case r.asked <- struct{}{}:
		default:
		}
	}
	return r.waiting, 0
}

// holds reports whether a key has this kid: then its algorithm is another one, and
// a fetch would not change that.
func (all keys) holds(id string) bool {
	return slices.ContainsFunc(all, func(k key) bool { return k.id == id })
}
