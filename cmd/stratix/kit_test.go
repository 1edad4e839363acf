package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core/frame"
	"github.com/stratix-gateway/stratix/core/gateway"
	"github.com/stratix-gateway/stratix/core/reload"
)

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

// running is a gateway inside the test process, with a scripts folder of its own.
type running struct {
	*gateway.Gateway
	t       testing.TB
	scripts string
	log     *journal
	key     string // for the admin address; "" for none
	stop    func() // shuts down and waits; more calls do nothing
}

// journal keeps the log for the test to read.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// runGateway starts a gateway as `stratix serve` does, on free ports, with the
// given scripts. adjust may change the flags first.
func runGateway(t testing.TB, scripts map[string]string, adjust func(*serveCmd)) *running {
	t.Helper()
	return runGatewayWith(t, scripts, adjust, "")
}

// runGatewayWith is runGateway for a gateway that asks for a key.
func runGatewayWith(t testing.TB, scripts map[string]string, adjust func(*serveCmd), key string) *running {
	t.Helper()
	dir := t.TempDir()
	for name, text := range scripts {
		save(t, filepath.Join(dir, name), text)
	}
	c := serveCmd{
		Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Scripts: dir, Data: t.TempDir(),
		MaxConnections: 100_000, MaxMessage: 64 << 10, HandshakeTimeout: patience, MessageTimeout: patience,
		PingEvery: 2 * patience, IdleTimeout: 4 * patience, QueueBytes: 1 << 20, QueuePolicy: "drop_oldest",
		Window: 512, AckTimeout: patience, SessionLifetime: time.Hour, MaxSessions: 1_000_000,
		DedupWindow: 10 * time.Minute, DedupMessages: 400_000,
		Budget: 100_000, Deflate: true, DeflateAbove: 1 << 10, PublicMetrics: true, Transport: "auto", DrainTimeout: 10 * time.Second,
	}
	if adjust != nil {
		adjust(&c)
	}
	return serveUntilEnd(t, &c, key)
}

// serveUntilEnd runs the gateway that c says, until the test ends.
func serveUntilEnd(t testing.TB, c *serveCmd, key string) *running {
	t.Helper()
	j := &journal{}
	level := new(slog.LevelVar)
	opt, err := c.options(c.logger(j, level))
	if err != nil {
		t.Fatal(err)
	}
	opt.LevelVar = level
	if c.said != nil {
		opt.Settings = c.settings()
	}
	g, err := gateway.Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	r := &running{Gateway: g, t: t, scripts: c.Scripts, log: j, key: key}
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the gateway ended with: %v", err)
		}
		if t.Failed() {
			t.Logf("the gateway's log:\n%s", j)
		}
	})
	t.Cleanup(r.stop)
	r.waitFor("the gateway to be ready", func(st gateway.Status) bool { return st.Ready })
	return r
}

// save writes a file as an editor does that writes in place.
func save(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// renameOver writes a file as an editor does that renames a new one over it.
func renameOver(t testing.TB, path, text string) {
	t.Helper()
	save(t, path+"~", text)
	if err := os.Rename(path+"~", path); err != nil {
		t.Fatal(err)
	}
}

// status asks the admin address.
func (r *running) status() gateway.Status {
	r.t.Helper()
	var st gateway.Status
	if err := json.Unmarshal([]byte(r.get("http://"+r.AdminAddr().String()+"/v1/status")), &st); err != nil {
		r.t.Fatal(err)
	}
	return st
}

func (r *running) get(url string) string {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if r.key != "" {
		req.Header.Set("Authorization", "Bearer "+r.key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

// metric is the value of a line of /metrics.
func (r *running) metric(name string) string {
	r.t.Helper()
	for line := range strings.Lines(r.get("http://" + r.Addr().String() + "/metrics")) {
		if v, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// waitFor asks again and again until ok says so.
func (r *running) waitFor(what string, ok func(gateway.Status) bool) gateway.Status {
	r.t.Helper()
	for end := time.Now().Add(patience); ; {
		st := r.status()
		if ok(st) {
			return st
		}
		if time.Now().After(end) {
			r.t.Fatalf("waited in vain for %s; status %+v\nlog:\n%s", what, st, r.log)
		}
	}
}

// wsClient is a client that owes nothing to the libraries of the gateway but
// the frame package in its client role.
type wsClient struct {
	conn    net.Conn
	frames  *frame.Reader
	partial *frame.Partial
	buf     []byte
	rest    []byte
	early   []string // messages that came before the first pong
	closed  bool     // the gateway's close frame has come ...
	code    int      // ... with this code
}

func dialWS(addr, id string) (*wsClient, error) { return dialAs(addr, id, "") }

// dialReliable connects a client of stratix.v1 that knows nothing.
func dialReliable(addr, id string) (*wsClient, error) {
	c, err := dialAs(addr, id, "Sec-WebSocket-Protocol: stratix.v1\r\n")
	if err != nil {
		return nil, err
	}
	if err := c.send(`{"type":3}`); err != nil {
		return nil, err
	}
	_, err = c.next() // the answer
	return c, err
}

func dialAs(addr, id, headers string) (*wsClient, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(conn, "GET /ws?clientId=%s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n", id, addr, headers)
	if err != nil {
		return nil, err
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		b, _ := io.ReadAll(resp.Body)
		return nil, fmt.Errorf("%s: %s", resp.Status, b)
	}
	c := &wsClient{conn: conn, frames: frame.NewReader(frame.Config{MaxMessage: 1 << 20, Client: true}), buf: make([]byte, 4096)}
	early, _ := in.Peek(in.Buffered())
	c.rest = append(c.rest, early...)
	return c, c.settle()
}

// settle waits for a pong: from then on the client can be reached.
func (c *wsClient) settle() error {
	if _, err := c.conn.Write(frame.AppendMasked(nil, frame.OpPing, [4]byte{7, 1, 9, 3}, nil)); err != nil {
		return err
	}
	for {
		op, text, err := c.frame()
		switch {
		case err != nil:
			return err
		case op == frame.OpText:
			c.early = append(c.early, text)
		case op == frame.OpClose:
			c.closed = true
			return nil
		case op == frame.OpPong:
			return nil
		}
	}
}

func (c *wsClient) send(text string) error {
	_, err := c.conn.Write(frame.AppendMasked(nil, frame.OpText, [4]byte{7, 1, 9, 3}, []byte(text)))
	return err
}

// next returns the next text message, or io.EOF when the gateway has closed.
func (c *wsClient) next() (string, error) {
	if len(c.early) > 0 {
		text := c.early[0]
		c.early = c.early[1:]
		return text, nil
	}
	for !c.closed {
		op, text, err := c.frame()
		switch {
		case err != nil:
			return "", err
		case op == frame.OpText:
			return text, nil
		case op == frame.OpClose:
			c.closed = true
		}
	}
	return "", io.EOF
}

// closeCode reads up to the gateway's close frame and returns its code.
func (c *wsClient) closeCode() (int, error) {
	for {
		op, _, err := c.frame()
		if err != nil {
			return 0, err
		}
		if op == frame.OpClose {
			return c.code, nil
		}
	}
}

// frame returns the next frame or message of any kind.
func (c *wsClient) frame() (frame.Op, string, error) {
	for {
		for len(c.rest) > 0 {
			ev, n, ok, err := c.frames.Next(&c.partial, false, c.rest)
			if err != nil {
				return 0, "", err
			}
			text := string(ev.Payload)
			if ok && ev.Op == frame.OpClose {
				c.code = ev.Code
			}
			c.rest = c.rest[n:]
			if !ok {
				break
			}
			return ev.Op, text, nil
		}
		_ = c.conn.SetReadDeadline(time.Now().Add(patience))
		n, err := c.conn.Read(c.buf)
		if err != nil {
			return 0, "", err
		}
		c.rest = c.buf[:n]
	}
}

// hashOf is the short hash under which the folder of main goes live.
func hashOf(t testing.TB, main string) string {
	t.Helper()
	snap, err := reload.Read(filepath.Dir(main))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", snap.Hash[:6])
}
