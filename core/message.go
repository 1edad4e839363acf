package core

import "strings"

// Message is one message on its way through the pipeline.
//
// A shard owns its Message and uses it again for the next one: all byte slices
// and names point into the shard's buffers and are valid during one Handle.
// A stage that needs the message longer calls Detach first and answers Hold.
type Message struct {
	// From is the sender; its fields are read-only. Never nil.
	From *Session
	// ID is the messageId as the JSON string that came in, quotes included;
	// nil when the client sent none (then nothing is acknowledged).
	ID []byte
	// Data is the payload, one valid JSON value. Replace it to edit it; never
	// write into it.
	Data []byte
	// Headers is a JSON object, or nil.
	Headers []byte
	// To is the client's own target as the JSON that came in (a string, an
	// array of strings, {"prefix":...} or {"group":...}), or nil.
	To []byte
	// Size is the length of the client's frame in bytes.
	Size int
	// Time is when the shard took the message: milliseconds since 1970.
	Time int64
	// TTL is how long the message may wait for its recipient, in seconds;
	// 0 means the gateway's default.
	TTL uint32
	// Instructions is how many Lua instructions were spent on it so far: all
	// functions of its pipeline share one budget.
	Instructions int
	// Generation numbers the pipeline that the message began in.
	Generation uint32
	// Priority goes from 0 (the default) to 9.
	Priority uint8
	// Receipt asks for a second acknowledgement on delivery.
	Receipt bool
	// Storage is where the message is kept until its recipients have it; see
	// KeepIn. StorageChoice is the most that the script wants, if it says.
	Storage, StorageChoice Storage
	// Overflow is what happens when there is no room to keep it for a recipient.
	Overflow Overflow
	// ConflateKey names what the message is the latest state of, for
	// OverflowConflate: 1 to MaxConflateKey bytes, or nil.
	ConflateKey []byte

	// Trace is where the message's way is written down; nil for most.
	Trace *Trace

	// Effects gathers what the pipeline decided. The shard commits it when the
	// pipeline accepts the message and forgets it otherwise.
	Effects Effects

	owner Owner
	at    int // index of the stage that holds it
	held  Held
}

// Effects are the buffered decisions of a pipeline about one message.
type Effects struct {
	// Targets replaces the client's own target as soon as it or Replies holds
	// something, unless Own is set.
	Targets []Target
	// Own keeps the client's own target, as far as the policy allows it, beside
	// Targets and Replies.
	Own bool
	// Replies are JSON values for the sender, each sent as a message of its own.
	Replies [][]byte
	// Joins and Leaves are groups for the sender.
	Joins, Leaves []string
	// Code and Reason are set by Reject and DropFor.
	Code, Reason string
}

// Routed reports whether a routing verb was called.
func (e *Effects) Routed() bool { return len(e.Targets) > 0 || len(e.Replies) > 0 }

// CodeDropped is the error code that a sender gets for a dropped message.
const CodeDropped = "dropped"

// Reject ends the pipeline: the sender gets a type 2 frame with this code and
// text. The stage returns Drop with it: return m.Reject("too_big", "..."), nil.
func (m *Message) Reject(code, text string) Verdict {
	m.Effects.Code, m.Effects.Reason = code, text
	return Drop
}

// DropFor ends the pipeline: the message is filtered out, and the sender gets a
// type 2 frame with the code "dropped" and the reason.
func (m *Message) DropFor(reason string) Verdict { return m.Reject(CodeDropped, reason) }

// Reset makes m an empty message that keeps its buffers.
func (m *Message) Reset() {
	e := &m.Effects
	clear(e.Targets)
	clear(e.Replies)
	clear(e.Joins)
	clear(e.Leaves)
	*m = Message{Effects: Effects{
		Targets: e.Targets[:0], Replies: e.Replies[:0], Joins: e.Joins[:0], Leaves: e.Leaves[:0],
	}}
}

// Own says which shard takes the message back after a Hold, and what that
// shard wants to find again then.
func (m *Message) Own(o Owner, h Held) {
	m.owner = o
	m.held = h
}

// Held is what a shard remembers of a message that a stage holds.
type Held struct {
	Program *Program // what the message began in: it ends in no other
	Slot    uint32   // the sender's session: its slot ...
	Serial  uint32   // ... and the slot's serial number
	Err     error    // set by the stage before Resume: rejects the message
}

// Held returns what Own noted.
func (m *Message) Held() *Held { return &m.held }

// Owner takes held messages back; it never blocks and may be called from any
// goroutine.
type Owner interface{ Resume(batch []*Message) }

// Detach copies everything that m points to, so that m may outlive its turn.
// A stage calls it before it hands m to another goroutine, then returns Hold.
func (m *Message) Detach() {
	n := len(m.ID) + len(m.Data) + len(m.Headers) + len(m.To) + len(m.ConflateKey)
	buf := make([]byte, 0, n)
	keep := func(b []byte) []byte {
		if b == nil {
			return nil
		}
		at := len(buf)
		buf = append(buf, b...)
		return buf[at:len(buf):len(buf)]
	}
	m.ID, m.Data, m.Headers, m.To = keep(m.ID), keep(m.Data), keep(m.Headers), keep(m.To)
	m.ConflateKey = keep(m.ConflateKey)
	if m.Trace != nil {
		m.Trace = m.Trace.detached()
	}
	from := Session{ID: strings.Clone(m.From.ID), Remote: m.From.Remote}
	m.From = &from
	e := &m.Effects
	targets := make([]Target, len(e.Targets))
	for i, t := range e.Targets {
		targets[i] = Target{t.Kind, strings.Clone(t.Name)}
	}
	replies := make([][]byte, len(e.Replies))
	for i, r := range e.Replies {
		replies[i] = append([]byte(nil), r...)
	}
	m.Effects = Effects{
		Targets: targets, Own: e.Own, Replies: replies,
		Joins: cloneAll(e.Joins), Leaves: cloneAll(e.Leaves),
		Code: strings.Clone(e.Code), Reason: strings.Clone(e.Reason),
	}
}

func cloneAll(in []string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = strings.Clone(s)
	}
	return out
}

// Resume gives held messages back to their shards, one post for each run of
// messages with the same owner. Each goes on with the stage after the one that
// held it, or is rejected if its Held has an Err. It takes ownership of batch.
func Resume(batch []*Message) {
	for len(batch) > 0 {
		n := 1
		for n < len(batch) && batch[n].owner == batch[0].owner {
			n++
		}
		batch[0].owner.Resume(batch[:n:n])
		batch = batch[n:]
	}
}
