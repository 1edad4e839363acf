package shard

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// HasPoller says that this platform serves sockets from the shard's own loop.
const HasPoller = true

// poller waits for sockets and for wake. Only wake may be called from another
// goroutine.
type poller struct {
	epoll, event int
	waker        *os.File // over event; a late wake finds it closed, not another's descriptor
	one          [8]byte  // what a wake writes
	events       [256]unix.EpollEvent
}

// ready is one socket that can be read or written.
type ready struct {
	slot, serial       uint32
	readable, writable bool
	hungUp             bool // nothing can be written any more
}

// wakeSlot marks the eventfd among the sockets.
const wakeSlot = 1<<32 - 1

func newPoller() (*poller, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	ev, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		unix.Close(ep)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	p := &poller{epoll: ep, event: ev, waker: os.NewFile(uintptr(ev), "eventfd"), one: [8]byte{1}}
	if err := p.control(unix.EPOLL_CTL_ADD, ev, unix.EPOLLIN|unix.EPOLLET, wakeSlot, 0); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *poller) close() {
	unix.Close(p.epoll)
	_ = p.waker.Close()
}

func (p *poller) control(op, fd int, events, slot, serial uint32) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(slot), Pad: int32(serial)}
	if err := unix.EpollCtl(p.epoll, op, fd, &ev); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// add watches fd for reading.
func (p *poller) add(fd int, slot, serial uint32) error {
	return p.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN, slot, serial)
}

// watch changes what fd is watched for.
func (p *poller) watch(fd int, slot, serial uint32, read, write bool) error {
	var events uint32
	if read {
		events |= unix.EPOLLIN
	}
	if write {
		events |= unix.EPOLLOUT
	}
	return p.control(unix.EPOLL_CTL_MOD, fd, events, slot, serial)
}

// wait blocks up to millis (0: not at all) and returns how many sockets are
// ready; at gives them. A wake is consumed here.
func (p *poller) wait(millis int) int {
	var n uintptr
	var errno syscall.Errno
	list := uintptr(unsafe.Pointer(&p.events[0]))
	if millis == 0 {
		// It returns at once: the scheduler need not know.
		n, _, errno = syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epoll), list, uintptr(len(p.events)), 0, 0, 0)
	} else {
		n, _, errno = syscall.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epoll), list, uintptr(len(p.events)), uintptr(millis), 0, 0)
	}
	if errno != 0 {
		return 0 // EINTR; the others cannot happen with our own descriptors
	}
	return int(n)
}

// at returns event i of the last wait; ok is false for a wake.
func (p *poller) at(i int) (r ready, ok bool) {
	ev := &p.events[i]
	if uint32(ev.Fd) == wakeSlot {
		return ready{}, false // edge-triggered: the count need not be read
	}
	return ready{
		slot: uint32(ev.Fd), serial: uint32(ev.Pad),
		readable: ev.Events&unix.EPOLLIN != 0,
		writable: ev.Events&unix.EPOLLOUT != 0,
		hungUp:   ev.Events&(unix.EPOLLHUP|unix.EPOLLERR) != 0,
	}, true
}

func (p *poller) wake() {
	_, _ = p.waker.Write(p.one[:])
}

// rawRead and rawWrite are for non-blocking descriptors only: they do not tell
// the scheduler, which saves its share of each call.

func rawRead(fd int, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), errno
}

func rawWrite(fd int, b []byte) (int, syscall.Errno) {
	// MSG_NOSIGNAL: a peer that left must not raise SIGPIPE.
	n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}

// again reports whether the call would have blocked or was interrupted.
func again(errno syscall.Errno) bool { return errno == unix.EAGAIN || errno == unix.EINTR }

// hungUp reports whether the peer of a socket sends no more.
func hungUp(fd int) bool {
	const gone = unix.POLLRDHUP | unix.POLLHUP | unix.POLLERR
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	n, err := unix.Poll(fds[:], 0)
	return err == nil && n > 0 && fds[0].Revents&gone != 0
}

func closeDescriptor(fd int) { _ = unix.Close(fd) }

// shutWrite tells the peer that nothing more comes.
func shutWrite(fd int) { _ = unix.Shutdown(fd, unix.SHUT_WR) }
