package main

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core/frame"
	"github.com/stratix-gateway/stratix/core/gateway"
)

func TestHooksRunWhenClientsComeAndGoAndAsTimePasses(t *testing.T) {
	r := runGateway(t, map[string]string{"main.lua": `
pipeline {}
function on_connect(conn)
  if conn:id() == "stranger" then conn:reject("unknown here") end
end
function on_disconnect(conn, reason) log.info(conn:id() .. " has gone: " .. reason) end
function on_tick(now) log.info("tick at " .. now) end
`}, nil)
	dial := func(id string) *wsClient {
		t.Helper()
		c, err := dialWS(r.Addr().String(), id)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.conn.Close() })
		return c
	}
	logged := func(text string) {
		t.Helper()
		r.waitFor(text, func(gateway.Status) bool { return strings.Contains(r.log.String(), text) })
	}
	leave := func(c *wsClient) {
		t.Helper()
		if _, err := c.conn.Write(frame.AppendMasked(nil, frame.OpClose, [4]byte{}, []byte{3, 232})); err != nil {
			t.Fatal(err)
		}
		if text, err := c.next(); err != io.EOF {
			t.Fatalf("got %s, %v; want a close frame", text, err)
		}
		_ = c.conn.Close()
	}

	leave(dial("a"))
	logged("a has gone: left")

	first := dial("b")
	second := dial("b")
	if text, err := first.next(); err != io.EOF {
		t.Fatalf("got %s, %v; want a close frame", text, err)
	}
	_ = first.conn.Close()
	logged("b has gone: replaced")
	leave(second)
	logged("b has gone: left")

	broken := dial("c")
	_ = broken.conn.(*net.TCPConn).SetLinger(0) // closes with a reset
	_ = broken.conn.Close()
	logged("c has gone: lost")

	stranger := dial("stranger")
	if text, err := stranger.next(); err != io.EOF {
		t.Fatalf("got %s, %v; want a close frame", text, err)
	}
	_ = stranger.conn.Close()
	logged("tick at 1")

	last := dial("d")
	r.waitFor("d to be connected", func(st gateway.Status) bool { return st.Connections == 1 })
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		r.stop()
	}()
	if text, err := last.next(); err != nil || !strings.HasPrefix(text, `{"type":6,`) {
		t.Fatalf("got %s, %v; want a goodbye", text, err)
	}
	if text, err := last.next(); err != io.EOF {
		t.Fatalf("got %s, %v; want a close frame", text, err)
	}
	_ = last.conn.Close()
	<-stopped
	log := r.log.String()
	if !strings.Contains(log, "d has gone: drain") {
		t.Errorf("no word of the drain:\n%s", log)
	}
	if strings.Contains(log, "stranger has gone") {
		t.Error("on_disconnect ran for a client that was refused")
	}
	if n := strings.Count(log, " has gone: "); n != 5 {
		t.Errorf("on_disconnect ran %d times, want 5:\n%s", n, log)
	}
}

func TestScriptsThatLetNobodyInAreTakenBack(t *testing.T) {
	r := runGateway(t, map[string]string{"main.lua": stampScript(1)}, gated)
	save(t, filepath.Join(r.scripts, "main.lua"), stampScript(2)+"\nfunction on_connect(conn) local x = nil; x.y = 1 end\n")
	r.waitFor("the scripts to be live", func(st gateway.Status) bool { return st.Scripts.Generation == 2 })
	for i := range 10 {
		c, err := dialWS(r.Addr().String(), fmt.Sprint("c", i))
		if err != nil {
			t.Fatal(err)
		}
		defer c.conn.Close()
	}
	st := r.waitFor("them to be taken back", func(st gateway.Status) bool { return st.Scripts.Last.Result == "rolled_back" })
	if text := strings.Join(st.Scripts.Last.Problems, "\n"); !strings.Contains(text, "10 failures on 10 connects") {
		t.Errorf("the reason is %q", text)
	}
}
