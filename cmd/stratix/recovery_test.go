package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core/gateway"
	corejournal "github.com/stratix-gateway/stratix/core/journal"
)

// heldFS is the real file layer, whose reads wait while held is not nil.
type heldFS struct {
	corejournal.FS
	held atomic.Pointer[chan struct{}]
}

type heldFile struct {
	corejournal.File
	fs *heldFS
}

func (h *heldFS) Open(name string) (corejournal.File, error) {
	f, err := h.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return heldFile{f, h}, nil
}

func (f heldFile) ReadAt(b []byte, off int64) (int, error) {
	if held := f.fs.held.Load(); held != nil {
		<-*held
	}
	return f.File.ReadAt(b, off)
}

const keeping = `pipeline { stage.disk {}, stage.ring {} }`

func TestListAndVerifyCountTheSameBytes(t *testing.T) {
	data := t.TempDir()
	for life := range 3 {
		r := runGateway(t, map[string]string{"main.lua": strings.Replace(keeping, "disk {}", `disk { segment = "1MiB" }`, 1)}, func(c *serveCmd) { c.Data = data })
		a, err := dialWS(r.Addr().String(), "a")
		if err != nil {
			t.Fatal(err)
		}
		for n := range 20 {
			if err := a.send(fmt.Sprintf(`{"type":0,"messageId":"m%d-%d","to":"b","data":%q}`, life, n, strings.Repeat("x", 60_000))); err != nil {
				t.Fatal(err)
			}
			if text, err := a.next(); err != nil || !strings.Contains(text, `"stored":"disk"`) {
				t.Fatalf("got %s %v", text, err)
			}
		}
		a.conn.Close()
		r.stop()
		sum, err := (&logListCmd{logFolder: logFolder{data}}).sumUp()
		if err != nil {
			t.Fatal(err)
		}
		found, err := (&logVerifyCmd{logFolder{data}}).read()
		if err != nil {
			t.Fatal(err)
		}
		if len(sum.Segments) < 2 || sum.Total.Bytes != found.bytes() {
			t.Errorf("life %d: %d bytes are listed and %d verified, in %d segments", life, sum.Total.Bytes, found.bytes(), len(sum.Segments))
		}
	}
}

func TestNobodyIsServedBeforeWhatWaitsIsBack(t *testing.T) {
	data := t.TempDir()
	first := runGateway(t, map[string]string{"main.lua": keeping}, func(c *serveCmd) { c.Data = data })
	a, err := dialWS(first.Addr().String(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.send(`{"type":0,"messageId":"m1","to":"b","data":"x"}`); err != nil {
		t.Fatal(err)
	}
	if text, err := a.next(); err != nil || !strings.Contains(text, `"stored":"disk","status":"queued"`) {
		t.Fatalf("got %s %v", text, err)
	}
	a.conn.Close()
	first.stop()

	dir := t.TempDir()
	save(t, dir+"/main.lua", keeping)
	c := serveCmd{
		Listen: "127.0.0.1:0", Admin: "off", Scripts: dir, Data: data, MaxConnections: 10, MaxMessage: 64 << 10,
		HandshakeTimeout: patience, MessageTimeout: patience, PingEvery: patience, IdleTimeout: 2 * patience,
		Window: 512, AckTimeout: patience, SessionLifetime: time.Hour, MaxSessions: 1000, DedupWindow: time.Minute, DedupMessages: 1000,
		QueueBytes: 1 << 20, QueuePolicy: "reject", Budget: 100_000, Transport: "auto", DrainTimeout: 10 * time.Second,
	}
	log := &journal{}
	opt, err := c.options(slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	files := &heldFS{FS: corejournal.OS()}
	opt.Files = files
	g, err := gateway.Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	gate := make(chan struct{})
	files.held.Store(&gate)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()

	ready := func() int {
		r, err := http.Get("http://" + g.Addr().String() + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		_, _ = io.Copy(io.Discard, r.Body)
		return r.StatusCode
	}
	if got := ready(); got != http.StatusServiceUnavailable {
		t.Errorf("/readyz answers %d while the log is read", got)
	}
	if _, err := dialWS(g.Addr().String(), "b"); err == nil {
		t.Error("a client is let in while the log is read")
	}
	files.held.Store(nil)
	close(gate)
	for end := time.Now().Add(patience); ready() != http.StatusOK; {
		if time.Now().After(end) {
			t.Fatalf("it is not ready after the log was read:\n%s", log)
		}
	}
	for _, line := range []string{`msg="recovering: not ready yet"`, `msg=recovered pending=1 clients=1`} {
		if !strings.Contains(log.String(), line) {
			t.Errorf("the log does not say %s:\n%s", line, log)
		}
	}
	b, err := dialWS(g.Addr().String(), "b")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := b.next(); err != nil || !strings.Contains(text, `"messageId":"m1"`) {
		t.Errorf("got %s %v", text, err)
	}
}

func TestADataFolderIsForOneGateway(t *testing.T) {
	data := t.TempDir()
	first := runGateway(t, map[string]string{"main.lua": keeping}, func(c *serveCmd) { c.Data = data })
	dir := t.TempDir()
	save(t, dir+"/main.lua", keeping)
	second := serveCmd{Listen: "127.0.0.1:0", Admin: "off", Scripts: dir, Data: data, QueuePolicy: "reject", Transport: "auto"}
	opt, err := second.options(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	_, err = gateway.Open(opt)
	if err == nil || !strings.Contains(err.Error(), "another gateway uses "+gateway.LogDir(data)) {
		t.Errorf("a second gateway starts with %v", err)
	}
	first.stop()
}

func TestDiskWithoutADataFolderIsRefused(t *testing.T) {
	dir := t.TempDir()
	save(t, dir+"/main.lua", keeping)
	c := serveCmd{Listen: "127.0.0.1:0", Admin: "off", Scripts: dir, QueuePolicy: "reject", Transport: "auto"}
	opt, err := c.options(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = gateway.Open(opt); err == nil || !strings.Contains(err.Error(), "main.lua:1: stage.disk: start: ") || !strings.Contains(err.Error(), "--data") {
		t.Errorf("it starts with %v", err)
	}
}
