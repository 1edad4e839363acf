package gateway

import (
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/stratix-gateway/stratix/core/server"
	"github.com/stratix-gateway/stratix/core/shard"
)

const (
	// maxConsoles is how many streams of Lives there may be at once.
	maxConsoles = 16
	// leastPeriod and mostPeriod bound the period of one.
	leastPeriod, mostPeriod = time.Second, time.Minute
	// sameMoment is for how long a moment is taken for the present one: what several
	// ask for at about the same time is asked of the shards once.
	sameMoment = 500 * time.Millisecond
	// backlogsEvery is how often it is looked for whom most messages wait.
	backlogsEvery = 3 * time.Second
	// consoleBeat is after how long without a Live an empty line is written, so that it
	// is noticed when the reader has gone.
	consoleBeat = 10 * time.Second
)

// consoles are the streams of Lives. While there are none, nobody takes moments and
// the shards note nothing for them.
type consoles struct {
	mu       sync.Mutex // guards what follows; held while the shards are asked
	open     int        // streams
	watching int        // of these: that the shards note something for
	last     *moment    // nil for none
	backlogs []shard.Waiting
	looked   time.Time // for these
	looking  bool
}

// console streams a Live each period: ?every=1s, from 1s to 60s.
func (g *Gateway) console(query url.Values) (server.Stream, error) {
	every, err := periodOf(query)
	if err != nil {
		return nil, err
	}
	c := &g.consoles
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == maxConsoles {
		return nil, fmt.Errorf("%w: %d consoles are open: close one of them first", server.ErrBusy, maxConsoles)
	}
	c.open++
	return func(write func([]byte) error) {
		defer func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.open--
		}()
		if g.awaitReady(every, write) {
			g.watchers(1)
			defer g.watchers(-1)
			g.follow(every, write)
		}
	}, nil
}

// awaitReady writes that the gateway recovers, until it does not any more; false
// if there is nothing to follow then.
func (g *Gateway) awaitReady(every time.Duration, write func([]byte) error) bool {
	tick := time.NewTicker(min(every, sameMoment))
	defer tick.Stop()
	var told time.Time
	for g.readiness() == isRecovering {
		if time.Since(told) >= every {
			told = time.Now()
			if write(appendLine(nil, g.recovering())) != nil {
				return false
			}
		}
		select {
		case <-tick.C:
		case <-g.ending.Done():
		}
	}
	return g.ending.Err() == nil
}

// watchers has the shards note something for one more stream, or one less.
func (g *Gateway) watchers(n int) {
	c := &g.consoles
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.watching += n; {
	case c.watching == 0:
		g.shards.Unwatch()
		c.last, c.backlogs, c.looked = nil, nil, time.Time{}
	case c.watching == 1 && n == 1:
		g.shards.Watch()
	}
}

// follow writes a Live each period, and a last one when the shutdown begins. A
// period for which write takes too long becomes one with the next.
func (g *Gateway) follow(every time.Duration, write func([]byte) error) {
	before := g.moment(sameMoment)
	tick, beat := time.NewTicker(every), time.NewTicker(consoleBeat)
	defer tick.Stop()
	defer beat.Stop()
	for before != nil {
		select {
		case <-g.ending.Done():
			if now := g.moment(0); now != nil {
				_ = write(appendLine(nil, g.live(before, now))) // there is nobody to tell
			}
			return
		case <-beat.C:
			if write([]byte{'\n'}) != nil {
				return
			}
		case <-tick.C:
			now := g.moment(sameMoment)
			if now == before {
				continue
			}
			if now == nil || write(appendLine(nil, g.live(before, now))) != nil {
				return
			}
			before = now
			beat.Reset(consoleBeat)
		}
	}
}

// moment is a moment that is not older than fresh; nil when the shards have
// stopped.
func (g *Gateway) moment(fresh time.Duration) *moment {
	c := &g.consoles
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last != nil && time.Since(c.last.at) < fresh {
		return c.last
	}
	m, ok := g.takeMoment()
	if !ok {
		return nil
	}
	if !c.looking && time.Since(c.looked) >= backlogsEvery {
		c.looking = true
		go g.lookForBacklogs()
	}
	m.backlogs = c.backlogs
	c.last = m
	return m
}

// lookForBacklogs finds for whom most messages wait, off the moments: the walk over
// the mailboxes takes as long as they are many.
func (g *Gateway) lookForBacklogs() {
	found := g.shards.Backlogs(mostShown)
	c := &g.consoles
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.looking, c.looked = false, time.Now(); c.watching > 0 {
		c.backlogs = found
	}
}

// periodOf reads the query of a console.
func periodOf(query url.Values) (time.Duration, error) {
	every := leastPeriod
	for name, values := range query {
		switch {
		case name != "every":
			return 0, fmt.Errorf("unknown parameter %q: this path takes every", name)
		case len(values) != 1:
			return 0, fmt.Errorf("%s is given %d times", name, len(values))
		}
		var err error
		if every, err = time.ParseDuration(values[0]); err != nil || every < leastPeriod || every > mostPeriod {
			return 0, fmt.Errorf("every=%q is no duration from 1s to 60s, such as 5s", values[0])
		}
	}
	return every, nil
}
