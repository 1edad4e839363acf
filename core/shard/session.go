package shard

import (
	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/frame"
)

// state is how far a connection is on its way out.
type state uint8

const (
	free    state = iota // the slot is unused
	open                 // registered, served
	closing              // a close frame is on its way; waiting for the peer's
	leaving              // the last bytes are being written, then it is closed
	broken               // its socket failed while it was open; reap ends it
	over                 // retired and done with; reap ends it
)

// session is one connected client. At rest it is this struct, its ClientID and
// its places in the directories: no buffers, no goroutine.
type session struct {
	core.Session
	place    Place          // its place in the server's counts
	out      *outbound      // what is not yet written; nil at rest
	in       *inbound       // what is not yet handled; nil at rest
	partial  *frame.Partial // an incomplete frame or message; nil at rest
	pump     *pump          // nil on a descriptor
	box      *mailbox       // what is kept for its ClientID; nil while nothing is
	groups   []membership   // nil outside of groups
	seq      uint64         // of the last message given to it, if it does not resume
	fd       int32          // -1 on a pump
	slot     uint32         // where it is in the slab ...
	serial   uint32         // ... and how often that slot was used before
	stamp    uint32         // of the last message given to it: once each
	next     uint32         // wheel
	prev     uint32         // wheel
	due      uint32         // wheel: tick
	since    uint32         // tick when it was attached
	seen     uint32         // tick of the last bytes
	pinged   uint32         // tick of the last ping
	stalled  uint32         // tick when its partial message began
	renewed  uint32         // the tick after the one in which its last token was taken; 0 for none
	state    state
	timed    bool // in the wheel
	dirty    bool // in the list of the turn's writes
	deflate  bool // permessage-deflate was negotiated
	blocked  bool // its socket is full: written again when there is room
	deaf     bool // its socket is not watched for reading
	held     bool // a stage holds a message of it: later ones wait
	isReady  bool // in the ready list
	talks    bool // it has sent a message
	hooked   bool // on_connect accepted it: on_disconnect is owed
	reliable bool // it acknowledges what it gets, and resumes
	begun    bool // it may be given what its mailbox holds
	greeted  bool // it has said hello
	warned   bool // it has been told that its grant expires
	renewing bool // a token of it is looked at
	lingers  bool // leaving: the peer ends the connection when it has read it all
}

// unheard reports whether c may have sent what was not handled yet.
func (c *session) unheard() bool { return c.deaf || c.in != nil || c.pump != nil && c.pump.owed }

// inbound is input that waits for its turn: buf[off:] is not yet handled.
type inbound struct {
	buf []byte
	off int
}

// slab holds sessions at stable addresses, in chunks.
type slab struct {
	chunks []*[slabChunk]session
	unused []uint32
}

const slabChunk = 256

func (a *slab) at(slot uint32) *session { return &a.chunks[slot/slabChunk][slot%slabChunk] }

// find returns the session that slot and serial name, or nil if it has ended.
func (a *slab) find(slot, serial uint32) *session {
	if int(slot/slabChunk) >= len(a.chunks) {
		return nil
	}
	if c := a.at(slot); c.serial == serial && c.state != free {
		return c
	}
	return nil
}

func (a *slab) take() *session {
	if len(a.unused) == 0 {
		base := uint32(len(a.chunks)) * slabChunk
		a.chunks = append(a.chunks, new([slabChunk]session))
		for i := slabChunk - 1; i >= 0; i-- {
			a.at(base + uint32(i)).slot = base + uint32(i)
			a.unused = append(a.unused, base+uint32(i))
		}
	}
	c := a.at(a.unused[len(a.unused)-1])
	a.unused = a.unused[:len(a.unused)-1]
	return c
}

func (a *slab) give(c *session) {
	*c = session{slot: c.slot, serial: c.serial + 1}
	a.unused = append(a.unused, c.slot)
}

// used is the number of sessions, closing ones included.
func (a *slab) used() int { return len(a.chunks)*slabChunk - len(a.unused) }

// each calls f for every used session, in slot order.
func (a *slab) each(f func(*session)) {
	for _, chunk := range a.chunks {
		for i := range chunk {
			if chunk[i].state != free {
				f(&chunk[i])
			}
		}
	}
}
