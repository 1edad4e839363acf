package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"
)

// Mix says what a sender sends.
type Mix struct {
	Targets []*Target
	Rate    float64 // messages a second
	Window  int     // unanswered messages at the most
	TTL     bool    // some messages live for 1 to 3 s only
}

// Sender is a client that sends by the SDK's rules: what was not answered is
// sent again under the same messageId, after a reconnect all of it in order.
type Sender struct {
	client
	mix      Mix
	rng      *rand.Rand
	finished atomic.Bool  // no new messages
	open     []*outgoing  // in the order in which they are to be accepted
	pending  atomic.Int64 // len(open)
	n        int
}

// outgoing is a message without its final answer.
type outgoing struct {
	event   Event // of an attempt
	text    []byte
	waiting bool      // for an answer, on this connection
	partial int       // answers that said that some recipients have no room
	retryAt time.Time // if it was refused
}

// NewSender makes a sender whose choices follow from the seed. It belongs to
// Run.
func NewSender(id, address string, mix Mix, seed uint64, h *History) *Sender {
	return &Sender{client: newClient(id, address, h), mix: mix, rng: rand.New(rand.NewPCG(seed, sum([]byte(id))))}
}

// Finish ends the making of new messages; what is open is still brought to an
// end. Any goroutine may call it.
func (s *Sender) Finish() { s.finished.Store(true) }

// Pending is how many messages have no final answer.
func (s *Sender) Pending() int { return int(s.pending.Load()) }

// Run sends until ctx ends.
func (s *Sender) Run(ctx context.Context) {
	for {
		l, ok := s.connect(ctx, "")
		if !ok {
			return
		}
		pause(ctx, s.serve(ctx, l))
	}
}

// step is how often new messages are made and refused ones tried again.
const step = 10 * time.Millisecond

// retryAfter is how long a refused message waits.
const retryAfter = 100 * time.Millisecond

func (s *Sender) serve(ctx context.Context, l *link) (away time.Duration) {
	abruptly, deaf, reason := false, false, ""
	defer func() {
		l.leave(abruptly)
		if !deaf {
			s.drain(l)
		}
		s.closed(reason)
	}()
	for _, m := range slices.Clone(s.open) {
		if s.attempt(l, m) != nil {
			return 0
		}
	}
	tick := time.NewTicker(step)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return 0
		case o := <-s.orders:
			if o.deed == cut {
				abruptly, deaf, reason = true, s.rng.IntN(2) == 0, "cut"
				if deaf && s.workDeaf(ctx, l) != nil {
					reason = "gone"
				}
				if deaf {
					return o.last / 10 // while what it sends again still waits
				}
				return o.last
			}
			pause(ctx, o.last)
		case <-tick.C:
			if s.work(l) != nil {
				return 0
			}
		case f, ok := <-l.frames:
			if !ok {
				reason = why(l.err)
				return 0
			}
			s.take(f)
		}
	}
}

// deafSteps is for how many steps at the most a sender goes on without hearing
// what it is told.
const deafSteps = 50

// workDeaf sends on for a while, and takes no answers: what it sends is accepted,
// and will be sent again.
func (s *Sender) workDeaf(ctx context.Context, l *link) error {
	for range s.rng.IntN(deafSteps) {
		pause(ctx, step)
		if err := s.work(l); err != nil || ctx.Err() != nil {
			return err
		}
	}
	return nil
}

// drain takes the answers that had come before the connection ended.
func (s *Sender) drain(l *link) {
	for f := range l.frames {
		s.take(f)
	}
}

// work sends again what was refused, then something new.
func (s *Sender) work(l *link) error {
	now := time.Now()
	for _, m := range slices.Clone(s.open) {
		if !m.waiting && now.After(m.retryAt) {
			if err := s.attempt(l, m); err != nil {
				return err
			}
		}
	}
	if s.finished.Load() {
		return nil
	}
	want := s.mix.Rate * step.Seconds() * 2 * s.rng.Float64()
	n := int(want)
	if s.rng.Float64() < want-float64(n) {
		n++
	}
	for ; n > 0 && len(s.open) < s.mix.Window; n-- {
		m := s.compose()
		s.open = append(s.open, m)
		if err := s.attempt(l, m); err != nil {
			return err
		}
	}
	s.pending.Store(int64(len(s.open)))
	return nil
}

// attempt notes that m is sent, and sends it. A message that was refused takes
// its place behind all that were sent since.
func (s *Sender) attempt(l *link, m *outgoing) error {
	if i := slices.Index(s.open, m); i >= 0 && !m.waiting {
		s.open = append(slices.Delete(s.open, i, i+1), m)
	}
	m.waiting = true
	s.history.Add(m.event)
	return l.send(m.text)
}

// keys is how many things the messages are the latest state of.
const keys = 8

// compose makes the next message.
func (s *Sender) compose() *outgoing {
	s.n++
	to := s.mix.Targets[s.rng.IntN(len(s.mix.Targets))]
	e := Event{Kind: Sent, Client: s.id, ID: fmt.Sprintf("m%d", s.n), N: s.n, To: to}
	if s.rng.IntN(4) == 0 {
		e.Priority = s.rng.IntN(10)
	}
	if s.mix.TTL && s.rng.IntN(4) == 0 {
		e.TTL = 1 + s.rng.IntN(3)
	}
	e.Receipt = to.Kind == ToClient && s.rng.IntN(4) == 0
	size := s.rng.IntN(400)
	if s.rng.IntN(100) == 0 {
		size = s.rng.IntN(20_000)
	}
	content := map[string]any{"from": s.id, "n": s.n, "to": to.Members, "pad": s.pad(size)}
	if s.rng.IntN(2) == 0 {
		e.Key = fmt.Sprintf("k%d", s.rng.IntN(keys))
		content["key"] = e.Key
	}
	data := encode(content)
	e.Sum = sum(data)
	message := map[string]any{"type": typeMessage, "messageId": e.ID, "to": to.wire(), "data": rawJSON(data)}
	if e.Priority > 0 {
		message["priority"] = e.Priority
	}
	if e.TTL > 0 {
		message["ttl"] = e.TTL
	}
	if e.Receipt {
		message["receipt"] = true
	}
	return &outgoing{event: e, text: encode(message)}
}

func (s *Sender) pad(size int) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789 {}[],:"
	b := make([]byte, size)
	for i := range b {
		b[i] = letters[s.rng.IntN(len(letters))]
	}
	return string(b)
}

// rawJSON goes into a message as it is.
type rawJSON []byte

// MarshalJSON is the bytes themselves.
func (r rawJSON) MarshalJSON() ([]byte, error) { return r, nil }

// wire is the `to` of a message.
func (t *Target) wire() any {
	switch t.Kind {
	case ToList:
		return t.Members
	case ToPrefix:
		return map[string]string{"prefix": t.Name}
	case ToGroup:
		return map[string]string{"group": t.Name}
	}
	return t.Name
}

// take follows one frame.
func (s *Sender) take(f frame) {
	switch {
	case f.broken != "":
		s.history.Add(Event{Kind: Broken, Client: s.id, Text: f.broken})
		return
	case *f.Type == typeError && f.MessageID == "":
		s.history.Add(Event{Kind: Broken, Client: s.id, Text: "a sender got the error " + f.Code + ": " + f.Error})
		return
	case *f.Type != typeAck && *f.Type != typeError:
		return
	}
	if *f.Type == typeAck {
		s.history.Add(Event{Kind: Told, Client: s.id, ID: f.MessageID, Stored: f.Stored, Status: f.Status, Counts: f.counts()})
	} else {
		s.history.Add(Event{Kind: Refused, Client: s.id, ID: f.MessageID, Code: f.Code, Text: f.Error})
	}
	i := slices.IndexFunc(s.open, func(m *outgoing) bool { return m.event.ID == f.MessageID })
	switch {
	case i < 0: // a receipt
	case s.again(s.open[i], &f):
		s.open[i].waiting, s.open[i].retryAt = false, time.Now().Add(retryAfter)
	default:
		s.open = slices.Delete(s.open, i, i+1)
	}
	s.pending.Store(int64(len(s.open)))
}

// maxPartial is how often a message is sent again for the recipients that had no
// room: some have dropped it, and refuse it for ever.
const maxPartial = 5

// again reports whether m is to be sent again after the answer f.
func (s *Sender) again(m *outgoing, f *frame) bool {
	if *f.Type == typeError {
		return transient(f.Code)
	}
	if f.Refused == nil || *f.Refused == 0 {
		return false
	}
	m.partial++
	return m.partial <= maxPartial
}
