package server

import (
	"container/list"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// maxHandshakes bounds the HTTP connections of a Server's public side, upgraded
// ones not counted.
const maxHandshakes = 8192

// maxOperators bounds those of its admin side.
const maxOperators = 1024

// lookedAt is among how many that have waited longest one of a newcomer's own
// address is looked for.
const lookedAt = 64

// minPerAddress is how many of them any address may have: some linger, such as
// those of clients that were refused.
const minPerAddress = 64

// waiting holds the accepted connections that are still HTTP: no client has
// come out of them, and perhaps none ever will. It needs refused and log, and has no
// bounds before counts.bound.
//
// Where there is no room for one more, the one that has waited longest for the
// rest of its request makes way. A request takes milliseconds to arrive, so those
// who hold connections open and send little lose them to those who do not, however
// many they are. One whose request is being answered never makes way, be the answer a
// stream.
type waiting struct {
	counts    counts
	refused   *[refusals]atomic.Uint64
	log       *slog.Logger
	complaint throttle
	crowded   throttle
	came      atomic.Uint64         // how many were let in
	trust     func(netip.Addr) bool // whose connections count in all only; nil for nobody's
	mute      bool                  // whoever is refused would not understand the answer

	mu        sync.Mutex // guards what follows, and what says so in a conn
	reading   list.List  // of *conn: no whole request is there; the longest wait is in front
	answering list.List  // of *conn
}

// enter makes a conn of an accepted connection. One for which there is no room
// is answered and closed, and enter returns nil.
func (w *waiting) enter(c net.Conn, handshakes *sync.WaitGroup) *conn {
	ip := remote(c.RemoteAddr())
	if w.trust != nil && w.trust(ip) {
		ip = netip.Addr{}
	}
	from := addressOf(ip)
	seat, why := w.counts.enter(ip)
	for seat == nil && why == full && w.makeWay(from) {
		seat, why = w.counts.enter(ip)
	}
	if seat == nil {
		w.refuse(c, why)
		return nil
	}
	w.came.Add(1)
	entered := &conn{Conn: c, raw: c, handshakes: handshakes, waiting: w, seat: seat, from: from}
	w.mu.Lock()
	defer w.mu.Unlock()
	entered.in, entered.at = &w.reading, w.reading.PushBack(entered)
	return entered
}

// makeWay closes the connection that has waited longest for its request, or the
// one of these addresses if there is one among the first of them: so a crowd from
// one address costs others nothing for as long as it can. It reports whether there
// was one.
func (w *waiting) makeWay(from address) bool {
	w.mu.Lock()
	first := w.reading.Front()
	if first == nil {
		w.mu.Unlock()
		return false
	}
	at := first
	for n := 0; n < lookedAt && at != nil && at.Value.(*conn).from != from; n++ {
		at = at.Next()
	}
	if at == nil || at.Value.(*conn).from != from {
		at = first
	}
	c := at.Value.(*conn)
	w.forget(c)
	w.mu.Unlock()

	w.refused[madeWay].Add(1)
	if missed, ok := w.crowded.pass(time.Now()); ok {
		// The address of the raw one: that of a proxy's client may still be on the way.
		w.log.Warn("connections are closed before their request is there: those that wait longest make way for others",
			"remote", c.raw.RemoteAddr().String(), "limit", w.counts.max.Load(), "reason", madeWay.String(), "unlogged", missed)
	}
	c.seat.Leave()
	_ = c.raw.Close() // whoever reads from it ends
	return true
}

// forget takes c out of the lists. mu is held.
func (w *waiting) forget(c *conn) {
	if c.in != nil {
		c.in.Remove(c.at)
		c.in, c.at = nil, nil
	}
}

// move puts c into another list, if it is in one.
func (w *waiting) move(c *conn, to *list.List) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.in != nil {
		w.forget(c)
		c.in, c.at = to, to.PushBack(c)
	}
}

// leave forgets c: it is closed, or a client came out of it. Only the first
// call counts.
func (w *waiting) leave(c *conn) {
	c.seat.Leave()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forget(c)
}

// cut closes all of them.
func (w *waiting) cut() {
	var conns []*conn
	w.mu.Lock()
	for _, l := range []*list.List{&w.reading, &w.answering} {
		for at := l.Front(); at != nil; at = l.Front() {
			c := at.Value.(*conn)
			w.forget(c)
			conns = append(conns, c)
		}
	}
	w.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
}

// The answers to a connection that is not even read from.
const (
	answerFull        = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: " + retryAfter + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
	answerAddressFull = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: " + retryAfter + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)

func (w *waiting) refuse(c net.Conn, why refusal) {
	w.refused[why].Add(1)
	if missed, ok := w.complaint.pass(time.Now()); ok {
		w.log.Warn("connections are refused: too many have not sent their handshake", "remote", c.RemoteAddr().String(),
			"limit", w.counts.max.Load(), "limit per address", w.counts.maxPerAddress.Load(), "reason", why.String(), "unlogged", missed)
	}
	text := answerFull
	if why == addressFull {
		text = answerAddressFull
	}
	if !w.mute {
		_, _ = io.WriteString(c, text) // fits into the empty buffer of a new socket
	}
	_ = c.Close()
}
