package load

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// readSize is the size of a worker's read buffer; a frame has to fit in.
const readSize = 64 * 1024

// errFrame is for what no gateway of ours sends: reserved bits, a mask, a
// message in fragments, a control frame that is too long.
var errFrame = errors.New("the gateway sent a frame that breaks RFC 6455 or comes in fragments")

// nextFrame takes one whole frame off the front of b. n is its length on the
// wire, 0 while it is incomplete; payload points into b.
func nextFrame(b []byte) (op byte, payload []byte, n int, err error) {
	if len(b) < 2 {
		return 0, nil, 0, nil
	}
	op = b[0] & 0x0f
	if b[0]&0xf0 != 0x80 || b[1]&0x80 != 0 || op == 0 || op >= 8 && b[1] > 125 {
		return 0, nil, 0, errFrame
	}
	head, size := 2, uint64(b[1])
	switch size {
	case 126:
		head = 4
		if len(b) < head {
			return 0, nil, 0, nil
		}
		size = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		head = 10
		if len(b) < head {
			return 0, nil, 0, nil
		}
		size = binary.BigEndian.Uint64(b[2:])
	}
	if size > readSize-10 {
		return 0, nil, 0, fmt.Errorf("the gateway sent a frame of %d bytes", size)
	}
	n = head + int(size)
	if len(b) < n {
		return 0, nil, 0, nil
	}
	return op, b[head:n], n, nil
}

// The key of every handshake and the answer that RFC 6455 wants for it; nothing
// here needs keys to differ.
const (
	wsKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	wsAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// appendUpgrade appends the HTTP request of client's handshake.
func (t target) appendUpgrade(dst []byte, client string, reliable bool) []byte {
	dst = append(dst, "GET "...)
	dst = append(dst, t.path...)
	dst = append(dst, "clientId="...)
	dst = append(dst, client...)
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	dst = append(dst, t.host...)
	dst = append(dst, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "+wsKey+"\r\n"...)
	if reliable {
		dst = append(dst, "Sec-WebSocket-Protocol: "+subprotocol+"\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// parseUpgrade reads the answer to a handshake. n is its length, 0 while it is
// incomplete; frames may follow it. A reliable client's has to name the
// subprotocol.
func parseUpgrade(b []byte, reliable bool) (n int, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > 16*1024 {
			return 0, errors.New("the answer to the handshake does not end")
		}
		return 0, nil
	}
	line, _, _ := bytes.Cut(b, []byte("\r\n"))
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 101")) {
		reason := b[end+4:]
		return 0, fmt.Errorf("the handshake was refused: %.60q %.200q", line, reason)
	}
	if !bytes.Contains(b[:end], []byte(wsAccept)) {
		return 0, errors.New("the handshake has a wrong Sec-WebSocket-Accept")
	}
	if reliable && !bytes.Contains(b[:end], []byte(subprotocol)) {
		return 0, errors.New("the gateway does not speak " + subprotocol)
	}
	return end + 4, nil
}
