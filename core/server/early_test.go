//go:build unix

package server

import (
	"bytes"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// descriptorConn makes a net.Conn of a handed over descriptor, which it owns.
func descriptorConn(t *testing.T, fd int) net.Conn {
	t.Helper()
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
		t.Errorf("the descriptor is blocking (flags %#x, %v)", flags, err)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("the descriptor is inherited by other programs (flags %#x, %v)", flags, err)
	}
	f := os.NewFile(uintptr(fd), "client")
	defer func() { _ = f.Close() }()
	c, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// Whatever the segments, the early bytes and those left in the socket are
// together what the client sent behind its handshake.
func TestEarlyBytes(t *testing.T) {
	g := start(t, nil)
	f := func(frames string, writes ...string) {
		t.Helper()
		p := dial(t, g.publicAddr)
		_ = p.Conn.(*net.TCPConn).SetNoDelay(true)
		for _, w := range writes {
			p.send(w)
		}
		if err := p.Conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		c := <-g.clients
		client := descriptorConn(t, c.FD)
		defer func() { _ = client.Close() }()
		rest, err := io.ReadAll(client)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(c.Early) + string(rest); got != frames {
			t.Errorf("%d writes: %d early and %d late bytes are not the %d that were sent", len(writes), len(c.Early), len(rest), len(frames))
		}
		if len(writes) == 1 && len(frames) < 4096 && string(c.Early) != frames {
			t.Errorf("one segment: the early bytes are %q", c.Early)
		}
		// The connection works in the other direction too.
		if r, _ := p.answer(); r.StatusCode != 101 {
			t.Errorf("the answer is %s", r.Status)
		}
		if _, err := io.WriteString(client, "hello"); err != nil {
			t.Error(err)
		}
		_ = client.Close()
		if b, err := io.ReadAll(p.in); err != nil || string(b) != "hello" {
			t.Errorf("the client got %q, %v", b, err)
		}
	}
	request := handshake("?clientId=a")
	f("", request)
	f("x", request+"x")
	f("frames", request+"frames")
	f("frames", request, "frames")
	f("frames", request+"fra", "mes")
	f("frames", request[:40], request[40:]+"f", "rames")
	f("frames", request[:len(request)-1], "\nframes")
	f("frames", strings.Split(request+"frames", "")...)
	// Exactly up to the end of fasthttp's buffer, one less, and beyond.
	for _, n := range []int{511, 512, 513, headerBytes - len(request) - 1, headerBytes - len(request), headerBytes - len(request) + 1, headerBytes, 3 * headerBytes} {
		var b bytes.Buffer
		for i := range n {
			b.WriteByte(byte('a' + i%23))
		}
		f(b.String(), request+b.String())
	}
}

func TestEarlyBytesBehindAnotherRequest(t *testing.T) {
	g := start(t, nil)
	p := dial(t, g.publicAddr)
	p.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" + handshake("?clientId=a") + "early")
	p.answer()
	if r, _ := p.answer(); r.StatusCode != 101 {
		t.Fatal(r.Status)
	}
	c := <-g.clients
	closeDescriptor(c.FD)
	if string(c.Early) != "early" {
		t.Errorf("the early bytes are %q", c.Early)
	}
}
