package frame

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
)

// memory is the network connection of an oracle: it reads in and writes to out.
type memory struct {
	net.Conn
	in  io.Reader
	out bytes.Buffer
}

func (m *memory) Read(b []byte) (int, error) {
	if m.in == nil {
		m.answer()
	}
	return m.in.Read(b)
}
func (m *memory) Write(b []byte) (int, error)      { return m.out.Write(b) }
func (m *memory) Close() error                     { return nil }
func (m *memory) SetDeadline(time.Time) error      { return nil }
func (m *memory) SetWriteDeadline(time.Time) error { return nil }
func (m *memory) SetReadDeadline(time.Time) error  { return nil }

// answer accepts the handshake that a client has written.
func (m *memory) answer() {
	r, err := http.ReadRequest(bufio.NewReader(&m.out))
	if err != nil {
		panic(err)
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	response := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n"
	if extensions := r.Header.Get("Sec-WebSocket-Extensions"); extensions != "" {
		response += "Sec-WebSocket-Extensions: " + extensions + "\r\n"
	}
	m.in = bytes.NewReader([]byte(response + "\r\n"))
}

// Header, WriteHeader and Hijack make a memory the response to a handshake.
func (m *memory) Header() http.Header { return http.Header{} }
func (m *memory) WriteHeader(int)     {}
func (m *memory) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return m, bufio.NewReadWriter(bufio.NewReaderSize(m, 1), bufio.NewWriterSize(m, 1)), nil
}

// oracle is the other implementation after its handshake. It reads wire, and
// writes messages in fragments of about the given number of bytes.
func oracle(t *testing.T, client, deflate bool, wire []byte, fragment int) (*websocket.Conn, *memory) {
	t.Helper()
	var c *websocket.Conn
	var err error
	m := new(memory)
	if client {
		d := websocket.Dialer{EnableCompression: deflate, ReadBufferSize: 256, WriteBufferSize: fragment,
			NetDial: func(string, string) (net.Conn, error) { return m, nil }}
		c, _, err = d.Dial("ws://gateway/", nil)
	} else {
		u := websocket.Upgrader{EnableCompression: deflate, ReadBufferSize: 256, WriteBufferSize: fragment}
		c, err = u.Upgrade(m, &http.Request{Method: http.MethodGet, Header: http.Header{
			"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
			"Sec-Websocket-Key":        {"dGhlIHNhbXBsZSBub25jZQ=="},
			"Sec-Websocket-Extensions": {"permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
		}}, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	m.in = bytes.NewReader(wire)
	m.out.Reset()
	return c, m
}

// listen returns what the oracle makes of its wire, and the error it ends with.
func listen(c *websocket.Conn) (said []string, err error) {
	say := func(op Op, code int, payload string) {
		said = append(said, words(Event{Op: op, Code: code, Payload: []byte(payload)}))
	}
	c.SetPingHandler(func(s string) error { say(OpPing, 0, s); return nil })
	c.SetPongHandler(func(s string) error { say(OpPong, 0, s); return nil })
	c.SetCloseHandler(func(code int, s string) error { say(OpClose, code, s); return nil })
	for {
		op, payload, err := c.ReadMessage()
		if err != nil {
			return said, err
		}
		say(Op(op), 0, string(payload))
	}
}
