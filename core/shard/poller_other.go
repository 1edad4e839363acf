//go:build !linux

package shard

import (
	"syscall"
	"time"
)

// HasPoller says that sockets are read and written by goroutines here (pumps).
const HasPoller = false

// poller only waits for wake on this platform.
type poller struct{ woken chan struct{} }

type ready struct {
	slot, serial       uint32
	readable, writable bool
	hungUp             bool
}

func newPoller() (*poller, error) { return &poller{woken: make(chan struct{}, 1)}, nil }

func (p *poller) close() {}

func (p *poller) add(int, uint32, uint32) error               { return syscall.ENOSYS }
func (p *poller) watch(int, uint32, uint32, bool, bool) error { return nil }

func (p *poller) wait(millis int) int {
	if millis < 0 {
		<-p.woken
		return 0
	}
	if millis == 0 {
		select {
		case <-p.woken:
		default:
		}
		return 0
	}
	t := time.NewTimer(time.Duration(millis) * time.Millisecond)
	defer t.Stop()
	select {
	case <-p.woken:
	case <-t.C:
	}
	return 0
}

func (p *poller) at(int) (ready, bool) { return ready{}, false }

func (p *poller) wake() {
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

func rawRead(int, []byte) (int, syscall.Errno)  { return 0, syscall.ENOSYS }
func rawWrite(int, []byte) (int, syscall.Errno) { return 0, syscall.ENOSYS }
func again(syscall.Errno) bool                  { return false }

// hungUp does not know here: who left is found out when the pump reads.
func hungUp(int) bool { return false }

func closeDescriptor(int) {}
func shutWrite(int)       {}
