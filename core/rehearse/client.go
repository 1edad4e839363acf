package rehearse

import (
	"slices"
	"unicode/utf8"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/frame"
	"github.com/stratix-gateway/stratix/core/ruling"
	"github.com/stratix-gateway/stratix/core/wire"
)

// Client is a made-up client of a World.
type Client struct {
	core.Session
	Reliable  bool
	Connected bool
	Refused   string // by on_connect, with this reason
	// Frames are what the gateway has sent to it so far.
	Frames [][]byte

	world  *World
	hooked bool // on_disconnect is owed
	groups []string
	seq    uint64    // of the last message, if it is plain
	held   bool      // a stage holds a message of it: later ones wait
	later  []*Result // these
	box    *mailbox  // nil while nothing is kept for it
}

// Groups are those that the client is in, in the order of its joins.
func (c *Client) Groups() []string { return slices.Clone(c.groups) }

// Close ends the connection from the client's side.
func (c *Client) Close() {
	c.world.Settle()
	if c.Connected {
		c.leave("left")
	}
}

// leave takes c out of everything and runs on_disconnect.
func (c *Client) leave(reason string) {
	w := c.world
	c.Connected = false
	w.detach(c)
	delete(w.clients, c.ID)
	for _, g := range c.groups {
		w.dropMember(g, c)
	}
	c.groups, c.later = nil, nil
	if c.hooked {
		c.hooked = false
		if err := w.program.Hooks.Disconnect(&c.Session, reason); err != nil {
			w.HookErrors = append(w.HookErrors, err)
		}
		w.postDisconnect(c, reason)
	}
}

// join reports false when c is in too many groups.
func (c *Client) join(group string) bool {
	if slices.Contains(c.groups, group) {
		return true
	}
	if len(c.groups) >= ruling.MaxGroups {
		return false
	}
	c.groups = append(c.groups, group)
	c.world.groups[group] = append(c.world.groups[group], c)
	return true
}

// joinAll joins all of the groups, or none.
func (c *Client) joinAll(groups []string) bool {
	before := slices.Clone(c.groups)
	for _, g := range groups {
		if c.join(g) {
			continue
		}
		for _, g := range c.groups[len(before):] {
			c.world.dropMember(g, c)
		}
		c.groups = before
		return false
	}
	return true
}

func (c *Client) leaveGroup(group string) {
	if at := slices.Index(c.groups, group); at >= 0 {
		c.groups = slices.Delete(c.groups, at, at+1)
		c.world.dropMember(group, c)
	}
}

func (w *World) dropMember(group string, c *Client) {
	members := w.groups[group]
	if at := slices.Index(members, c); at >= 0 {
		last := len(members) - 1
		members[at] = members[last] // as in a gateway, where that is cheap
		w.groups[group] = members[:last]
	}
	if len(w.groups[group]) == 0 {
		delete(w.groups, group)
	}
}

// Send is the client's frame text, as it came over its connection.
func (c *Client) Send(text []byte) *Result {
	w := c.world
	w.Settle()
	r := &Result{sender: c, Frame: text}
	switch {
	case !c.Connected:
		r.Decision = Decision{Verdict: core.Drop, Code: "closed", Reason: "the client is not connected"}
	case c.held:
		r.Waits = true
		c.later = append(c.later, r)
	default:
		w.receive(r)
	}
	return r
}

// goOn handles what waited behind a message that a stage has held.
func (c *Client) goOn() {
	c.held = false
	for len(c.later) > 0 && !c.held && c.Connected {
		r := c.later[0]
		c.later = c.later[1:]
		r.Waits = false
		c.world.receive(r)
	}
}

// receive handles one frame.
func (w *World) receive(r *Result) {
	c := r.sender
	if len(r.Frame) > maxMessage {
		w.cut(r, frame.CloseTooBig, "the frame is larger than a gateway takes")
		return
	}
	if !utf8.Valid(r.Frame) {
		w.cut(r, frame.CloseInvalid, "the frame is not valid UTF-8")
		return
	}
	f := new(wire.Frame)
	if fault := w.parser.Parse(r.Frame, f); fault != nil {
		w.deny(r, f.ID, fault.Code, fault.Text, nil)
		return
	}
	switch f.Type {
	case wire.TypeMessage:
		w.message(r, f)
	case wire.TypeJoin, wire.TypeLeave:
		w.membership(r, f)
	case wire.TypeRenew:
		w.deny(r, f.ID, ruling.NoRenewal.Code, ruling.NoRenewal.Text, nil)
	case wire.TypePing:
		c.get(wire.AppendPong(nil))
		r.Decision.Verdict = core.Done
	default: // what a reliable client says of seqs is seen to
		r.Decision.Verdict = core.Done
	}
}

// cut closes the connection of a client that breaks the protocol.
func (w *World) cut(r *Result, code int, why string) {
	r.Closed = code
	r.Decision = Decision{Verdict: core.Drop, Code: "closed", Reason: why}
	r.sender.leave("protocol")
}

// deny tells the sender that its frame came to nothing.
func (w *World) deny(r *Result, id []byte, code, text string, cause error) {
	r.Decision = Decision{Verdict: core.Drop, Code: code, Reason: text, Err: cause, Instructions: r.Decision.Instructions}
	r.tell(id, code, text)
}

// membership handles joins and leaves: all of the groups or none.
func (w *World) membership(r *Result, f *wire.Frame) {
	c := r.sender
	groups, refusal := w.run.reader.Groups(&c.Session, f, w.program)
	if refusal == nil && f.Type == wire.TypeJoin && !c.joinAll(cloneAll(groups)) {
		refusal = ruling.TooManyGroups
	}
	if refusal != nil {
		w.deny(r, f.ID, refusal.Code, refusal.Text, refusal.Policy)
		return
	}
	r.Decision.Verdict = core.Done
	if f.Type == wire.TypeJoin {
		r.Decision.Joins = cloneAll(groups)
	} else {
		r.Decision.Leaves = cloneAll(groups)
		for _, g := range groups {
			c.leaveGroup(g)
		}
	}
	c.get(wire.AppendGroupsAck(nil, f.ID, f.Type, f.Groups))
}

// message runs a message through the pipeline and lets its effects come true.
func (w *World) message(r *Result, f *wire.Frame) {
	c := r.sender
	d, order := w.run.run(&Input{
		From: c.ID, Remote: c.Remote, Claims: c.claims(), Time: w.millis(), ID: f.ID, Data: f.Data, Headers: f.Headers, To: f.To,
		Size: len(r.Frame), TTL: f.TTL, Priority: f.Priority, Receipt: f.Receipt,
	})
	r.id, r.receipt = f.ID, f.Receipt && len(f.ID) > 0
	r.Steps = slices.Clone(w.run.Steps())
	r.sent = w.millis()
	w.conclude(r, d, order)
}

// claims are those that the client was admitted with, or nil.
func (c *Client) claims() []byte {
	if c.Grant == nil {
		return nil
	}
	return c.Grant.Claims
}

// get gives the client one frame.
func (c *Client) get(frame []byte) {
	if c.Connected {
		c.Frames = append(c.Frames, frame)
	}
}
