package rehearse

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/traffic"
	"github.com/stratix-gateway/stratix/core/wire"
)

// Bounds that a gateway has flags for; these are their defaults.
const (
	maxMessage      = 64 << 10 // bytes of a client's frame
	sessionLifetime = 24 * time.Hour
	dedupWindow     = 10 * time.Minute
)

// Clock is the time of a World. It stands still until it is moved.
type Clock struct{ now time.Time }

// NewClock makes a clock that shows now.
func NewClock(now time.Time) *Clock { return &Clock{now} }

// Now is what the clock shows. It is what lua.Options take.
func (c *Clock) Now() time.Time { return c.now }

// Set moves the clock, and nothing happens by that.
func (c *Clock) Set(now time.Time) { c.now = now }

// World is a gateway without sockets: made-up clients, whose messages run through
// one program and reach each other. One goroutine uses it at a time.
type World struct {
	// HookErrors are the errors of on_connect, on_disconnect and on_tick, for
	// the caller to take.
	HookErrors []error
	// Posts are what upstreams would have got so far: nothing is posted.
	Posts []Post

	program  *core.Program
	run      *Rehearsal
	parser   *wire.Parser
	clock    *Clock
	ring     *core.Ring
	clients  map[string]*Client // the connected ones
	groups   map[string][]*Client
	boxes    map[string]*mailbox
	seen     map[seenKey]seenCopy
	waiting  map[string]int64 // kept messages by sender
	held     map[uint32]*Result
	lastBeat time.Time // of on_tick
}

// NewWorld makes a World with nobody in it, whose clients' messages run through
// the first program of gen. What is kept has the bounds that its stages set.
func NewWorld(gen *core.Generation, clock *Clock) *World {
	p := gen.Programs[0]
	w := &World{
		program: p, run: New(p), parser: wire.NewParser(), clock: clock, ring: core.NewRing(),
		clients: map[string]*Client{}, groups: map[string][]*Client{}, boxes: map[string]*mailbox{},
		seen: map[seenKey]seenCopy{}, waiting: map[string]int64{}, held: map[uint32]*Result{},
		lastBeat: clock.Now(),
	}
	w.run.Trace()
	w.run.waits = true
	for _, s := range gen.Stages {
		if b, ok := s.Stage.(core.Bounder); ok {
			b.Bound(w.ring)
		}
	}
	return w
}

// Arrival is how a client connects.
type Arrival struct {
	ID       string
	Remote   netip.Addr
	Reliable bool     // as with stratix.v1; it acknowledges at once what it gets
	Groups   []string // that it is in, whatever the policy says
	Claims   []byte   // a JSON object, as of a token that was admitted; or nil
}

// Connect lets a client in, in place of one with the same ID. on_connect may
// refuse it: then Refused says why, and it is not Connected.
func (w *World) Connect(a Arrival) *Client {
	w.Settle()
	if old := w.clients[a.ID]; old != nil {
		old.leave("replaced")
	}
	c := &Client{Session: core.Session{ID: a.ID, Remote: a.Remote, Grant: traffic.Grant(a.Claims)}, world: w, Reliable: a.Reliable, Connected: true}
	w.clients[a.ID] = c
	w.attach(c)
	hello := core.Conn{Session: &c.Session}
	if err := w.program.Hooks.Connect(&hello); err != nil {
		w.HookErrors = append(w.HookErrors, err)
		hello.Refused = "the gateway's on_connect hook failed"
	}
	if hello.Refused != "" {
		c.Refused = hello.Refused
		c.leave("refused")
		return c
	}
	c.hooked = true
	w.postConnect(c)
	for _, g := range append(slices.Clone(hello.Joins), a.Groups...) {
		c.join(g)
	}
	w.feed(c)
	return c
}

// Client returns the connected client with this ID, or nil.
func (w *World) Client(id string) *Client { return w.clients[id] }

// Settle goes on with the messages that stages have given back, or have delayed
// until now.
func (w *World) Settle() {
	w.run.ResumeDue(w.millis())
	w.run.Resumed(func(order uint32, d Decision) {
		r := w.held[order]
		delete(w.held, order)
		r.Steps = append(r.Steps, w.run.Steps()...)
		w.conclude(r, d, order)
		if c := r.sender; !d.Held && c.Connected {
			c.goOn()
		}
	})
}

// Advance moves the clock on and lets happen what does by that: on_tick once a
// second, and what has waited too long expires. tick is called before each
// second; nil is allowed.
func (w *World) Advance(d time.Duration, tick func()) {
	w.Settle()
	end := w.clock.Now().Add(d)
	for beat := w.lastBeat.Add(time.Second); !beat.After(end); beat = beat.Add(time.Second) {
		if tick != nil {
			tick()
		}
		w.lastBeat = beat
		w.passTo(beat)
		w.sweep()
		if err := w.program.Hooks.Tick(w.millis()); err != nil {
			w.HookErrors = append(w.HookErrors, err)
		}
		w.Settle()
	}
	w.passTo(end)
	w.clock.Set(end)
	w.sweep()
}

// passTo moves the clock on, from one delayed message that is due to the next.
func (w *World) passTo(end time.Time) {
	for {
		millis, ok := w.run.Due()
		at := time.UnixMilli(millis).In(end.Location())
		if !ok || at.After(end) {
			break
		}
		if at.After(w.clock.Now()) {
			w.clock.Set(at)
		}
		w.Settle()
	}
	if end.After(w.clock.Now()) { // it was set past that otherwise
		w.clock.Set(end)
	}
}

// Set moves the clock without a tick in between. What has waited too long by then
// expires.
func (w *World) Set(now time.Time) {
	w.Settle()
	w.clock.Set(now)
	w.lastBeat = now
	w.Settle()
	w.sweep()
}

func (w *World) millis() int64 { return w.clock.Now().UnixMilli() }

// under are the connected clients whose IDs begin with prefix, in ID order.
func (w *World) under(prefix string) []*Client {
	var list []*Client
	for id, c := range w.clients {
		if strings.HasPrefix(id, prefix) {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b *Client) int { return cmp.Compare(a.ID, b.ID) })
	return list
}
