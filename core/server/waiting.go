package server

import (
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

// minPerAddress is how many of them any address may have: some linger, such as
// those of clients that were refused.
const minPerAddress = 64

// waiting holds the accepted connections that are still HTTP: no client has
// come out of them, and perhaps none ever will. Its zero value has no bounds.
type waiting struct {
	counts    counts
	refused   *[refusals]atomic.Uint64
	log       *slog.Logger
	complaint throttle
	trust     func(netip.Addr) bool // whose connections count in all only; nil for nobody's
	mute      bool                  // whoever is refused would not understand the answer

	mu    sync.Mutex // guards what follows
	conns map[*conn]struct{}
}

// enter makes a conn of an accepted connection. One for which there is no room
// is answered and closed, and enter returns nil.
func (w *waiting) enter(c net.Conn, handshakes *sync.WaitGroup) *conn {
	ip := remote(c.RemoteAddr())
	if w.trust != nil && w.trust(ip) {
		ip = netip.Addr{}
	}
	seat, why := w.counts.enter(ip)
	if seat == nil {
		w.refuse(c, why)
		return nil
	}
	entered := &conn{Conn: c, raw: c, handshakes: handshakes, waiting: w, seat: seat}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conns == nil {
		w.conns = make(map[*conn]struct{})
	}
	w.conns[entered] = struct{}{}
	return entered
}

// leave forgets c: it is closed, or a client came out of it. Only the first
// call counts.
func (w *waiting) leave(c *conn) {
	c.seat.Leave()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, c)
}

// cut closes all of them.
func (w *waiting) cut() {
	w.mu.Lock()
	conns := w.conns
	w.conns = nil
	w.mu.Unlock()
	for c := range conns {
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
