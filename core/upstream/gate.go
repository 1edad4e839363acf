package upstream

import (
	"context"
	"sync"
	"time"
)

// gate is what the workers of one upstream pass before each post: a circuit
// breaker, and the pause that the upstream has asked for. Only workers wait here.
type gate struct {
	most     int           // failures in a row that open the breaker; 0 for never
	cooldown time.Duration // for which it is open

	mu       sync.Mutex
	state    breakerState
	failures int           // in a row
	opens    time.Time     // when the next probe may be made, while it is open
	paused   time.Time     // until when nothing is posted
	changed  chan struct{} // closed when any of this has changed
}

// breakerState is how the breaker of an upstream stands.
type breakerState uint8

const (
	closed   breakerState = iota // posts are made
	open                         // none is made until the cooldown is over
	halfOpen                     // one is being tried
)

func (s breakerState) String() string { return [...]string{"closed", "open", "half_open"}[s%3] }

func newGate(most int, cooldown time.Duration) *gate {
	return &gate{most: most, cooldown: cooldown, changed: make(chan struct{})}
}

// enter waits until a post may be made; false if ctx ended first. Whoever has
// entered leaves by leave or abort.
func (g *gate) enter(ctx context.Context) bool {
	for {
		wait, changed := g.tryEnter()
		if wait == 0 {
			return true
		}
		if wait < 0 { // for what another worker finds out
			select {
			case <-changed:
			case <-ctx.Done():
				return false
			}
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-changed:
		case <-ctx.Done():
			timer.Stop()
			return false
		}
		timer.Stop()
	}
}

// tryEnter returns how long to wait, -1 for as long as it takes, or 0.
func (g *gate) tryEnter() (wait time.Duration, changed <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	until := g.paused
	switch {
	case g.state == halfOpen:
		return -1, g.changed
	case g.state == open && g.opens.After(until):
		until = g.opens
	}
	if wait := time.Until(until); wait > 0 {
		return wait, g.changed
	}
	if g.state == open {
		g.state = halfOpen
	}
	return 0, g.changed
}

// leave notes how a post went, and that nothing is to be posted for pause. It
// reports what that has changed of the breaker.
func (g *gate) leave(well bool, pause time.Duration) (opened, closedAgain bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if until := now.Add(pause); pause > 0 && until.After(g.paused) {
		g.paused = until
	}
	switch {
	case well:
		closedAgain = g.state != closed
		g.state, g.failures = closed, 0
	case g.state == halfOpen:
		g.state, g.opens = open, now.Add(g.cooldown)
	default:
		if g.failures++; g.state == closed && g.most > 0 && g.failures >= g.most {
			g.state, g.opens, opened = open, now.Add(g.cooldown), true
		}
	}
	g.tell()
	return opened, closedAgain
}

// abort notes that a post was broken off from this side, which says nothing about
// the upstream.
func (g *gate) abort() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state == halfOpen {
		g.state = open
	}
	g.tell()
}

func (g *gate) tell() {
	close(g.changed)
	g.changed = make(chan struct{})
}

func (g *gate) now() breakerState {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.state
}
