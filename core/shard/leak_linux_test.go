package shard

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core/frame"
)

// use is how many descriptors and goroutines the process has.
func use(t *testing.T) (descriptors, goroutines int) {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all), runtime.NumGoroutine()
}

// wantUse waits until the process has no more than it had.
func wantUse(t *testing.T, descriptors, goroutines int) {
	t.Helper()
	for end := time.Now().Add(patience); ; runtime.Gosched() {
		d, n := use(t)
		if d <= descriptors && n <= goroutines {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d descriptors and %d goroutines, there were %d and %d", d, n, descriptors, goroutines)
		}
	}
}

// Clients come and go in every way there is, and nothing stays behind.
func TestNothingStaysOfClientsThatLeft(t *testing.T) {
	connects := 10000
	if testing.Short() || underRace {
		connects = 1000
	}
	onEachTransport(t, func(t *testing.T, transport string) {
		h := &holder{}
		g := start(t, transport, options(), &hooks{}, h, toSender)
		g.connect("warm up").conn.Close()
		g.places.waitFor(0)
		g.pumps.Wait()
		g.await(0)
		descriptors, goroutines := use(t)
		var wait sync.WaitGroup
		for w := range 4 {
			wait.Go(func() {
				for i := w; i < connects; i += 4 {
					c := g.connect(fmt.Sprint("c", i%3000)) // some replace each other
					switch i % 7 {
					case 0: // as it should be
						c.write(frame.AppendMasked(nil, frame.OpClose, mask, nil))
						for {
							if _, _, err := c.next(); err != nil {
								break
							}
						}
					case 1: // reset
						_ = c.conn.(interface{ SetLinger(int) error }).SetLinger(0)
					case 2: // in the middle of a message
						c.write(masked(`{"type":0,"data":1}`)[:10])
					case 3: // with answers on the way
						c.send(`{"type":0,"messageId":"1","data":1}`)
					case 4: // held for ever
						c.send(`{"type":0,"data":"hold"}`)
						c.send(`{"type":0,"data":"hold"}`)
					case 5: // against the protocol, and still talking
						c.write(append([]byte{0xff, 0xff}, make([]byte, 10<<10)...))
					}
					c.conn.Close()
				}
			})
		}
		wait.Wait()
		// What is held keeps its sender on a pump from being missed: let it go.
		for end := time.Now().Add(patience); ; {
			h.resume()
			left := 0
			for _, s := range g.Stats() {
				left += s.Connections
			}
			if left == 0 {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%d connections are left", left)
			}
		}
		g.places.waitFor(0)
		g.pumps.Wait()
		wantUse(t, descriptors, goroutines)
		n := g.counts()
		if n.Opened != uint64(connects)+1 || n.Closed != n.Opened {
			t.Fatalf("%d were opened, %d closed", n.Opened, n.Closed)
		}
		if slots := len(g.all[0].sessions.chunks) * slabChunk; slots > connects {
			t.Fatalf("%d slots were made", slots)
		}
	})
}

func TestNothingStaysOfASet(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		descriptors, goroutines := use(t)
		for range 20 {
			g := start(t, transport, options(), &hooks{}, toSender)
			var all []*client
			for i := range 10 {
				c := g.connect(fmt.Sprint(i))
				c.send(`{"type":0,"messageId":"1","data":1}`)
				all = append(all, c)
			}
			g.close() // some are not attached yet
			for _, c := range all {
				c.conn.Close()
			}
			g.places.waitFor(0)
		}
		wantUse(t, descriptors, goroutines)
	})
}

// A client that neither reads nor leaves does not keep its pump.
func TestAPumpEndsWithItsSession(t *testing.T) {
	opt := options()
	opt.QueuePolicy = Disconnect
	g := start(t, "goroutine", opt, &hooks{})
	a := g.connect("a")
	g.connect("b") // never reads
	g.await(2)
	go func() {
		for {
			if _, _, err := a.next(); err != nil {
				return
			}
		}
	}()
	for g.counts().Slow == 0 {
		for range 20 {
			a.send(blob("b", 0, 60<<10, ""))
		}
	}
	g.close() // hangs if the pump does
	g.places.waitFor(0)
}
