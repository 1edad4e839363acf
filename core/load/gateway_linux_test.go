package load

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core/frame"
)

// gateway is a small WebSocket server that routes and acknowledges, a goroutine
// a connection, and does wrong what a test tells it to.
type gateway struct {
	url string
	// misdeed is called with the number of every message, from 1.
	misdeed func(n int64) misdeed
	refuse  bool // handshakes
	dribble bool // frames leave in pieces
	clings  bool // to connections that were closed by the client
	// stamp is the number of the save that a probe of the client goes through,
	// "" for none.
	stamp          func(client string) string
	stored, status string // of acknowledgements: "memory" and "delivered" if empty
	metrics        func() string
	unkept         bool   // deliveries to reliable clients have no seq
	before         uint64 // seqs that a reliable client was given before it came
	left           uint64 // how many of them it had not acknowledged

	mu      sync.Mutex
	clients map[string]*client
	group   map[*client]bool
	taken   atomic.Int64
}

type misdeed string

const (
	none           misdeed = ""
	losesDelivery  misdeed = "loses the delivery"
	losesAck       misdeed = "loses the ack"
	repeats        misdeed = "delivers twice"
	repeatsAck     misdeed = "acks twice"
	refuses        misdeed = "refuses"
	refusesFalsely misdeed = "refuses, but delivers"
	misroutes      misdeed = "delivers to the sender"
	hangsUp        misdeed = "closes the connection"
	delays         misdeed = "delivers after the next one"
	stalls         misdeed = "stands still for 300 ms"
	names          misdeed = "names a gap instead of delivering"
	repeatsSeq     misdeed = "gives the seq of the message before"
	givesOld       misdeed = "gives an old message as well"
	mumbles        misdeed = "acks without saying where it is kept"
)

type client struct {
	net.Conn
	mu   sync.Mutex
	late []byte // a delivery that is held back

	reliable     bool
	given, acked uint64 // seqs, under mu
	owes         bool   // a seq that repeats the one before, when there is one; under mu
}

func (c *client) write(dribble bool, b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b = append(b, c.late...)
	c.late = nil
	for dribble && len(b) > 7 {
		c.Write(b[:7])
		b = b[7:]
	}
	c.Write(b)
}

// serve starts the gateway for the time of the test.
func (g *gateway) serve(t *testing.T) *gateway {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g.url = fmt.Sprintf("ws://%s/ws", l.Addr())
	g.clients, g.group = map[string]*client{}, map[*client]bool{}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait() })
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { g.connection(conn) })
		}
	})
	return g
}

const epoch = "00000000000000e1"

// seq is the number of c's next message, "" for none; again is that of the one
// before, which the first message leaves to the second.
func (c *client) seq(g *gateway, again bool) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.reliable {
		return "7"
	}
	if g.unkept {
		return ""
	}
	c.owes = c.owes || again
	if !c.owes || c.given == 0 {
		c.given++
	} else {
		c.owes = false
	}
	return fmt.Sprint(c.given)
}

const pinged = "are you there"

func (g *gateway) connection(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	request, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	if g.refuse {
		fmt.Fprint(conn, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nfull")
		return
	}
	if request.URL.Path == "/metrics" {
		if g.metrics == nil {
			fmt.Fprint(conn, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
			return
		}
		text := g.metrics()
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
		return
	}
	name := request.URL.Query().Get("clientId")
	c := &client{Conn: conn, given: g.before, reliable: request.Header.Get("Sec-WebSocket-Protocol") == subprotocol}
	g.mu.Lock()
	g.clients[name] = c
	g.mu.Unlock()
	agreed := ""
	if c.reliable {
		agreed = "Sec-WebSocket-Protocol: " + subprotocol + "\r\n"
	}
	hello := fmt.Appendf(nil, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n", wsAccept, agreed)
	c.write(false, frame.AppendFrame(hello, frame.OpPing, []byte(pinged)))

	reader := frame.NewReader(frame.Config{MaxMessage: MaxSize})
	var partial *frame.Partial
	buf := make([]byte, 4096)
	answered := false
	for {
		n, err := in.Read(buf)
		if err != nil {
			return
		}
		for b := buf[:n]; ; {
			event, n, ok, err := reader.Next(&partial, false, b)
			if err != nil {
				return
			}
			if !ok {
				break
			}
			b = b[n:]
			switch {
			case event.Op == frame.OpPong && string(event.Payload) == pinged:
				answered = true
			case event.Op == frame.OpClose:
				c.write(false, frame.AppendClose(nil, event.Code, ""))
				if !g.clings {
					return
				}
			case event.Op != frame.OpText || !g.message(c, name, event.Payload, answered):
				return
			}
		}
	}
}

// message answers and routes one message, if the client is alive; false ends the
// connection.
func (g *gateway) message(from *client, name string, text []byte, alive bool) bool {
	var m struct {
		Type      int
		MessageID string
		To        any
		Headers   map[string]string
		Data      json.RawMessage
		Epoch     string
		Seq       uint64
	}
	if json.Unmarshal(text, &m) != nil {
		return false
	}
	send := func(c *client, text string) {
		c.write(g.dribble, frame.AppendFrame(nil, frame.OpText, []byte(text)))
	}
	switch m.Type {
	case 3:
		recovered := m.Epoch == epoch
		if recovered && m.Seq != g.before-g.left {
			return false
		}
		send(from, fmt.Sprintf(`{"type":3,"epoch":"%s","seq":%d,"last":%d,"recovered":%v}`, epoch, g.before-g.left, g.before, recovered))
		return true
	case 1:
		from.mu.Lock()
		defer from.mu.Unlock()
		from.acked = m.Seq
		return from.reliable && m.Seq <= from.given
	}
	g.mu.Lock()
	if m.Type == 8 {
		g.group[from] = true
		g.mu.Unlock()
		send(from, `{"type":1,"groups":["bench"]}`)
		return true
	}
	var to []*client
	switch target := m.To.(type) {
	case nil:
		to = append(to, from)
	case string:
		if c := g.clients[target]; c != nil {
			to = append(to, c)
		}
	case map[string]any:
		prefix, byPrefix := target["prefix"].(string)
		for other, c := range g.clients {
			if byPrefix && strings.HasPrefix(other, prefix) || !byPrefix && g.group[c] {
				to = append(to, c)
			}
		}
	}
	g.mu.Unlock()
	if !alive {
		return false
	}

	deed := none
	if n := g.taken.Add(1); g.misdeed != nil {
		deed = g.misdeed(n)
	}
	answer := fmt.Sprintf(`{"type":1,"messageId":"%s","stored":"%s","status":"%s"}`, m.MessageID,
		cmp.Or(g.stored, "memory"), cmp.Or(g.status, "delivered"))
	switch deed {
	case losesDelivery:
		to = to[1:]
	case misroutes:
		to[0] = from
	case refuses, refusesFalsely:
		answer = fmt.Sprintf(`{"type":2,"messageId":"%s","code":"overloaded","error":"too much"}`, m.MessageID)
		if deed == refuses {
			to = nil
		}
	case mumbles:
		answer = fmt.Sprintf(`{"type":1,"messageId":"%s"}`, m.MessageID)
	case hangsUp:
		return false
	case stalls:
		g.mu.Lock() // everybody else waits as well
		time.Sleep(300 * time.Millisecond)
		g.mu.Unlock()
	}
	headers := ""
	if m.Headers[probeHeader] != "" && g.stamp != nil {
		if n := g.stamp(name); n != "" {
			headers = fmt.Sprintf(`,"headers":{"%s":"1","%s":"%s"}`, probeHeader, saveHeader, n)
		}
	}
	for i, c := range to {
		seq, old := c.seq(g, i == 0 && deed == repeatsSeq), ""
		if i == 0 && deed == names {
			send(c, fmt.Sprintf(`{"type":7,"gaps":[[%[1]s,%[1]s,"overflow"]]}`, seq))
			continue
		}
		if i == 0 && deed == givesOld {
			old = fmt.Sprintf(`{"type":0,"seq":%d,"from":"x","messageId":"old","ts":1,"data":1}`, g.before)
			send(c, old)
		}
		if seq != "" {
			seq = `"seq":` + seq + `,`
		}
		text := fmt.Sprintf(`{"type":0,%s"from":"%s","messageId":"%s","ts":1,"data":%s%s}`, seq, name, m.MessageID, m.Data, headers)
		switch {
		case i == 0 && deed == delays:
			c.mu.Lock()
			c.late = frame.AppendFrame(nil, frame.OpText, []byte(text))
			c.mu.Unlock()
			continue
		case i == 0 && deed == repeats:
			send(c, text)
		}
		send(c, text)
	}
	if deed != losesAck {
		send(from, answer)
	}
	if deed == repeatsAck {
		send(from, answer)
	}
	return true
}
