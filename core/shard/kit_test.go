package shard

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/frame"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// transports are the ways of a connection; every test of behaviour runs on all.
var transports = []string{"epoll", "goroutine"}

func onEachTransport(t *testing.T, f func(t *testing.T, transport string)) {
	for _, tr := range transports {
		if tr == "epoll" && !HasPoller {
			continue
		}
		t.Run(tr, func(t *testing.T) { f(t, tr) })
	}
}

// stageFunc is a stage written as a function.
type stageFunc func(m *core.Message) (core.Verdict, error)

func (f stageFunc) Handle(m *core.Message) (core.Verdict, error) { return f(m) }

// hooks are core.Hooks written as functions; nil ones allow everything.
type hooks struct {
	connect    func(*core.Conn) error
	disconnect func(s *core.Session, reason string)
	maySend    func(*core.Session, core.Target) string
	mayJoin    func(*core.Session, string) string
	tick       func(int64)
}

func (h *hooks) Connect(c *core.Conn) error {
	if h.connect == nil {
		return nil
	}
	return h.connect(c)
}

func (h *hooks) Disconnect(s *core.Session, reason string) error {
	if h.disconnect != nil {
		h.disconnect(s, reason)
	}
	return nil
}

func (h *hooks) Tick(now int64) error {
	if h.tick != nil {
		h.tick(now)
	}
	return nil
}

func (h *hooks) MaySend(s *core.Session, t core.Target) (string, error) {
	if h.maySend == nil {
		return "", nil
	}
	return h.maySend(s, t), nil
}

func (h *hooks) MayJoin(s *core.Session, g string) (string, error) {
	if h.mayJoin == nil {
		return "", nil
	}
	return h.mayJoin(s, g), nil
}

func generation(number uint32, shards int, h *hooks, stages ...core.Stage) *core.Generation {
	gen := &core.Generation{Number: number}
	names := make([]string, len(stages))
	for i := range names {
		names[i] = fmt.Sprintf("stage%d", i)
	}
	for range shards {
		gen.Programs = append(gen.Programs, &core.Program{
			Generation: number,
			Pipeline:   core.NewPipeline(number, names, stages),
			Hooks:      h,
			HasPolicy:  h.maySend != nil || h.mayJoin != nil,
		})
	}
	return gen
}

// gate is a running set of shards that tests connect to.
type gate struct {
	*Set
	t         testing.TB
	transport string
	stop      sync.Once
	pumps     sync.WaitGroup
	places    places
}

// places counts the connections that have not given their place back.
type places struct {
	mu sync.Mutex
	n  int
	c  *sync.Cond
}

type place struct{ p *places }

func (p place) Leave() {
	p.p.mu.Lock()
	defer p.p.mu.Unlock()
	p.p.n--
	p.p.c.Broadcast()
}

func (p *places) waitFor(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.n != n {
		p.c.Wait()
	}
}

func options() Options {
	return Options{
		Shards: 2, MaxMessage: 64 << 10,
		PingEvery: 30 * time.Second, IdleTimeout: 75 * time.Second, StallTimeout: 10 * time.Second,
		Ring: core.NewRing(), Window: 512, AckTimeout: 30 * time.Second,
		Sessions: 1 << 20, SessionLifetime: 3600, SeenMessages: 1 << 16, SeenAge: 600,
		QueueBytes: 1 << 20, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

func start(t testing.TB, transport string, opt Options, h *hooks, stages ...core.Stage) *gate {
	t.Helper()
	set, err := New(opt, generation(1, opt.Shards, h, stages...))
	if err != nil {
		t.Fatal(err)
	}
	set.Run()
	return serving(t, set, transport)
}

// serving is a gate to a set that runs.
func serving(t testing.TB, set *Set, transport string) *gate {
	g := &gate{Set: set, t: t, transport: transport}
	g.places.c = sync.NewCond(&g.places.mu)
	t.Cleanup(g.close)
	return g
}

func (g *gate) close() {
	g.stop.Do(g.Set.Stop)
	g.pumps.Wait()
}

// client is a WebSocket client on a raw connection.
type client struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
}

// pair returns the two ends of a connection over loopback.
func pair(t testing.TB) (ours, theirs *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

func (g *gate) connect(id string) *client { return g.connectWith(Client{ID: id}) }

func (g *gate) connectWith(cl Client) *client {
	g.t.Helper()
	ours, theirs := pair(g.t)
	return g.serve(ours, theirs, cl)
}

func (g *gate) serve(ours, theirs *net.TCPConn, cl Client) *client {
	g.t.Helper()
	cl.Place = place{&g.places}
	g.places.mu.Lock()
	g.places.n++
	g.places.mu.Unlock()
	if g.transport == "epoll" {
		cl.FD = dup(g.t, theirs)
		g.Attach(cl)
	} else {
		g.pumps.Go(func() { g.Pump(theirs, cl) })
	}
	c := &client{t: g.t, conn: ours, in: bufio.NewReader(ours)}
	g.t.Cleanup(func() { ours.Close() })
	return c
}

// await waits until the shards know of n connections.
func (g *gate) await(n int) {
	g.t.Helper()
	for end := time.Now().Add(patience); ; {
		have := 0
		for _, s := range g.Stats() {
			have += s.Connections
		}
		if have == n {
			return
		}
		if time.Now().After(end) {
			g.t.Fatalf("the shards know of %d connections, want %d", have, n)
		}
	}
}

func (g *gate) counts() Counts {
	var sum Counts
	for _, s := range g.Stats() {
		sum.add(&s.Counts)
	}
	return sum
}

var mask = [4]byte{1, 2, 3, 4}

func (c *client) write(b []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// masked is a text frame as a client sends it.
func masked(text string) []byte { return frame.AppendMasked(nil, frame.OpText, mask, []byte(text)) }

func (c *client) send(text string) {
	c.t.Helper()
	c.write(masked(text))
}

// next reads one frame.
func (c *client) next() (op frame.Op, payload []byte, err error) {
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	var h [2]byte
	if _, err = io.ReadFull(c.in, h[:]); err != nil {
		return 0, nil, err
	}
	n := uint64(h[1])
	switch n {
	case 126:
		var b [2]byte
		_, err = io.ReadFull(c.in, b[:])
		n = uint64(binary.BigEndian.Uint16(b[:]))
	case 127:
		var b [8]byte
		_, err = io.ReadFull(c.in, b[:])
		n = binary.BigEndian.Uint64(b[:])
	}
	if err != nil {
		return 0, nil, err
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(c.in, payload)
	return frame.Op(h[0] & 15), payload, err
}

// text returns the next text frame; pings are skipped.
func (c *client) text() string {
	c.t.Helper()
	for {
		op, b, err := c.next()
		if err != nil {
			c.t.Fatalf("waiting for a text frame: %v", err)
		}
		switch op {
		case frame.OpText:
			return string(b)
		case frame.OpPing:
		default:
			c.t.Fatalf("waiting for a text frame: got op %d %q", op, b)
		}
	}
}

// want reads one text frame for each of want and compares; a "ts" is cut out
// first, since it differs each time.
func (c *client) want(want ...string) {
	c.t.Helper()
	for _, w := range want {
		got := c.text()
		if !json.Valid([]byte(got)) {
			c.t.Fatalf("got %s, which is not JSON", got)
		}
		if got = withoutTime(got); got != w {
			c.t.Fatalf("got  %s\nwant %s", got, w)
		}
	}
}

// withoutTime cuts the "ts" out of a message.
func withoutTime(text string) string {
	before, after, ok := strings.Cut(text, `,"ts":`)
	if !ok {
		return text
	}
	return before + strings.TrimLeft(after, "0123456789")
}

// wantClose reads up to the close frame and compares its code, and checks that
// the connection ends.
func (c *client) wantClose(code int, reason string) {
	c.t.Helper()
	for {
		op, b, err := c.next()
		if err != nil {
			c.t.Fatalf("waiting for close %d: %v", code, err)
		}
		if op != frame.OpClose {
			continue
		}
		if got := int(binary.BigEndian.Uint16(b)); got != code || !strings.Contains(string(b[2:]), reason) {
			c.t.Fatalf("closed with %d %q, want %d %q", got, b[2:], code, reason)
		}
		c.write(frame.AppendMasked(nil, frame.OpClose, mask, b[:2]))
		if _, err := io.ReadAll(c.in); err != nil {
			c.t.Fatalf("the connection did not end: %v", err)
		}
		return
	}
}

// toSender is a pipeline of one stage that echoes.
var toSender = stageFunc(func(m *core.Message) (core.Verdict, error) {
	if m.To == nil {
		m.Effects.Targets = append(m.Effects.Targets, core.Target{Kind: core.ToSender})
	}
	return core.Next, nil
})
