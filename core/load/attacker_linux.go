package load

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// attacker carries out an attack: one event loop, whose connections know nothing
// of each other. Everything belongs to the goroutine that runs it, but for what it
// counts.
type attacker struct {
	poller
	attack
	target target
	conns  []abused // by id
	free   []int    // the ids of those that are closed
	in     [4096]byte

	began   time.Time
	dialled int // so many so far
	dripped int // so many bytes

	opened  atomic.Uint64
	ended   atomic.Uint64    // by the gateway without an answer
	answers [6]atomic.Uint64 // by the hundreds of the status
	held    atomic.Int64     // open now
	refused atomic.Uint64    // could not connect
}

// abused is one of the connections.
type abused struct {
	fd        int // 0 while it is closed
	connected bool
	dripped   int // bytes
	rest      []byte
}

func newAttacker(t target, a attack) (*attacker, error) {
	k := &attacker{attack: a, target: t, conns: make([]abused, a.conns)}
	for id := range a.conns {
		k.free = append(k.free, a.conns-1-id)
	}
	return k, k.open()
}

// run attacks until stop is set, and closes all connections then.
func (k *attacker) run(stop *atomic.Bool) error {
	pin()
	k.began = time.Now()
	defer func() {
		for id := range k.conns {
			k.shut(id)
		}
		k.poller.close()
	}()
	for !stop.Load() {
		since := time.Since(k.began).Seconds()
		for n := 0; len(k.free) > 0 && float64(k.dialled) < since*float64(k.rate) && n < inHandshake; n++ {
			if err := k.dial(); err != nil {
				return err
			}
		}
		if len(k.free) == 0 { // what could not be opened in time is not made up for
			k.dialled = max(k.dialled, int(since*float64(k.rate)))
		}
		k.dripOn(since)
		events, err := k.wait(time.Millisecond)
		if err != nil {
			return err
		}
		for i := range events {
			k.event(int(events[i].Fd), events[i].Events)
		}
	}
	return nil
}

// dial opens a connection, from an address that a few others have as well.
func (k *attacker) dial() error {
	id := k.free[len(k.free)-1]
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("attack: socket: %w", err)
	}
	k.free = k.free[:len(k.free)-1]
	c := &k.conns[id]
	*c = abused{fd: fd, rest: c.rest[:0]}
	n := k.dialled
	k.dialled++
	k.held.Add(1)
	c.rest = append(c.rest, k.numbered(n)...)
	addr := k.target.addr
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	// The ends that wait in the kernel must not use up its ports.
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, byte(1 + n%40), byte(1 + n/40%100)}})
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrInet4{Addr: addr.Addr().As4(), Port: int(addr.Port())})
	}
	if err == nil || err == unix.EINPROGRESS {
		err = k.watch(unix.EPOLL_CTL_ADD, fd, id, unix.EPOLLIN|unix.EPOLLOUT)
	}
	if err != nil {
		k.refused.Add(1)
		k.shut(id)
	}
	return nil
}

func (k *attacker) event(id int, events uint32) {
	c := &k.conns[id]
	if c.fd == 0 {
		return
	}
	if events&(unix.EPOLLERR|unix.EPOLLHUP) != 0 && !c.connected {
		k.refused.Add(1)
		k.shut(id)
		return
	}
	if events&unix.EPOLLOUT != 0 {
		if !c.connected {
			c.connected = true
			k.opened.Add(1)
		}
		for len(c.rest) > 0 {
			n, errno := write(c.fd, c.rest)
			if errno != 0 {
				break // the other side tells why
			}
			c.rest = c.rest[:copy(c.rest, c.rest[n:])]
		}
		if len(c.rest) == 0 && k.watch(unix.EPOLL_CTL_MOD, c.fd, id, unix.EPOLLIN) != nil {
			k.shut(id)
			return
		}
	}
	if events&^uint32(unix.EPOLLOUT) != 0 {
		k.readable(id)
	}
}

// readable takes the answer, and makes room for the next connection.
func (k *attacker) readable(id int) {
	n, errno := read(k.conns[id].fd, k.in[:])
	switch {
	case errno == unix.EAGAIN:
		return
	case errno == 0 && n >= len("HTTP/1.1 200") && string(k.in[:5]) == "HTTP/":
		if hundreds := k.in[9] - '0'; int(hundreds) < len(k.answers) {
			k.answers[hundreds].Add(1)
		}
	default:
		k.ended.Add(1)
	}
	k.shut(id)
}

// dripOn sends the bytes that are due: each connection in turn, one a second.
func (k *attacker) dripOn(since float64) {
	if k.drip == "" {
		return
	}
	due := int(math.Min(since*float64(len(k.conns)), float64(k.dripped+len(k.conns))))
	for ; k.dripped < due; k.dripped++ {
		c := &k.conns[k.dripped%len(k.conns)]
		if c.fd != 0 && c.connected && len(c.rest) == 0 {
			_, _ = write(c.fd, []byte{k.drip[c.dripped%len(k.drip)]})
			c.dripped++
		}
	}
}

func (k *attacker) shut(id int) {
	if c := &k.conns[id]; c.fd != 0 {
		unix.Close(c.fd)
		c.fd = 0
		k.free = append(k.free, id)
		k.held.Add(-1)
	}
}
