package shard

import (
	"net"
	"net/netip"
	"syscall"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/frame"
)

// Place is a connection's place in the server's counts. Leave gives it back and
// is called exactly once.
type Place interface{ Leave() }

// Client is an upgraded connection on its way to its shard, which owns
// everything in it from then on.
type Client struct {
	ID       string
	Remote   netip.Addr
	Deflate  bool     // permessage-deflate was negotiated
	Reliable bool     // it acknowledges what it gets, and resumes
	FD       int      // a non-blocking descriptor; -1 on a pump
	Socket   net.Conn // under what a pump serves; nil if that is not known
	Early    []byte   // bytes that came behind the handshake
	Place    Place
	Grant    *core.Grant // what it was admitted with; nil for nothing

	pump *pump
}

// left reports whether the peer has ended its direction, or broken off. What it
// sent before that may be unread.
func (cl *Client) left() (left bool) {
	if cl.pump == nil {
		return hungUp(cl.FD)
	}
	if c, ok := cl.Socket.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { left = hungUp(int(fd)) })
		}
	}
	return left
}

// shuttingDown is what a client is told that arrives too late.
const shuttingDown = "the gateway is shutting down"

// turnAway closes a client that gets no session.
func (cl *Client) turnAway(code int, reason string) {
	bye := frame.AppendClose(nil, code, reason)
	if cl.pump != nil {
		cl.pump.slot = none // what it reads is nobody's
		close(cl.pump.attached)
		cl.pump.put(bye)
		cl.pump.shut(lastWrite)
	} else {
		_, _ = rawWrite(cl.FD, bye)
		closeDescriptor(cl.FD)
	}
	cl.Place.Leave()
}
