package server

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
)

func TestListenErrors(t *testing.T) {
	taken := listenLocal(t)
	defer func() { _ = taken.Close() }()
	f := func(addr, want string) {
		t.Helper()
		ln, err := Listen(addr)
		if err == nil {
			_ = ln.Close()
			t.Errorf("listening on %s went well", addr)
			return
		}
		if !strings.HasPrefix(err.Error(), "listen on "+addr+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want %q", err, want)
		}
		if strings.Count(err.Error(), "listen") > 1 {
			t.Errorf("the error repeats itself: %q", err)
		}
	}
	f(taken.Addr().String(), "address already in use")
	f("8080", "missing port")
	f("127.0.0.1:99999", "invalid port")
	f("192.0.2.1:0", "cannot assign requested address")
	f("unix:"+filepath.Join(t.TempDir(), "none", "a.sock"), "no such file or directory")

	file := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	f("unix:"+file, "not a socket")

	socket := "unix:" + filepath.Join(t.TempDir(), "a.sock")
	ln, err := Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	f(socket, "address already in use")
}

func TestListenOnBothFamilies(t *testing.T) {
	ln, err := Listen(":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	for _, host := range []string{"127.0.0.1", "::1"} {
		if host == "::1" && !strings.HasPrefix(ln.Addr().String(), "[") {
			t.Skip("this machine has no IPv6")
		}
		c, err := net.Dial("tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Errorf("dial %s: %v", host, err)
			continue
		}
		_ = c.Close()
	}
}

func TestUnixSocketIsPrivateAndReplacesAStaleOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.sock")
	stale, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = stale.Close()

	ln, err := Listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mode is %v, %v", info.Mode(), err)
	}
	_ = ln.Close()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket file stays: %v", err)
	}
}

// scripted is a listener that returns what it was told.
type scripted struct {
	net.Listener
	errs []error
	conn net.Conn
}

func (l *scripted) Accept() (net.Conn, error) {
	if len(l.errs) == 0 {
		return l.conn, nil
	}
	err := l.errs[0]
	l.errs = l.errs[1:]
	return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", err)}
}

// Where descriptors are short, those who wait longest give theirs back.
func TestWithoutDescriptorsSomeMakeWay(t *testing.T) {
	w := newCrowd(t, 0)
	_, first := w.enter("192.0.2.1")
	client, _ := net.Pipe()
	ln := &listener{Listener: &scripted{errs: []error{syscall.EMFILE}, conn: client}, waiting: w.waiting, log: slog.New(slog.DiscardHandler)}
	if c, err := ln.Accept(); err != nil || c.(*conn).Conn != client {
		t.Errorf("got %v, %v", c, err)
	}
	if <-first != "" || w.refused[madeWay].Load() != 1 {
		t.Error("nobody made way")
	}
}

func TestAcceptOutlivesAShortage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := net.Pipe()
		ln := &listener{
			Listener: &scripted{errs: []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS}, conn: client},
			waiting:  new(waiting),
			log:      slog.New(slog.DiscardHandler),
		}
		c, err := ln.Accept()
		if err != nil || c.(*conn).Conn != client {
			t.Errorf("got %v, %v", c, err)
		}
		ln.Listener = &scripted{errs: []error{syscall.EINVAL}}
		if _, err := ln.Accept(); err == nil {
			t.Error("a lasting error was taken for a passing one")
		}
	})
}
