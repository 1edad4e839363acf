package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/fasthttp/websocket"
)

// reliable is the subprotocol of clients that acknowledge.
const reliable = "stratix.v1"

// linkTimeout bounds a handshake and each write.
const linkTimeout = 10 * time.Second

// frame is what the gateway sends, all types in one.
type frame struct {
	Type      *int            `json:"type"`
	From      string          `json:"from"`
	MessageID string          `json:"messageId"`
	Data      json.RawMessage `json:"data"`
	Seq       uint64          `json:"seq"`
	Stored    string          `json:"stored"`
	Status    string          `json:"status"`
	Delivered *int            `json:"delivered"`
	Queued    *int            `json:"queued"`
	Offline   *int            `json:"offline"`
	Refused   *int            `json:"refused"`
	Code      string          `json:"code"`
	Error     string          `json:"error"`
	Epoch     string          `json:"epoch"`
	Last      uint64          `json:"last"`
	Recovered bool            `json:"recovered"`
	Gaps      []wireGap       `json:"gaps"`
	Joined    []string        `json:"joined"`

	broken string // why it is not of the protocol; nothing else is set then
}

// The types of frames.
const (
	typeMessage = 0
	typeAck     = 1
	typeError   = 2
	typeHello   = 3
	typePong    = 5
	typeGoodbye = 6
	typeGap     = 7
	typeJoin    = 8
)

// wireGap is [from,to,"cause"].
type wireGap struct {
	from, to uint64
	cause    string
}

// UnmarshalJSON takes nothing but such a triple.
func (g *wireGap) UnmarshalJSON(b []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(b, &parts); err != nil {
		return err
	}
	if len(parts) != 3 {
		return fmt.Errorf("a gap of %d parts", len(parts))
	}
	for i, to := range []any{&g.from, &g.to, &g.cause} {
		if err := json.Unmarshal(parts[i], to); err != nil {
			return err
		}
	}
	return nil
}

// parseFrame reads a frame; what is none comes back broken.
func parseFrame(text []byte) frame {
	var f frame
	if err := json.Unmarshal(text, &f); err != nil {
		return frame{broken: fmt.Sprintf("%v: %.200q", err, text)}
	}
	if f.Type == nil {
		return frame{broken: fmt.Sprintf("without a type: %.200q", text)}
	}
	switch *f.Type {
	case typeMessage, typeAck, typeError, typeHello, typePong, typeGoodbye, typeGap:
		return f
	}
	return frame{broken: fmt.Sprintf("of the type %d: %.200q", *f.Type, text)}
}

// counts are those of an ack for several recipients, else nil.
func (f *frame) counts() *Counts {
	if f.Delivered == nil && f.Queued == nil && f.Offline == nil && f.Refused == nil {
		return nil
	}
	n := func(p *int) int {
		if p == nil {
			return 0
		}
		return *p
	}
	return &Counts{n(f.Delivered), n(f.Queued), n(f.Offline), n(f.Refused)}
}

// link is one connection. One goroutine writes; frames come from another one,
// in order, until the connection ends.
type link struct {
	ws     *websocket.Conn
	tcp    *net.TCPConn
	frames chan frame    // closed at the end
	left   chan struct{} // closed by leave: nobody takes frames any more
	err    error         // why it ended; valid when frames is closed
}

// inFlight is how many frames are read ahead of the client. A client that
// stalls lets them fill up, and then the socket.
const inFlight = 256

// dial connects client; protocol is reliable or "".
func dial(ctx context.Context, address, client, protocol string) (*link, error) {
	l := &link{frames: make(chan frame, inFlight), left: make(chan struct{})}
	d := websocket.Dialer{
		HandshakeTimeout: linkTimeout,
		NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, addr)
			if err == nil {
				l.tcp = c.(*net.TCPConn)
			}
			return c, err
		},
	}
	if protocol != "" {
		d.Subprotocols = []string{protocol}
	}
	ws, _, err := d.DialContext(ctx, "ws://"+address+"/ws?clientId="+url.QueryEscape(client), nil)
	if err != nil {
		return nil, err
	}
	if ws.Subprotocol() != protocol {
		ws.Close()
		return nil, fmt.Errorf("%s asked for the subprotocol %q and got %q", client, protocol, ws.Subprotocol())
	}
	l.ws = ws
	go l.read()
	return l, nil
}

func (l *link) read() {
	defer close(l.frames)
	for {
		kind, text, err := l.ws.ReadMessage()
		if err != nil {
			l.err = err
			return
		}
		f := frame{broken: "binary"}
		if kind == websocket.TextMessage {
			f = parseFrame(text)
		}
		select {
		case l.frames <- f:
		case <-l.left:
			l.err = net.ErrClosed
			return
		}
	}
}

// send writes one frame. After an error the connection is of no use.
func (l *link) send(text []byte) error {
	if err := l.ws.SetWriteDeadline(time.Now().Add(linkTimeout)); err != nil {
		return err
	}
	return l.ws.WriteMessage(websocket.TextMessage, text)
}

// leave closes the connection; abruptly it is reset, and what is under way in
// both directions is lost. Frames that were read before may still be in l.frames.
func (l *link) leave(abruptly bool) {
	if abruptly {
		_ = l.tcp.SetLinger(0)
	}
	l.ws.Close()
	close(l.left)
}
