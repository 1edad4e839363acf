// Package examples_test runs the tests of every example, boots it, and plays the
// transcript of its README against it.
package examples_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
)

// patience is how long a frame may take that must come.
const patience = 20 * time.Second

func TestExamples(t *testing.T) {
	stratix := build(t)
	folders, err := filepath.Glob("*/main.lua")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no examples found: %v", err)
	}
	for _, main := range folders {
		dir := filepath.Dir(main)
		t.Run(dir, func(t *testing.T) {
			if out, err := exec.Command(stratix, "check", dir).CombinedOutput(); err != nil {
				t.Fatalf("stratix check: %v\n%s", err, out)
			}
			tested(t, stratix, dir)
			play(t, serve(t, stratix, dir), transcript(t, dir))
		})
	}
}

func TestTheShippedScriptsPassTheirTests(t *testing.T) {
	tested(t, build(t), "../scripts/routes")
}

// tested runs the tests of a scripts folder; there are some.
func tested(t *testing.T, stratix, dir string) {
	t.Helper()
	out, err := exec.Command(stratix, "test", dir).CombinedOutput()
	if err != nil || strings.Contains(string(out), "has no tests") {
		t.Errorf("stratix test: %v\n%s", err, out)
	}
}

// build makes the real binary.
func build(t *testing.T) string {
	t.Helper()
	stratix := filepath.Join(t.TempDir(), "stratix")
	if out, err := exec.Command("go", "build", "-o", stratix, "../cmd/stratix").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return stratix
}

// serve starts a gateway with the scripts in dir and returns its address. It is
// ended, and has to end well, when the test does.
func serve(t *testing.T, stratix, dir string) string {
	t.Helper()
	cmd := exec.Command(stratix, "serve", "--listen", "127.0.0.1:0", "--admin", "off",
		"--scripts", dir, "--data", t.TempDir(), "--log-format", "json")
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(log)
	var read []string
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		for lines.Scan() {
			read = append(read, lines.Text())
		}
		err := cmd.Wait()
		if err != nil {
			t.Errorf("the gateway ended with: %v", err)
		}
		if t.Failed() {
			t.Logf("its log:\n%s", strings.Join(read, "\n"))
		}
	})
	for lines.Scan() {
		read = append(read, lines.Text())
		var record struct{ Msg, Listen string }
		if json.Unmarshal(lines.Bytes(), &record) == nil && record.Msg == "stratix is ready" {
			awaitReady(t, record.Listen)
			return record.Listen
		}
	}
	t.Fatal("the gateway did not start")
	return ""
}

// awaitReady asks until the gateway takes clients.
func awaitReady(t *testing.T, address string) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		resp, err := http.Get("http://" + address + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return
		}
	}
	t.Fatal("the gateway does not become ready")
}

// line is one line of a transcript: a frame that a client sends or gets.
type line struct {
	client string
	sends  bool
	frame  string
}

var (
	block     = regexp.MustCompile("(?ms)^```transcript\n(.*?)^```$")
	frameLine = regexp.MustCompile(`^([a-z0-9-]+)([<>]) (\{.*\})$`)
	times     = regexp.MustCompile(`"ts":\d+`)
)

// transcript reads the transcript in the README of dir.
func transcript(t *testing.T, dir string) []line {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := block.FindSubmatch(readme)
	if found == nil {
		t.Fatal("the README has no block that begins with ```transcript")
	}
	var all []line
	for text := range strings.Lines(string(found[1])) {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		m := frameLine.FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("this is no line of a transcript: %s", text)
		}
		all = append(all, line{m[1], m[2] == ">", m[3]})
	}
	return all
}

// play connects everybody in the transcript, then goes through it line by line.
// At the end nobody has got anything else.
func play(t *testing.T, address string, lines []line) {
	t.Helper()
	clients := map[string]*client{}
	for _, l := range lines {
		if clients[l.client] == nil {
			clients[l.client] = connect(t, address, l.client)
		}
	}
	for _, l := range lines {
		c := clients[l.client]
		if l.sends {
			c.send(l.frame)
		} else if got := c.next(); withoutTime(got) != withoutTime(l.frame) {
			t.Fatalf("%s:\n got %s\nwant %s", l.client, got, l.frame)
		}
	}
	for _, c := range clients {
		c.hearsNothing()
	}
}

func withoutTime(frame string) string { return times.ReplaceAllString(frame, `"ts":0`) }

// client is one of the clients in a transcript.
type client struct {
	t    *testing.T
	name string
	ws   *websocket.Conn
}

func connect(t *testing.T, address, name string) *client {
	t.Helper()
	ws, _, err := websocket.DefaultDialer.Dial("ws://"+address+"/ws?clientId="+url.QueryEscape(name), nil)
	if err != nil {
		t.Fatalf("%s: connect: %v", name, err)
	}
	t.Cleanup(func() { _ = ws.Close() })
	c := &client{t, name, ws}
	c.hearsNothing() // and is known to the gateway: the handshake ends a moment before
	return c
}

func (c *client) send(frame string) {
	c.t.Helper()
	if err := c.ws.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
		c.t.Fatalf("%s: send: %v", c.name, err)
	}
}

func (c *client) next() string {
	c.t.Helper()
	_ = c.ws.SetReadDeadline(time.Now().Add(patience))
	_, frame, err := c.ws.ReadMessage()
	if err != nil {
		c.t.Fatalf("%s: %v", c.name, err)
	}
	return string(frame)
}

// hearsNothing fails if a frame comes before the answer to a ping.
func (c *client) hearsNothing() {
	c.t.Helper()
	c.send(`{"type":4}`)
	if got := c.next(); got != `{"type":5}` {
		c.t.Fatalf("%s got what the transcript does not have: %s", c.name, got)
	}
}
