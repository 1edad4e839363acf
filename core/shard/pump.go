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
	signal   chan struct{} // there is something to write, or the end was ordered
	ended    chan struct{} // closed by shut: no credit comes any more

	mu       sync.Mutex // guards what follows
	buf      []byte     // to be written
	wantRoom bool       // the shard waits for room in buf
	finished bool       // write what is left, then end this direction
	closed   bool       // write what is left, then close
	failed   bool       // the connection cannot be written
}

const (
	// pumpBytes bounds what waits in a pump for its socket.
	pumpBytes = 64 << 10
	// pumpRead is the size of a pump's read buffer.
	pumpRead = 4 << 10
	// lastWrite is how long a peer may take for what is left when its time for the
	// closing handshake is over.
	lastWrite = 500 * time.Millisecond
)

// put takes as many of b's bytes as there is room for; ok is false when the
// connection has ended.
func (p *pump) put(b []byte) (n int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed {
		return 0, false
	}
	n = min(len(b), pumpBytes-len(p.buf))
	p.buf = append(p.buf, b[:n]...)
	p.wantRoom = n < len(b)
	p.wakeWriter()
	return n, true
}

// finish ends the stream when what was put is written; the connection is still
// read until the peer ends it.
func (p *pump) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finished = true
	p.wakeWriter()
}

// shut ends the connection when what was put is written, but within the given
// time: a peer that does not read must not keep it. It is called once.
func (p *pump) shut(within time.Duration) {
	_ = p.conn.SetWriteDeadline(time.Now().Add(within))
	close(p.ended)
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
			select {
			case <-p.credit:
			case <-p.ended:
				return
			}
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
		room, finished, closed := p.wantRoom, p.finished, p.closed
		p.wantRoom, p.finished = false, false
		p.mu.Unlock()
		if len(out) > 0 {
			if _, err := p.conn.Write(out); err != nil {
				p.mu.Lock()
				p.failed = true
				p.mu.Unlock()
				p.inbox.post(&parcel{kind: parcelGone, slot: p.slot, serial: p.serial})
				return
			}
		}
		if room {
			p.inbox.post(&parcel{kind: parcelRoom, slot: p.slot, serial: p.serial})
		}
		if half, ok := p.conn.(interface{ CloseWrite() error }); finished && ok {
			_ = half.CloseWrite()
		}
		if closed {
			return
		}
	}
}

// creditPump lets c's pump read again, into the buffer that consume may still be
// at: then it does nothing, and consume sees to it at its end.
func (s *Shard) creditPump(c *session) {
	if p := c.pump; p != nil && p.owed && c != s.consuming {
		p.owed = false
		p.credit <- struct{}{} // has room for one; owed says it is empty
	}
}
