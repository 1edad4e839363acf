//go:build unix

package server

import (
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// duplicate returns a non-blocking descriptor of c's socket, which stays open
// when c is closed. The caller owns it.
func duplicate(c net.Conn) (int, error) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return -1, fmt.Errorf("duplicate the descriptor of a %T: it has none", c)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return -1, fmt.Errorf("duplicate the descriptor: %w", err)
	}
	fd, failed := -1, error(nil)
	if err := raw.Control(func(from uintptr) {
		fd, failed = unix.FcntlInt(from, unix.F_DUPFD_CLOEXEC, 0)
	}); err != nil {
		return -1, fmt.Errorf("duplicate the descriptor: %w", err)
	}
	if failed != nil {
		return -1, fmt.Errorf("duplicate the descriptor: %w", failed)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("duplicate the descriptor: %w", err)
	}
	return fd, nil
}

// makePrivate keeps others from a socket's file that is about to be bound.
// Systems that refuse it get their mode after the bind.
func makePrivate(fd uintptr) { _ = unix.Fchmod(int(fd), 0o600) }
