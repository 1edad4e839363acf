package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core/frame"
	"github.com/stratix-gateway/stratix/core/gateway"
)

func TestTenThousandConnectionsLeaveNothingBehind(t *testing.T) {
	total := 10_000
	if testing.Short() || raceEnabled {
		total = 2000
	}
	for _, transport := range []string{"epoll", "goroutine"} {
		t.Run(transport, func(t *testing.T) {
			if transport == "epoll" && runtime.GOOS != "linux" {
				t.Skip("there is no epoll on this platform")
			}
			r := runGateway(t, map[string]string{"main.lua": stampScript(1)}, func(c *serveCmd) { c.Transport = transport })
			comeAndGo(t, r, 100) // what is made once is made now
			goroutines, descriptors := settled(r)
			comeAndGo(t, r, total)
			r.waitFor("everybody to have left", func(st gateway.Status) bool { return st.Connections == 0 })
			deadline := time.Now().Add(patience)
			for {
				g, d := settled(r)
				if g <= goroutines+5 && d <= descriptors+2 {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("%d goroutines and %d descriptors; before it were %d and %d", g, d, goroutines, descriptors)
				}
			}
			if n := r.metric("stratix_upgrades_total"); n != fmt.Sprint(total+100) {
				t.Errorf("%s upgrades were counted, want %d", n, total+100)
			}
		})
	}
}

// comeAndGo connects n clients, ten at a time. Each sends a message and reads
// the answers; they leave in the three ways in which clients do.
func comeAndGo(t *testing.T, r *running, n int) {
	t.Helper()
	var wait sync.WaitGroup
	for worker := range 10 {
		wait.Go(func() {
			for i := worker; i < n; i += 10 {
				c, err := dialWS(r.Addr().String(), fmt.Sprintf("c%d", i))
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := exchange(c, i); err != nil {
					t.Error(err)
				}
				switch i % 3 {
				case 0: // a closing handshake
					_, _ = c.conn.Write(frame.AppendMasked(nil, frame.OpClose, [4]byte{}, []byte{3, 232}))
					_, _ = c.next()
				case 1: // a reset
					_ = c.conn.(*net.TCPConn).SetLinger(0)
				}
				_ = c.conn.Close()
			}
		})
	}
	wait.Wait()
}

// settled counts this process's goroutines and descriptors once the idle HTTP
// connections of the test itself are closed.
func settled(r *running) (goroutines, descriptors int) {
	r.status()
	runtime.Gosched()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		open = nil // not on this platform
	}
	return runtime.NumGoroutine(), len(open)
}
