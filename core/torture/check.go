package torture

import (
	"fmt"
	"time"
)

// Rules are the settings of the gateway that decide what is legitimate.
type Rules struct {
	DropOldest bool // a full queue may drop what waits longest
}

// Violation is one rule that the gateway broke.
type Violation struct {
	Rule     string // one of the constants below
	From, ID string // the message, if it is about one
	Client   string // the recipient, if it is about one
	Text     string
}

// The rules that a Violation names.
const (
	RuleKept     = "kept"     // what is acknowledged as stored arrives, or a gap names it
	RuleOnce     = "once"     // behind the SDK's rules a message is seen once
	RuleOrder    = "order"    // per sender, recipient and priority
	RuleAnswer   = "answer"   // each attempt is answered, once
	RuleOrigin   = "origin"   // what arrives was sent, to this client, with these bytes
	RuleDelivery = "delivery" // delivered means received
	RuleGap      = "gap"      // gaps have a legitimate cause
	RuleSeq      = "seq"      // every seq comes or is named, and means one message
	RuleWire     = "wire"     // frames are of the protocol
	RuleProcess  = "process"  // the gateway ends when it is told to, and not before
)

// slack is by how much the gateway's clock of ttls, which goes in steps, may be
// early.
const slack = 50 * time.Millisecond

// maxGap is how many seqs one gap may name before it is taken for nonsense.
const maxGap = 1 << 20

// Check holds a whole history against the rules and returns what breaks them,
// nothing for a good one. The history must have been brought to rest: after the
// last fault all messages were answered and all that was pending was delivered.
func Check(events []Event, rules Rules) []Violation {
	l := newLedger(events, rules)
	for i := range events {
		l.enter(&events[i])
	}
	l.checkAnswered()
	l.checkKept()
	l.checkSeqs()
	l.checkOrder(events)
	return l.violations
}

type key struct{ from, id string }

// message is what the history says of one message.
type message struct {
	key
	sent     *Event // its first attempt
	attempts []attempt
	outcomes int           // second answers, to the receipts that were asked for
	refusals int           // answers that were errors
	open     bool          // the last attempt has no final answer
	kept     time.Duration // when it was first told to be stored safely; never if not
	answered time.Duration // when it was first told anything but an error
	owed     int           // how many recipients an ack promised, at the most
	seen     []seen
}

// attempt is one time that a message was sent. It ends with an answer or with
// the connection.
type attempt struct {
	at, answered, closed time.Duration
}

// seen is what one recipient got of a message.
type seen struct {
	client  string
	first   time.Duration // of any reception
	visible time.Duration // of the first one that the SDK's rules let through
	passing bool          // that one had no seq: the gateway does not know it when it comes again
}

// never is later than all events.
const never = time.Duration(1<<63 - 1)

func (m *message) at(client string) *seen {
	for i := range m.seen {
		if m.seen[i].client == client {
			return &m.seen[i]
		}
	}
	return nil
}

func (m *message) visibleAt(client string) bool {
	s := m.at(client)
	return s != nil && s.visible != never
}

// lifetime is from the first attempt to the last answer or, without one, the
// end.
func (m *message) lifetime() (from, to time.Duration) {
	last := m.attempts[len(m.attempts)-1]
	return m.sent.At, last.answered
}

// ledger is the history, sorted by messages and recipients.
type ledger struct {
	rules      Rules
	faults     faultTimes
	messages   map[key]*message
	ordered    []*message            // by their first attempts
	open       map[string][]*message // by sender: sent and not answered
	recipients map[string]*recipient
	violations []Violation
}

func newLedger(events []Event, rules Rules) *ledger {
	return &ledger{
		rules: rules, faults: readFaults(events),
		messages: map[key]*message{}, open: map[string][]*message{}, recipients: map[string]*recipient{},
	}
}

func (l *ledger) violated(rule string, m *message, client, format string, args ...any) {
	v := Violation{Rule: rule, Client: client, Text: fmt.Sprintf(format, args...)}
	if m != nil {
		v.From, v.ID = m.from, m.id
	}
	l.violations = append(l.violations, v)
}

// enter notes one event, and checks what can be checked at that moment.
func (l *ledger) enter(e *Event) {
	switch e.Kind {
	case Opened:
		l.recipient(e.Client).plain = e.Plain
	case Closed:
		for _, m := range l.open[e.Client] {
			m.attempts[len(m.attempts)-1].closed = e.At
		}
		delete(l.open, e.Client)
	case Sent:
		l.sent(e)
	case Told:
		l.told(e)
	case Refused:
		l.refused(e)
	case Greeted:
		l.greeted(e)
	case Received:
		l.received(e)
	case Gapped:
		l.gapped(e)
	case Broken:
		l.violated(RuleWire, nil, e.Client, "%s", e.Text)
	case Fault:
	default:
		l.violated(RuleWire, nil, e.Client, "an event of the unknown kind %q", e.Kind)
	}
}

// faultTimes says when which faults were in force.
type faultTimes struct {
	spans map[string][]span
	kills []time.Duration
	flips []time.Duration
}

type span struct{ from, to time.Duration }

func readFaults(events []Event) faultTimes {
	f := faultTimes{spans: map[string][]span{}}
	for i := range events {
		e := &events[i]
		if e.Kind != Fault {
			continue
		}
		spans := f.spans[e.Code]
		switch {
		case e.Code == FaultKill:
			f.kills = append(f.kills, e.At)
		case e.Code == FaultFlip:
			f.flips = append(f.flips, e.At)
		case e.Text == "on":
			f.spans[e.Code] = append(spans, span{e.At, never})
		case e.Text == "off" && len(spans) > 0 && spans[len(spans)-1].to == never:
			spans[len(spans)-1].to = e.At
		}
	}
	return f
}

// during reports whether the named fault was in force at any time from from to
// to.
func (f *faultTimes) during(name string, from, to time.Duration) bool {
	for _, s := range f.spans[name] {
		if s.from <= to && s.to >= from {
			return true
		}
	}
	return false
}

func between(times []time.Duration, from, to time.Duration) bool {
	for _, t := range times {
		if t >= from && t <= to {
			return true
		}
	}
	return false
}

// weak reports whether the message may have passed scripts that keep nothing on
// disk.
func (l *ledger) weak(m *message) bool {
	from, to := m.lifetime()
	return l.faults.during(faultWeak, from, to)
}
