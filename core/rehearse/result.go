package rehearse

import (
	"strings"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/ruling"
	"github.com/stratix-gateway/stratix/core/wire"
)

// Result is what became of one frame of a client. It changes while a stage holds
// the message, and while it waits for recipients.
type Result struct {
	Frame    []byte // as it was sent
	Decision Decision
	Steps    []Step // what each stage said
	Waits    bool   // behind an earlier message of its sender that a stage holds
	Closed   int    // the code that the connection was closed with for it, or 0
	Stored   string // where it is kept, as its sender is told: disk or memory
	// Told is what the sender got in answer: an acknowledgement or an error; a
	// second one if it asked for it and had to wait.
	Told [][]byte

	sender  *Client
	id      []byte // the messageId
	sent    int64  // milliseconds since 1970
	receipt bool   // asked for
	owed    bool   // ... and the message has to wait: a second answer follows
	copies  []*letterCopy
	again   []*letterCopy // of an earlier message with the same messageId
	counts  wire.Counts   // as first told
	fault   fault         // why a recipient was refused
	nobody  bool          // has got it or will
}

// The words of Status.
const (
	Delivered = "delivered"
	Queued    = "queued"
	Expired   = "expired"
	Lost      = "lost" // it made way for others
	Offline   = "offline"
	Refused   = "refused"
)

// Status says in one word what has become of an accepted message by now: Queued
// while anybody is still to get it, then Delivered, or Expired or Lost if it will
// not reach all. Offline or Refused where nobody gets it. "" for what was not
// accepted.
func (r *Result) Status() string {
	if r.Decision.Verdict != core.Done || r.Closed != 0 {
		return ""
	}
	word := Delivered
	for _, list := range [][]*letterCopy{r.copies, r.again} {
		for _, l := range list {
			switch {
			case l.state == Queued:
				return Queued
			case l.state != Delivered && word != Expired:
				word = l.state
			}
		}
	}
	switch {
	case r.nobody && r.counts.Refused > 0:
		return Refused
	case r.nobody:
		return Offline
	}
	return word
}

// Reached are the clients that have got the message, in the order in which they
// did.
func (r *Result) Reached() []string { return r.named(Delivered) }

// Waiting are the clients that it still waits for.
func (r *Result) Waiting() []string { return r.named(Queued) }

func (r *Result) named(state string) (names []string) {
	for _, l := range r.copies {
		if l.state == state {
			names = append(names, l.to)
		}
	}
	return names
}

// Repeated reports whether a recipient was given this messageId before.
func (r *Result) Repeated() bool {
	return len(r.again) > 0 || r.fault == faultLost || r.fault == faultExpired
}

// Sender is the client that sent it.
func (r *Result) Sender() *Client { return r.sender }

// tell sends an error to the sender.
func (r *Result) tell(id []byte, code, text string) {
	r.answerWith(wire.AppendError(nil, id, code, text))
}

// turnedDown tells the sender what has ended the message, and closes its connection
// if that was decided.
func (r *Result) turnedDown(d Decision) {
	if d.RetryAfter > 0 {
		r.answerWith(wire.AppendRetry(nil, r.id, d.Code, d.Reason, d.RetryAfter))
	} else {
		r.tell(r.id, d.Code, d.Reason)
	}
	if d.Disconnect && r.sender.Connected {
		r.Closed = ruling.CloseLimited
		r.sender.leave("limited")
	}
}

func (r *Result) answerWith(frame []byte) {
	if r.sender.Connected {
		r.Told = append(r.Told, frame)
		r.sender.get(frame)
	}
}

// answer acknowledges the message, or says that nobody gets it.
func (r *Result) answer(many bool) {
	n := r.counts
	switch {
	case n.Delivered+n.Queued == 0:
		r.nobody = true
		out := ruling.Offline
		if n.Refused > 0 {
			out = r.fault.outcome()
		}
		r.Decision.Code, r.Decision.Reason = out.Code, out.Text
		r.tell(r.id, out.Code, out.Text)
	case r.id == nil:
		// Without a messageId there is nothing to acknowledge.
	case many:
		r.answerWith(wire.AppendAckCounts(nil, r.id, r.Stored, statusOf(n), n))
	default:
		r.answerWith(wire.AppendAck(nil, r.id, r.Stored, statusOf(n)))
	}
	r.owed = r.receipt && n.Queued > 0
}

func statusOf(n wire.Counts) string {
	if n.Queued > 0 {
		return Queued
	}
	return Delivered
}

// answerLate sends the second acknowledgement when nothing waits any more.
func (r *Result) answerLate() {
	if !r.owed {
		return
	}
	switch r.Status() {
	case Queued:
		return
	case Delivered:
		r.answerWith(wire.AppendAck(nil, r.id, r.Stored, Delivered))
	case Expired:
		r.tell(r.id, ruling.Expired.Code, ruling.Expired.Text)
	default:
		r.tell(r.id, ruling.LostUnwritten.Code, ruling.LostUnwritten.Text)
	}
	r.owed = false
}

func cloneAll(names []string) []string {
	all := make([]string, len(names))
	for i, s := range names {
		all[i] = strings.Clone(s)
	}
	return all
}
