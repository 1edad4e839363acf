package shard

import (
	"net"
	"sync"
	"time"
)

// pump serves a connection that the poller cannot: TLS in the process, or a
// platform without epoll. One goroutine reads, one writes; both exchange plain
// bytes with the shard, so that frames, limits and the way of a message are the
// same on every transport.
type pump struct {
	conn     net.Conn
	inbox    *inbox
	slot     uint32 // set by the shard before attached is closed
	serial   uint32
	attached chan struct{}
	credit   chan struct{} // the shard has handled what was read: read again
	owed     bool          // the shard owes a credit; the shard's own
	signal   chan struct{} // there is something to write, or closed was set

	mu       sync.Mutex // guards what follows
	buf      []byte     // to be written
	wantRoom bool       // the shard waits for room in buf
	closed   bool       // write what is left, then close
}

const (
	// pumpBytes bounds what waits in a pump for its socket.
	pumpBytes = 64 << 10
	// pumpRead is the size of a pump's read buffer.
	pumpRead = 4 << 10
)

// put takes as many of b's bytes as there is room for; ok is false when the
// connection has ended.
func (p *pump) put(b []byte) (n int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, false
	}
	n = min(len(b), pumpBytes-len(p.buf))
	p.buf = append(p.buf, b[:n]...)
	p.wantRoom = n < len(b)
	p.wakeWriter()
	return n, true
}

// shut ends the connection when what was put is written.
func (p *pump) shut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.wakeWriter()
}

func (p *pump) wakeWriter() {
	select {
	case p.signal <- struct{}{}:
	default:
	}
}

// read passes what arrives to the shard, one buffer at a time.
func (p *pump) read() {
	buf := make([]byte, pumpRead)
	for {
		n, err := p.conn.Read(buf)
		if n > 0 {
			p.inbox.post(&parcel{kind: parcelInput, slot: p.slot, serial: p.serial, buf: buf[:n]})
			<-p.credit
		}
		if err != nil {
			p.inbox.post(&parcel{kind: parcelGone, slot: p.slot, serial: p.serial})
			return
		}
	}
}

// write writes what the shard put until the connection is shut or fails; it
// closes the connection, which ends read.
func (p *pump) write() {
	defer p.conn.Close()
	var out []byte
	for range p.signal {
		p.mu.Lock()
		out, p.buf = p.buf, out[:0]
		room, closed := p.wantRoom, p.closed
		p.wantRoom = false
		p.mu.Unlock()
		if closed {
			_ = p.conn.SetWriteDeadline(time.Now().Add(closeWait))
		}
		if len(out) > 0 {
			if _, err := p.conn.Write(out); err != nil {
				p.mu.Lock()
				p.closed = true
				p.mu.Unlock()
				return
			}
		}
		if room {
			p.inbox.post(&parcel{kind: parcelRoom, slot: p.slot, serial: p.serial})
		}
		if closed {
			return
		}
	}
}

// creditPump lets c's pump read again.
func (s *Shard) creditPump(c *session) {
	if p := c.pump; p != nil && p.owed {
		p.owed = false
		p.credit <- struct{}{} // has room for one; owed says it is empty
	}
}
