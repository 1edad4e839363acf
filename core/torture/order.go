package torture

import (
	"context"
	"sync/atomic"
	"time"
)

// order is what a client is told to do to its connection.
type order struct {
	deed deed
	last time.Duration // how long
}

type deed uint8

const (
	cut    deed = iota // reset the connection, and come back after the time
	forget             // likewise, without the epoch; for recipients
	stall              // do not read for the time
)

// client is what senders and recipients have in common.
type client struct {
	id      string
	address string
	history *History
	orders  chan order    // one at a time; more are not taken
	trouble *atomic.Value // the error of the last dial that failed
}

func newClient(id, address string, h *History) client {
	return client{id, address, h, make(chan order, 1), new(atomic.Value)}
}

// command gives the client an order, unless it has another one to follow.
func (c *client) command(o order) {
	select {
	case c.orders <- o:
	default:
	}
}

// connect dials until it succeeds; false when ctx ends before.
func (c *client) connect(ctx context.Context, protocol string) (*link, bool) {
	for delay := 5 * time.Millisecond; ctx.Err() == nil; delay = min(2*delay, 200*time.Millisecond) {
		l, err := dial(ctx, c.address, c.id, protocol)
		if err == nil {
			c.history.Add(Event{Kind: Opened, Client: c.id, Plain: protocol == ""})
			return l, true
		}
		c.trouble.Store(err.Error())
		pause(ctx, delay)
	}
	return nil, false
}

// pause waits for d, or less if ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// closed notes the end of a connection.
func (c *client) closed(why string) {
	c.history.Add(Event{Kind: Closed, Client: c.id, Text: why})
}

// why is the end of a link in words.
func why(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
