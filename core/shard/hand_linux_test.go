package shard

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/frame"
)

// hand is shards without goroutines: the test makes their turns, and time
// passes when it says so.
type hand struct {
	t      testing.TB
	shards []*Shard
	now    time.Time
	left   int // places that were given back
}

func byHand(t testing.TB, opt Options, h *hooks, stages ...core.Stage) *hand {
	t.Helper()
	x := &hand{t: t, now: time.Unix(1700000000, 0)}
	seed := maphash.MakeSeed()
	gen := generation(1, opt.Shards, h, stages...)
	all := newShared(opt)
	for i := range opt.Shards {
		s, err := newShard(i, opt, seed, all, gen.Programs[i])
		if err != nil {
			t.Fatal(err)
		}
		s.began, s.ticked = x.now, x.now
		x.shards = append(x.shards, s)
	}
	for _, s := range x.shards {
		for _, other := range x.shards {
			s.peers = append(s.peers, peer{shard: other})
		}
	}
	t.Cleanup(func() {
		for _, s := range x.shards {
			s.close()
		}
	})
	return x
}

// oneShard are options for tests to which shards do not matter.
func oneShard() Options {
	opt := options()
	opt.Shards = 1
	return opt
}

// turn makes n turns of every shard.
func (x *hand) turn(n int) {
	for range n {
		for _, s := range x.shards {
			s.step(s.poll.wait(0), x.now)
		}
	}
}

// pass lets time pass, a tick a turn.
func (x *hand) pass(d time.Duration) {
	for ; d > 0; d -= tickLength {
		x.now = x.now.Add(min(d, tickLength))
		x.turn(1)
	}
}

// owner is the index of the shard that a client belongs to.
func (x *hand) owner(id string) int { return x.shards[0].ownerOf(id) }

// idOn makes a ClientID that belongs to a shard.
func (x *hand) idOn(shard int, prefix string) string {
	for i := 0; ; i++ {
		if id := fmt.Sprint(prefix, i); x.owner(id) == shard {
			return id
		}
	}
}

type handPlace struct{ x *hand }

func (p handPlace) Leave() { p.x.left++ }

// end is the client's end of a connection to a hand.
type end struct {
	t       testing.TB
	fd      int
	s       *Shard
	c       *session
	frames  *frame.Reader
	partial *frame.Partial
	deflate bool
	wire    int // bytes read
}

func (x *hand) connect(id string) *end { return x.connectWith(Client{ID: id}) }

// connectWith attaches a client whose socket takes little that is not read.
func (x *hand) connectWith(cl Client) *end {
	x.t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		x.t.Fatal(err)
	}
	for _, fd := range pair {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 16<<10); err != nil {
			x.t.Fatal(err)
		}
	}
	cl.FD, cl.Place = pair[0], handPlace{x}
	s := x.shards[x.owner(cl.ID)]
	s.inbox.post(&parcel{kind: parcelAttach, client: &cl})
	x.turn(1)
	e := &end{
		t: x.t, fd: pair[1], s: s, c: s.dir.byID[cl.ID], deflate: cl.Deflate,
		frames: frame.NewReader(frame.Config{MaxMessage: 16 << 20, Client: true}),
	}
	x.t.Cleanup(e.close)
	return e
}

func (e *end) close() {
	if e.fd >= 0 {
		unix.Close(e.fd)
		e.fd = -1
	}
}

// put writes as much of b as the socket takes.
func (e *end) put(b []byte) int {
	e.t.Helper()
	n, err := unix.Write(e.fd, b)
	if err == unix.EAGAIN {
		return 0
	}
	if err != nil {
		e.t.Fatal(err)
	}
	return n
}

func (e *end) write(b []byte) {
	e.t.Helper()
	if n := e.put(b); n < len(b) {
		e.t.Fatalf("the socket took %d of %d bytes", n, len(b))
	}
}

func (e *end) send(text ...string) {
	e.t.Helper()
	var b []byte
	for _, m := range text {
		b = append(b, masked(m)...)
	}
	e.write(b)
}

// sendAll writes a text while the shards make turns.
func (e *end) sendAll(x *hand, text string) {
	e.t.Helper()
	for b := masked(text); len(b) > 0; x.turn(1) {
		n := e.put(b)
		if b = b[n:]; n == 0 && e.c.deaf {
			e.t.Fatal("it is not read from")
		}
	}
}

// skip reads once and forgets what it read.
func (e *end) skip(buf []byte) int {
	n, _ := unix.Read(e.fd, buf)
	return max(n, 0)
}

// got returns everything that has arrived: texts as they are without their
// time, other frames by name, "end" for the end of the stream.
func (e *end) got() (all []string) {
	e.t.Helper()
	buf := make([]byte, 1<<20)
	for {
		n, err := unix.Read(e.fd, buf)
		switch {
		case err == unix.EAGAIN:
			return all
		case n == 0 || err == unix.ECONNRESET:
			return append(all, "end")
		case err != nil:
			e.t.Fatal(err)
		}
		e.wire += n
		for b := buf[:n]; len(b) > 0; {
			ev, used, ok, err := e.frames.Next(&e.partial, e.deflate, b)
			if err != nil {
				e.t.Fatalf("the stream is broken: %v", err)
			}
			b = b[used:]
			if !ok {
				continue
			}
			switch ev.Op {
			case frame.OpText:
				all = append(all, withoutTime(string(ev.Payload)))
			case frame.OpPing:
				all = append(all, "ping "+string(ev.Payload))
			case frame.OpPong:
				all = append(all, "pong "+string(ev.Payload))
			case frame.OpClose:
				all = append(all, fmt.Sprintf("close %d", ev.Code))
			}
		}
	}
}

func (e *end) want(want ...string) {
	e.t.Helper()
	if got := e.got(); !slices.Equal(got, want) {
		e.t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func (e *end) sendClose(code int) {
	e.t.Helper()
	e.write(frame.AppendMasked(nil, frame.OpClose, mask, binary.BigEndian.AppendUint16(nil, uint16(code))))
}

// toGroup routes everything to one group.
func toGroup(name string) core.Stage {
	return stageFunc(func(m *core.Message) (core.Verdict, error) {
		m.Effects.Targets = append(m.Effects.Targets, core.Target{Kind: core.ToGroup, Name: name})
		return core.Next, nil
	})
}
