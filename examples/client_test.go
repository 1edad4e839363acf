package examples_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
)

// play connects everybody in the transcript but those that it lets connect later,
// and goes through it line by line. At the end nobody has got anything else.
func play(t *testing.T, address string, said readme) {
	t.Helper()
	lines := said.lines
	clients := map[string]*client{}
	seen := map[string]bool{}
	for _, l := range lines {
		if !seen[l.client] && (l.does == ">" || l.does == "<") {
			clients[l.client] = connect(t, address, l.client, "")
		}
		seen[l.client] = true
	}
	for _, l := range lines {
		switch c := clients[l.client]; l.does {
		case "connects":
			clients[l.client] = connect(t, address, l.client, said.token(t, l.claims))
		case "leaves":
			c.leaves()
			delete(clients, l.client)
		case "is refused:":
			if got := dial(t, address, l.client, "").closed(); got != l.what {
				t.Fatalf("%s is refused: %s, want %s", l.client, got, l.what)
			}
		case "is turned away":
			if got := turnedAway(t, address, l.client, said.token(t, l.claims)); got != l.what {
				t.Fatalf("%s is turned away: %s, want %s", l.client, got, l.what)
			}
		case ">":
			c.send(l.what)
		case "<":
			if got := c.next(); withoutTimes(got) != withoutTimes(l.what) {
				t.Fatalf("%s:\n got %s\nwant %s", l.client, got, l.what)
			}
		}
	}
	for _, c := range clients {
		c.hearsNothing()
	}
}

// times are milliseconds since 1970.
var times = regexp.MustCompile(`\b\d{13}\b`)

func withoutTimes(frame string) string { return times.ReplaceAllString(frame, `0`) }

// client is one of the clients in a transcript.
type client struct {
	t    *testing.T
	name string
	ws   *websocket.Conn
}

// asks for an upgrade with a token, or with none.
func asks(address, name, token string) (*websocket.Conn, *http.Response, error) {
	head := http.Header{}
	if token != "" {
		head.Set("Authorization", "Bearer "+token)
	}
	return websocket.DefaultDialer.Dial("ws://"+address+"/ws?clientId="+url.QueryEscape(name), head)
}

func dial(t *testing.T, address, name, token string) *client {
	t.Helper()
	ws, resp, err := asks(address, name, token)
	if err != nil {
		t.Fatalf("%s: connect: %v", name, err)
	}
	_ = resp.Body.Close()
	t.Cleanup(func() { _ = ws.Close() })
	return &client{t, name, ws}
}

// turnedAway is the status and the code that an upgrade is refused with.
func turnedAway(t *testing.T, address, name, token string) string {
	t.Helper()
	ws, resp, err := asks(address, name, token)
	if err == nil {
		_ = ws.Close()
		return "it is let in"
	} else if resp == nil {
		t.Fatalf("%s: connect: %v", name, err)
	}
	defer resp.Body.Close()
	var why struct{ Code string }
	if err := json.NewDecoder(resp.Body).Decode(&why); err != nil {
		t.Fatalf("%s: the answer to its upgrade: %v", name, err)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, why.Code)
}

func connect(t *testing.T, address, name, token string) *client {
	t.Helper()
	c := dial(t, address, name, token)
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

// leaves ends the connection. When the gateway has answered, it is gone there.
func (c *client) leaves() {
	c.t.Helper()
	c.hearsNothing()
	bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	if err := c.ws.WriteControl(websocket.CloseMessage, bye, time.Now().Add(patience)); err != nil {
		c.t.Fatalf("%s: close: %v", c.name, err)
	}
	if got := c.closed(); got != "1000 " {
		c.t.Fatalf("%s leaves, and is closed with %s", c.name, got)
	}
}

// closed waits for the close frame and returns its code and reason.
func (c *client) closed() string {
	c.t.Helper()
	_ = c.ws.SetReadDeadline(time.Now().Add(patience))
	_, frame, err := c.ws.ReadMessage()
	var end *websocket.CloseError
	if !errors.As(err, &end) {
		c.t.Fatalf("%s is not closed: %s, %v", c.name, frame, err)
	}
	return fmt.Sprintf("%d %s", end.Code, end.Text)
}
