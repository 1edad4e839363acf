package load

import (
	"encoding/binary"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// forever is the timeout of a wait that only an event ends.
const forever = -1

// wakeID is the id of the event that another goroutine's wake causes.
const wakeID = -1

// poller is an epoll instance with a bell. Everything but wake belongs to one
// goroutine.
type poller struct {
	epoll, bell int
	events      [1024]unix.EpollEvent
}

func (p *poller) open() (err error) {
	if p.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	if p.bell, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err == nil {
		err = p.watch(unix.EPOLL_CTL_ADD, p.bell, wakeID, unix.EPOLLIN)
	}
	if err != nil {
		unix.Close(p.epoll)
		return fmt.Errorf("eventfd: %w", err)
	}
	return nil
}

func (p *poller) close() {
	unix.Close(p.epoll)
	unix.Close(p.bell)
}

// watch adds or changes what is reported of fd; its events bear the id.
func (p *poller) watch(op, fd, id int, events uint32) error {
	return unix.EpollCtl(p.epoll, op, fd, &unix.EpollEvent{Events: events, Fd: int32(id)})
}

// wake ends a wait, now or the next one. Any goroutine may call it.
func (p *poller) wake() {
	one := binary.NativeEndian.AppendUint64(nil, 1)
	_, _ = unix.Write(p.bell, one) // fails only when the bell rings already
}

// wait returns the events at hand, or those that come within the timeout. It
// asks without blocking first: under load there is always something, and a call
// that cannot block does not have to tell the scheduler.
func (p *poller) wait(timeout time.Duration) ([]unix.EpollEvent, error) {
	events, err := p.ready()
	if len(events) > 0 || err != nil || timeout == 0 {
		return events, err
	}
	// ppoll because epoll_wait knows whole milliseconds only.
	var limit *unix.Timespec
	if timeout > 0 {
		ts := unix.NsecToTimespec(int64(timeout))
		limit = &ts
	}
	set := [1]unix.PollFd{{Fd: int32(p.epoll), Events: unix.POLLIN}}
	if n, err := unix.Ppoll(set[:], limit, nil); err != nil && err != unix.EINTR {
		return nil, fmt.Errorf("ppoll: %w", err)
	} else if n <= 0 {
		return nil, nil
	}
	return p.ready()
}

func (p *poller) ready() ([]unix.EpollEvent, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epoll),
		uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), 0, 0, 0)
	if errno == unix.EINTR {
		return nil, nil
	}
	if errno != 0 {
		return nil, fmt.Errorf("epoll_pwait: %w", errno)
	}
	return p.events[:n], nil
}

// read and write are for sockets that do not block; b is not empty.
func read(fd int, b []byte) (int, unix.Errno) {
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

func write(fd int, b []byte) (int, unix.Errno) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_NOSIGNAL, 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}
