package server

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Listen listens on "host:port", where an empty host is every IPv4 and IPv6
// address, or on "unix:/path", whose file only the own user may use, or who
// "unix:/path,mode=660" lets. A socket file that nobody listens on any more is
// replaced.
func Listen(addr string) (net.Listener, error) {
	ln, err := listen(addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	return ln, nil
}

// ListenAdmin is Listen for ServeAdmin: it refuses what others can reach, also a
// unix socket that they may open: who opens it needs no key.
func ListenAdmin(addr string) (net.Listener, error) {
	ln, err := Listen(addr)
	if err != nil {
		return nil, err
	}
	if err := checkPrivate(ln.Addr()); err != nil {
		return nil, errors.Join(fmt.Errorf("listen on %s: %w", addr, err), ln.Close())
	}
	return ln, nil
}

// checkPrivate refuses an address that is neither loopback nor a unix socket of the
// own user.
func checkPrivate(addr net.Addr) error {
	switch a := addr.(type) {
	case *net.UnixAddr:
		info, err := os.Stat(a.Name)
		if err != nil {
			return err
		}
		if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
			return fmt.Errorf("its mode %03o lets others in, and the admin API asks for no credentials on a unix socket: leave ,mode= out", mode)
		}
		return nil
	case *net.TCPAddr:
		if a.IP.IsLoopback() {
			return nil
		}
	}
	return errors.New("not a loopback address, and the admin address is loopback or a unix socket only, also with keys: reach it from elsewhere with ssh -L, or see --public-publish for POST /v1/publish")
}

func listen(addr string) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(addr, "unix:")
	if isUnix {
		return listenUnix(path)
	}
	// The gateway's pings find dead peers; one timer less in the kernel for
	// each connection. Multipath sockets are larger and of no use here.
	config := net.ListenConfig{KeepAlive: -1}
	config.SetMultipathTCP(false)
	ln, err := config.Listen(context.Background(), "tcp", addr)
	return ln, cause(err)
}

func listenUnix(path string) (net.Listener, error) {
	mode := fs.FileMode(0o600)
	if at := strings.LastIndex(path, ",mode="); at >= 0 {
		bits, err := strconv.ParseUint(path[at+len(",mode="):], 8, 32)
		if err != nil || bits > 0o777 || bits&0o600 != 0o600 {
			return nil, fmt.Errorf("the mode %q is not one such as 660", path[at+len(",mode="):])
		}
		path, mode = path[:at], fs.FileMode(bits)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		// On Linux the file is born private this way; Chmod below does it late.
		return c.Control(makePrivate)
	}}
	ln, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, cause(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		_ = ln.Close()
		return nil, err
	}
	return ln, nil
}

// removeStale removes the socket file of a process that has ended.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return errors.New("a file that is not a socket is in the way")
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		_ = c.Close()
		return cause(syscall.EADDRINUSE)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return cause(err)
	}
	return os.Remove(path)
}

// cause takes off what package net wraps around an error, which repeats the
// address.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		err = call.Err
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w; is another gateway running?", err)
	}
	return err
}

// listener accepts connections that can hold a place, as many as may wait, and
// goes on where fasthttp would end: when descriptors or memory are short for a
// while.
type listener struct {
	net.Listener
	waiting    *waiting
	handshakes *sync.WaitGroup
	wrap       func(net.Conn) net.Conn // may be nil
	log        *slog.Logger
	complaint  throttle
}

const (
	// acceptPause is how long an accept that found no descriptor waits for one ...
	acceptPause = 20 * time.Millisecond
	// ... and how long if others are giving theirs back for it, so many at once.
	makeWayPause = time.Millisecond
	makeWayMany  = 64
)

func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err == nil {
			if entered := l.waiting.enter(c, l.handshakes); entered != nil {
				if l.wrap != nil {
					entered.Conn = l.wrap(c)
				}
				return entered, nil
			}
			continue
		}
		if !passing(err) {
			return nil, err
		}
		if missed, ok := l.complaint.pass(time.Now()); ok {
			l.log.Warn("cannot accept connections for now", "error", err, "unlogged", missed)
		}
		pause := acceptPause
		for range makeWayMany {
			if !l.waiting.makeWay(noPeer) {
				break
			}
			pause = makeWayPause
		}
		time.Sleep(pause)
	}
}

// passing reports whether an accept may succeed later.
func passing(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// conn is an accepted connection. It waits until it is closed or its hijack
// handler runs. From admission until its hijack handler runs
// it holds the client's place: fasthttp closes it without running the handler
// when the response could not be written.
type conn struct {
	net.Conn
	raw        net.Conn // without what the listener has put around it
	handshakes *sync.WaitGroup
	place      atomic.Pointer[Place]
	waiting    *waiting
	seat       *Place  // among those that wait
	from       address // what it is known by there

	in *list.List // of waiting, which guards it; nil when it is in none
	at *list.Element
}

// hold begins a handshake. It ends with release, or with claim and the caller's
// handshakes.Done.
func (c *conn) hold(p *Place) {
	c.handshakes.Add(1)
	c.place.Store(p)
}

// claim takes over the place; nil if the connection holds none any more.
func (c *conn) claim() *Place { return c.place.Swap(nil) }

// release gives the place back if it was not claimed.
func (c *conn) release() {
	if p := c.claim(); p != nil {
		p.Leave()
		c.handshakes.Done()
	}
}

func (c *conn) Close() error {
	c.release()
	c.waiting.leave(c)
	return c.Conn.Close()
}
