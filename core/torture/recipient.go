package torture

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"time"
)

// A recipient acknowledges after so many messages or so much time.
const (
	ackEvery = 32
	ackAfter = 50 * time.Millisecond
)

// Recipient is a reliable client that receives by the SDK's rules: it resumes
// from what it has settled, and drops what it has seen.
type Recipient struct {
	client
	groups []string
	ready  chan struct{} // closed when the first hello and all joins were answered

	epoch   string
	settled settled
	seen    map[key]bool // in this epoch
	before  map[key]bool // in earlier ones
	unacked int
	greeted bool // in this connection
	joined  bool
}

// NewRecipient makes a recipient that joins groups. It belongs to Run.
func NewRecipient(id, address string, groups []string, h *History) *Recipient {
	return &Recipient{
		client: newClient(id, address, h), groups: groups, ready: make(chan struct{}),
		seen: map[key]bool{}, before: map[key]bool{}, joined: len(groups) == 0,
	}
}

// Run receives until ctx ends.
func (r *Recipient) Run(ctx context.Context) {
	for {
		l, ok := r.connect(ctx, reliable)
		if !ok {
			return
		}
		away := r.serve(ctx, l)
		pause(ctx, away)
	}
}

// serve is one connection; it returns how long the client stays away.
func (r *Recipient) serve(ctx context.Context, l *link) (away time.Duration) {
	abruptly, reason := false, ""
	defer func() {
		l.leave(abruptly)
		r.closed(reason)
	}()
	r.greeted, r.unacked = false, 0
	if err := r.hello(l); err != nil {
		return 0
	}
	tick := time.NewTicker(ackAfter)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return 0
		case o := <-r.orders:
			switch o.deed {
			case forget:
				r.forget()
				fallthrough
			case cut:
				abruptly, reason = true, "cut"
				return o.last
			}
			pause(ctx, o.last)
		case <-tick.C:
			if r.ack(l) != nil {
				return 0
			}
		case f, ok := <-l.frames:
			if !ok {
				reason = why(l.err)
				return 0
			}
			if r.take(f); r.unacked >= ackEvery && r.ack(l) != nil {
				return 0
			}
		}
	}
}

// hello says what is settled, and joins the groups.
func (r *Recipient) hello(l *link) error {
	hello := map[string]any{"type": typeHello}
	if r.epoch != "" {
		hello["epoch"] = r.epoch
		r.settle(hello)
	}
	if err := l.send(encode(hello)); err != nil || len(r.groups) == 0 {
		return err
	}
	return l.send(encode(map[string]any{"type": typeJoin, "groups": r.groups}))
}

func (r *Recipient) ack(l *link) error {
	if r.unacked == 0 || !r.greeted {
		return nil
	}
	r.unacked = 0
	ack := map[string]any{"type": typeAck}
	r.settle(ack)
	return l.send(encode(ack))
}

// settle says in a frame what is settled, and notes that.
func (r *Recipient) settle(frame map[string]any) {
	frame["seq"] = r.settled.upTo
	if len(r.settled.above) > 0 {
		frame["also"] = r.settled.above
	}
	r.history.Add(Event{Kind: Acked, Client: r.id, Epoch: r.epoch, Seq: r.settled.upTo, Also: r.settled.above})
}

// forget loses the epoch, as an application does that did not save it. What came
// is still known by its sender and messageId.
func (r *Recipient) forget() {
	if r.epoch == "" {
		return
	}
	r.epoch = ""
	r.history.Add(Event{Kind: Forgot, Client: r.id})
}

// take follows one frame. What it means is in the history before anything is
// acknowledged.
func (r *Recipient) take(f frame) {
	switch {
	case f.broken != "":
		r.history.Add(Event{Kind: Broken, Client: r.id, Text: f.broken})
	case *f.Type == typeHello:
		r.greet(f)
	case *f.Type == typeGap:
		r.gaps(f.Gaps)
	case *f.Type == typeMessage:
		r.message(f)
	case *f.Type == typeAck && f.Joined != nil:
		r.joined = true
		r.note()
	case *f.Type == typeError:
		r.history.Add(Event{Kind: Broken, Client: r.id, Text: "a recipient got the error " + f.Code + ": " + f.Error})
	}
}

func (r *Recipient) greet(f frame) {
	r.history.Add(Event{Kind: Greeted, Client: r.id, Epoch: f.Epoch, Seq: f.Seq, Last: f.Last, Recovered: f.Recovered})
	if !f.Recovered {
		for k := range r.seen {
			r.before[k] = true
		}
		clear(r.seen)
		r.epoch, r.settled = f.Epoch, settled{upTo: f.Seq}
	}
	r.greeted = true
	r.gaps(f.Gaps)
	r.note()
}

func (r *Recipient) gaps(gaps []wireGap) {
	for _, g := range gaps {
		r.history.Add(Event{Kind: Gapped, Client: r.id, Epoch: r.epoch, Seq: g.from, UpTo: g.to, Cause: g.cause})
		if g.to >= g.from && g.to-g.from < maxGap {
			r.settled.add(g.from, g.to)
			r.unacked++
		}
	}
}

func (r *Recipient) message(f frame) {
	k := key{f.From, f.MessageID}
	repeat := r.before[k] || f.Seq > 0 && r.settled.has(f.Seq)
	r.history.Add(Event{
		Kind: Received, Client: r.id, From: f.From, ID: f.MessageID, Sum: sum(f.Data),
		Epoch: r.epoch, Seq: f.Seq, Repeat: repeat,
	})
	if !repeat {
		r.seen[k] = true
	}
	if f.Seq > 0 && r.greeted {
		r.settled.add(f.Seq, f.Seq)
		r.unacked++
	}
}

// note tells those who wait that the recipient can be sent to.
func (r *Recipient) note() {
	select {
	case <-r.ready:
	default:
		if r.epoch != "" && r.joined {
			close(r.ready)
		}
	}
}

// Plain is a client without the subprotocol; it writes down what comes.
type Plain struct{ client }

// NewPlain makes a plain client.
func NewPlain(id, address string, h *History) *Plain { return &Plain{newClient(id, address, h)} }

// Run receives until ctx ends.
func (p *Plain) Run(ctx context.Context) {
	for {
		l, ok := p.connect(ctx, "")
		if !ok {
			return
		}
		pause(ctx, p.serve(ctx, l))
	}
}

func (p *Plain) serve(ctx context.Context, l *link) (away time.Duration) {
	abruptly, reason := false, ""
	defer func() {
		l.leave(abruptly)
		p.closed(reason)
	}()
	for {
		select {
		case <-ctx.Done():
			return 0
		case o := <-p.orders:
			if o.deed == cut {
				abruptly, reason = true, "cut"
				return o.last
			}
			pause(ctx, o.last)
		case f, ok := <-l.frames:
			switch {
			case !ok:
				reason = why(l.err)
				return 0
			case f.broken != "":
				p.history.Add(Event{Kind: Broken, Client: p.id, Text: f.broken})
			case *f.Type == typeMessage:
				p.history.Add(Event{Kind: Received, Client: p.id, From: f.From, ID: f.MessageID, Sum: sum(f.Data), Plain: true})
			}
		}
	}
}

// sum is what Event.Sum holds of the bytes of data.
func sum(data []byte) uint64 {
	h := fnv.New64a()
	h.Write(data)
	return h.Sum64()
}

// encode is the JSON of what always has one.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
