package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

func TestConnectionsWithoutAHandshakeAreBounded(t *testing.T) {
	g := start(t, func(o *Options) { o.MaxPerAddress = 2 })
	waiting := func(n int64) {
		t.Helper()
		eventually(t, fmt.Sprint(n, " wait"), func() bool { return g.strangers.counts.total.Load() == n })
	}
	silent := dial(t, g.publicAddr)
	for range minPerAddress - 1 {
		dial(t, g.publicAddr)
	}
	waiting(minPerAddress)
	if r, _ := dial(t, g.publicAddr).answer(); r.StatusCode != http.StatusTooManyRequests || r.Header.Get("Retry-After") == "" {
		t.Errorf("one too many got %s %v", r.Status, r.Header)
	}
	if n := g.Stats().Refused["address_full"]; n != 1 {
		t.Errorf("%d refusals are counted", n)
	}
	_ = silent.Close()
	waiting(minPerAddress - 1)
	g.connect(t, "?clientId=a") // a client waits no longer
	waiting(minPerAddress - 1)
	g.connect(t, "?clientId=b")
	waiting(minPerAddress - 1)
}

// crowd is a waiting without listeners.
type crowd struct {
	*waiting
	t *testing.T
}

func newCrowd(t *testing.T, all int) crowd {
	w := &waiting{refused: new([refusals]atomic.Uint64), log: slog.New(slog.DiscardHandler)}
	w.counts.bound(all, 0)
	return crowd{w, t}
}

// from is a connection from an address; ends closes when the gateway closes it,
// and has said what it answered.
type from struct {
	net.Conn
	ip string
}

func (c from) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.ParseIP(c.ip), Port: 5}
}

func (w crowd) enter(ip string) (c *conn, ended chan string) {
	here, there := net.Pipe()
	w.t.Cleanup(func() { _, _ = here.Close(), there.Close() })
	ended = make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(there)
		ended <- string(b)
	}()
	return w.waiting.enter(from{here, ip}, nil), ended
}

func TestWhoWaitsLongestMakesWay(t *testing.T) {
	w := newCrowd(t, 3)
	first, firstEnded := w.enter("192.0.2.1")
	second, secondEnded := w.enter("192.0.2.2")
	third, thirdEnded := w.enter("192.0.2.3")

	w.move(first, &w.answering) // its request is there
	if c, _ := w.enter("192.0.2.4"); c == nil || <-secondEnded != "" {
		t.Error("the second does not make way without a word")
	}
	w.move(first, &w.reading) // it waits for another one, and is the last to do so
	if c, _ := w.enter("192.0.2.5"); c == nil || <-thirdEnded != "" {
		t.Error("the third does not make way")
	}
	if n := w.refused[madeWay].Load(); n != 2 || w.counts.total.Load() != 3 {
		t.Errorf("%d have made way, %d are there", n, w.counts.total.Load())
	}
	w.leave(second) // as their goroutines do
	w.leave(third)
	w.move(third, &w.answering)
	if n := w.counts.total.Load(); n != 3 || w.reading.Len() != 3 || w.answering.Len() != 0 {
		t.Errorf("%d are there: %d and %d", n, w.reading.Len(), w.answering.Len())
	}
	select {
	case <-firstEnded:
		t.Error("the first is gone")
	default:
	}
}

// untold is a connection of a proxy that has not said yet whom it speaks for: whoever
// asks waits for that.
type untold struct {
	net.Conn
	t *testing.T
}

func (c untold) RemoteAddr() net.Addr {
	c.t.Error("somebody waits for a PROXY header")
	return c.Conn.RemoteAddr()
}

func TestNobodyWaitsForTheHeaderOfAProxyThatMakesWay(t *testing.T) {
	w := newCrowd(t, 1)
	first, ended := w.enter("192.0.2.1")
	first.Conn = untold{first.Conn, t}
	if c, _ := w.enter("192.0.2.2"); c == nil || <-ended != "" {
		t.Error("the proxy's connection does not make way")
	}
}

func TestACrowdFromOneAddressMakesWayForItself(t *testing.T) {
	w := newCrowd(t, 10)
	_, slow := w.enter("192.0.2.1")
	for range 1000 {
		if c, _ := w.enter("203.0.113.7"); c == nil {
			t.Fatal("there is no room")
		}
	}
	select {
	case <-slow:
		t.Error("a slow client is gone")
	default:
	}
	if c, _ := w.enter("192.0.2.3"); c == nil {
		t.Error("a newcomer is not let in")
	} else if <-slow; c.in == nil {
		t.Error("the newcomer makes way for itself")
	}
}

func TestWithoutAnybodyWhoWaitsANewcomerIsRefused(t *testing.T) {
	w := newCrowd(t, 1)
	first, _ := w.enter("192.0.2.1")
	w.move(first, &w.answering)
	if c, ended := w.enter("192.0.2.2"); c != nil || <-ended != answerFull || w.refused[full].Load() != 1 {
		t.Errorf("one too many: %v, %d refusals", c, w.refused[full].Load())
	}
	_ = first.Close()
	_ = first.Close()
	if second, _ := w.enter("192.0.2.3"); second == nil {
		t.Error("a place that was given back is not there")
	}
}

func TestARequestThatIsAnsweredDoesNotMakeWay(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	g := start(t, func(o *Options) {
		o.Admit = func(context.Context, *core.Handshake, *core.Grant) error {
			close(asked)
			<-answer
			return nil
		}
	})
	p := dial(t, g.publicAddr)
	p.send(handshake("?clientId=a"))
	<-asked
	if g.strangers.makeWay(noPeer) {
		t.Error("it makes way")
	}
	close(answer)
	if r, _ := p.answer(); r.StatusCode != http.StatusSwitchingProtocols {
		t.Error(r.Status)
	}
	closeDescriptor((<-g.clients).FD)

	idle := dial(t, g.publicAddr)
	idle.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
	idle.answer()
	eventually(t, "it waits for another request", func() bool { return g.strangers.makeWay(noPeer) })
	if _, err := idle.in.ReadByte(); err != io.EOF {
		t.Errorf("the connection is still open: %v", err)
	}
}

func TestShutdownDoesNotWaitForStrangers(t *testing.T) {
	g := start(t, func(o *Options) { o.HandshakeTimeout = time.Hour })
	dial(t, g.publicAddr)
	dial(t, g.publicAddr).send("GET /ws?clientId=a HTTP/1.1\r\nHost:")
	second := dial(t, g.publicAddr)
	second.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
	second.answer()
	second.send("GET /healthz")
	eventually(t, "all wait", func() bool { return g.strangers.counts.total.Load() == 3 })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := g.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if n := g.strangers.counts.total.Load(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

// What a proxy's header says of a connection is not known before it is there.
func TestWhoHasNotSentItsProxyHeaderMakesWayAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails when all wait for ever
		w := newCrowd(t, 1)
		silent, ended := w.enter("192.0.2.1")
		silent.Conn = behind(silent.raw)
		if c, _ := w.enter("192.0.2.2"); c == nil || <-ended != "" {
			t.Error("it does not make way")
		}
	})
}

func TestAStreamDoesNotMakeWay(t *testing.T) {
	end := make(chan struct{})
	g := start(t, func(o *Options) {
		o.Tail = func(url.Values, bool) (Stream, error) {
			return func(write func([]byte) error) {
				_ = write([]byte("1\n"))
				<-end
				_ = write([]byte("2\n"))
			}, nil
		}
	})
	p := dial(t, g.adminAddr)
	p.send("GET /v1/tail HTTP/1.1\r\nHost: localhost\r\n\r\n")
	r, err := http.ReadResponse(p.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 2)
	if _, err := io.ReadFull(r.Body, first); err != nil || string(first) != "1\n" {
		t.Fatalf("%q, %v", first, err)
	}
	if g.operators.makeWay(noPeer) {
		t.Error("it makes way")
	}
	close(end)
	if rest, err := io.ReadAll(r.Body); err != nil || string(rest) != "2\n" {
		t.Errorf("the rest is %q, %v", rest, err)
	}
}
