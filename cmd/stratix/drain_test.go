package main

import (
	"net/http"
	"strings"
	"testing"
)

// A client that does not answer the close frame keeps the drain going until the
// test has looked at everything.
func TestAGatewayThatSaysGoodbyeIsNotReady(t *testing.T) {
	r := runGateway(t, map[string]string{"main.lua": stampScript(1)}, nil)
	public, admin := r.Addr().String(), r.AdminAddr().String()
	c, err := dialWS(public, "c1")
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	silent, err := dialWS(public, "c2")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.conn.Close()
	ready := func(addr string) bool {
		resp, err := http.Get("http://" + addr + "/readyz")
		if err != nil {
			return false // nobody listens any more, which is not ready either
		}
		defer resp.Body.Close()
		return resp.StatusCode != http.StatusServiceUnavailable
	}
	if !ready(public) || !ready(admin) {
		t.Fatal("not ready before the end")
	}

	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		r.stop()
	}()
	goodbye, err := c.next()
	if err != nil || !strings.HasPrefix(goodbye, `{"type":6,`) || !strings.Contains(goodbye, `"reason":"drain"`) {
		t.Fatalf("got %s, %v; want a goodbye", goodbye, err)
	}
	if ready(public) || ready(admin) {
		t.Error("a client was told to go while the gateway was still ready")
	}
	if late, err := dialWS(public, "c3"); err == nil {
		_ = late.conn.Close()
		t.Error("a new client was let in after the goodbye")
	}
	_ = c.conn.Close()
	_ = silent.conn.Close()
	<-stopped
}
