package load

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// state is how far a connection has come.
type state uint8

const (
	shut       state = iota
	connecting       // TCP
	upgrading        // the request is sent
	resuming         // a reliable client awaits the answer to its hello
	joining          // a fanout's subscriber awaits the answer to its join
	open
	closing // a churn's connection has sent its close frame
)

// perSource is how many connections take one source address; with more, the
// kernel's search for a free port takes over the time of connect().
const perSource = 5000

// conn is one client. It belongs to its worker, except for sent.
type conn struct {
	id     int
	client string // the ClientID
	origin string // of its messages
	worker *worker

	fd      int
	state   state
	blocked bool          // EPOLLOUT is armed: out holds what the socket did not take
	began   time.Duration // when the handshake began
	rest    []byte        // the beginning of a frame
	out     []byte

	probe   bool   // of a reload
	save    uint32 // of a probe: the latest save that it has seen
	message template
	from    *conn // whose messages arrive here; nil for nobody's
	sent    atomic.Uint32
	done    uint32 // messages that take no room of the window any more
	answers ledger // to its own messages
	arrived ledger // messages of from
	taken   ledger // its own that were acknowledged; kept where traffic is whole
	onDisk  ledger // those of them that are on the disk

	// Of a reliable client, across its connections:
	epoch   string // "" before the first
	settled settled
	last    uint64 // the seq given last before this connection

	quota uint32 // of a sender to absent recipients: the messages that it sends
}

// dial begins c's handshake.
func (w *worker) dial(c *conn) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		w.fail(fmt.Errorf("socket: %w", err))
		return
	}
	c.fd, c.blocked, c.began = fd, false, w.fleet.now()
	c.state = connecting
	w.dialing++
	c.rest, c.out = c.rest[:0], c.out[:0]
	k := w.dials*len(w.fleet.workers) + w.index
	w.dials++
	source := unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(2 + k/perSource%250)}}
	addr := w.fleet.target.addr
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.Bind(fd, &source))
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrInet4{Addr: addr.Addr().As4(), Port: int(addr.Port())})
		switch err {
		case nil:
			if err = w.watch(unix.EPOLL_CTL_ADD, fd, c.id, unix.EPOLLIN); err == nil {
				w.upgrade(c)
			}
		case unix.EINPROGRESS:
			c.blocked = true
			err = w.watch(unix.EPOLL_CTL_ADD, fd, c.id, unix.EPOLLIN|unix.EPOLLOUT)
		}
	}
	if err != nil {
		w.shut(c, fmt.Errorf("connect %s from 127.0.0.%d: %w", addr, source.Addr[3], err))
	}
}

// connected is called when a connect came to its end.
func (w *worker) connected(c *conn) {
	code, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code != 0 {
		err = unix.Errno(code)
	}
	if err != nil {
		w.shut(c, fmt.Errorf("connect %s: %w", w.fleet.target.addr, err))
		return
	}
	w.upgrade(c)
	w.flush(c)
}

func (w *worker) upgrade(c *conn) {
	c.state = upgrading
	w.batch = w.fleet.target.appendUpgrade(w.batch[:0], c.client, w.fleet.reliable)
	w.send(c, w.batch)
}

// send writes b and keeps what the socket does not take. A failed write is left
// for the read side to report.
func (w *worker) send(c *conn, b []byte) {
	if c.blocked {
		c.out = append(c.out, b...)
		return
	}
	n, errno := write(c.fd, b)
	switch {
	case errno == unix.EAGAIN:
		n = 0
	case errno != 0:
		return
	}
	if n < len(b) {
		c.out = append(c.out, b[n:]...)
		w.block(c, true)
	}
}

// flush writes what an earlier send kept.
func (w *worker) flush(c *conn) {
	for len(c.out) > 0 {
		n, errno := write(c.fd, c.out)
		if errno == unix.EAGAIN {
			return
		}
		if errno != 0 {
			c.out = c.out[:0]
			break
		}
		c.out = c.out[:copy(c.out, c.out[n:])]
	}
	w.block(c, false)
}

func (w *worker) block(c *conn, blocked bool) {
	events := uint32(unix.EPOLLIN)
	if blocked {
		events |= unix.EPOLLOUT
	}
	c.blocked = blocked
	if err := w.watch(unix.EPOLL_CTL_MOD, c.fd, c.id, events); err != nil {
		w.fail(fmt.Errorf("epoll: %w", err))
	}
}

// shut closes c; err says why, nil for the end of the stream.
func (w *worker) shut(c *conn, err error) {
	was := c.state
	unix.Close(c.fd)
	c.state = shut
	if err == nil {
		err = errors.New("the gateway closed a connection")
	}
	switch was {
	case connecting, upgrading, resuming, joining:
		w.dialing--
		w.Failed++
		w.note(err)
		if !w.churning {
			w.fail(fmt.Errorf("%s: %w", c.client, err))
		}
	case closing:
		w.Cycles++
	default:
		w.Closed++
		w.note(err)
	}
	if w.churning {
		w.again = append(w.again, c)
	}
}
