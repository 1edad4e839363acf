package token

import (
	"context"
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
	// maxAsking is how many clients wait at once; each holds a connection that
	// others may need.
	maxAsking = 256
	// firstRetry and lastRetry are the back-off after fetches that failed.
	firstRetry = time.Second
	lastRetry  = 5 * time.Minute
)

// Remote is a key set that is fetched in the background and when a token names a
// key that it does not hold. While that fails the last good keys stay.
type Remote struct {
	url  string
	log  *slog.Logger
	get  func(ctx context.Context, url string) (Keys, time.Duration, error)
	keys atomic.Pointer[Keys] // never nil

	asking  atomic.Int32 // clients that wait for a fetch
	failing atomic.Bool  // the last fetch has failed

	asked chan struct{} // somebody waits for a fetch
	end   context.CancelFunc
	ended chan struct{} // closed when nothing is fetched any more

	mu      sync.Mutex    // guards what follows
	last    time.Time     // when the last fetch began
	waiting chan struct{} // closed when the fetch that is due or runs has ended; nil for none
}

// NewRemote is the key set at an address that CheckURL has nothing against. accept
// says what is wrong with its keys, which are not taken then; nil for nothing.
func NewRemote(url string, accept func(Keys) error, log *slog.Logger) *Remote {
	return newRemote(url, log, func(ctx context.Context, url string) (Keys, time.Duration, error) {
		all, age, err := fetch(ctx, url)
		if err == nil && accept != nil {
			err = accept(all)
		}
		return all, age, err
	})
}

func newRemote(url string, log *slog.Logger, get func(context.Context, string) (Keys, time.Duration, error)) *Remote {
	r := &Remote{url: url, log: log, get: get, asked: make(chan struct{}, 1), ended: make(chan struct{})}
	r.keys.Store(&Keys{})
	return r
}

// Start fetches the set and looks after it from then on, until Stop.
func (r *Remote) Start(ctx context.Context) error {
	r.last = time.Now()
	all, age, err := r.get(ctx, r.url)
	if err != nil {
		return err
	}
	r.keys.Store(&all)
	r.follow(age)
	return nil
}

// StartEmpty is Start without waiting for the set, which is fetched in so long for
// the first time, also after a Start that failed. Until it is there, no token can be
// checked.
func (r *Remote) StartEmpty(in time.Duration) { r.follow(in) }

func (r *Remote) follow(age time.Duration) {
	life, cancel := context.WithCancel(context.Background())
	r.end = cancel
	go r.run(life, age)
}

// Stop ends the looking after, and waits for that.
func (r *Remote) Stop() {
	r.end()
	<-r.ended
}

// Keys are those that were fetched last.
func (r *Remote) Keys() Keys { return *r.keys.Load() }

// Reload has the set fetched soon, unless it was a moment ago.
func (r *Remote) Reload() { r.ask() }

// run fetches the set when its age is over or somebody asks.
func (r *Remote) run(ctx context.Context, age time.Duration) {
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
			r.failing.Store(true)
			age = retry/2 + rand.N(retry)
			retry = min(2*retry, lastRetry)
			what := "the key set cannot be fetched: the keys from before stay"
			if len(r.Keys()) == 0 {
				what = "THE KEY SET CANNOT BE FETCHED, AND THERE ARE NO KEYS FROM BEFORE: every token is refused until it is there"
			}
			r.log.Error(what, "jwks", r.url, "error", err, "again_in", age.Round(time.Millisecond).String())
		default:
			if before := len(r.Keys()); before != len(all) {
				r.log.Info("the key set has changed", "jwks", r.url, "keys", len(all), "before", before)
			}
			r.keys.Store(&all)
			r.failing.Store(false)
			age, retry = next, firstRetry
		}
		done()
	}
}

// fetching notes that a fetch begins: who asks from now on waits for it. done
// tells all who do.
func (r *Remote) fetching() (done func()) {
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

// Find returns the keys with this kid, after a fetch if there is none.
func (r *Remote) Find(ctx context.Context, id, algorithm string) ([]any, error) {
	all := r.Keys()
	if found := all.find(id, algorithm); len(all) > 0 && (found != nil || id == "" || all.holds(id)) {
		return found, nil
	}
	defer r.asking.Add(-1)
	if r.asking.Add(1) > maxAsking {
		return nil, r.unsure(askWait)
	}
	wait, later := r.ask()
	if wait == nil {
		return nil, r.early(later)
	}
	timer := time.NewTimer(askWait)
	defer timer.Stop()
	select {
	case <-wait:
		found := r.Keys().find(id, algorithm)
		if found != nil || !r.failing.Load() {
			return found, nil
		}
	case <-r.ended:
	case <-timer.C:
	case <-ctx.Done():
	}
	return nil, r.unsure(askWait)
}

// unsure is the answer to a token whose key may be a new one, or where no keys are
// there yet.
func (r *Remote) unsure(later time.Duration) error {
	d := &core.Denial{
		Status: http.StatusServiceUnavailable, Code: "unknown_key",
		Text:       "the token is signed with a key that this gateway does not know, and it cannot ask the issuer for new ones at the moment",
		RetryAfter: max(later, time.Second),
	}
	if len(r.Keys()) == 0 {
		d.Code, d.Text = "unavailable", "the gateway has not got the issuer's keys yet, and can check no token"
	}
	return d
}

// early is the answer to a token whose key is not in a set that may not be asked for
// again yet. If that was fetched, the answer is no, as of a moment ago: but the issuer
// may have begun with a new key since, and while strangers name keys that there are
// not, a client with that one comes too early each time. So the no has a Retry-After.
// A client that does not see it and gives up after some refusals has to try for longer
// than askAgain: the set that it meets then was fetched after its first try.
func (r *Remote) early(later time.Duration) error {
	if r.failing.Load() || len(r.Keys()) == 0 {
		return r.unsure(later)
	}
	return &core.Denial{
		Status: http.StatusUnauthorized, Code: "unknown_key",
		Text:       "the token is signed with a key that was not in the issuer's key set a moment ago; if the key is a new one, try again a little later",
		RetryAfter: max(later, time.Second),
	}
}

// ask has the set fetched, and returns what is closed when that is done; nil while
// it is too early for another fetch, and for how long.
func (r *Remote) ask() (done <-chan struct{}, later time.Duration) {
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
func (all Keys) holds(id string) bool {
	return slices.ContainsFunc(all, func(k key) bool { return k.id == id })
}
