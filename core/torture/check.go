package torture

import (
	"fmt"
	"slices"
	"time"
)

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
	RuleReceipt  = "receipt"  // so is the wish for a receipt, as long as the sender stays
	RuleRefused  = "refused"  // nothing is kept of what was refused, and there is a reason to
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
func Check(events []Event) []Violation {
	c := NewChecker()
	for i := range events {
		c.Enter(&events[i])
	}
	return c.Violations()
}

// Checker holds a history against the rules while it goes on: it keeps what it
// needs of each message and seq, and no events.
type Checker struct {
	overflow   string // the policy, "" where nothing is bounded
	faults     faultTimes
	messages   map[key]*message
	ordered    []*message               // by their first attempts
	open       map[string][]*message    // by sender: sent and not answered
	left       map[string]time.Duration // by sender: the last end of a connection
	owed       map[string][]*owing      // by sender: on its present connection
	recipients map[string]*recipient
	rest       bool // the run has come to rest: connections end in order
	violations []Violation
}

// NewChecker makes a Checker of an empty history.
func NewChecker() *Checker {
	return &Checker{
		faults:   faultTimes{spans: map[string][]span{}},
		messages: map[key]*message{}, open: map[string][]*message{}, left: map[string]time.Duration{}, owed: map[string][]*owing{}, recipients: map[string]*recipient{},
	}
}

// Violations are those of the history so far, if it is over. It may go on all
// the same.
func (c *Checker) Violations() []Violation {
	entered := len(c.violations)
	c.checkAnswered()
	c.checkKept()
	c.checkReceipts()
	c.checkSeqs()
	c.checkOrder()
	all := slices.Clone(c.violations)
	c.violations = c.violations[:entered:entered]
	return all
}

func (c *Checker) violated(rule string, m *message, client, format string, args ...any) {
	v := Violation{Rule: rule, Client: client, Text: fmt.Sprintf(format, args...)}
	if m != nil {
		v.From, v.ID = m.from, m.id
	}
	c.violations = append(c.violations, v)
}

// Enter notes one event, and checks what can be checked at that moment. It does
// not keep e.
func (c *Checker) Enter(e *Event) {
	switch e.Kind {
	case Opened:
		r := c.recipient(e.Client)
		r.plain, r.opened = e.Plain, e.At
	case Closed:
		c.closed(e)
	case Sent:
		c.sent(e)
	case Told:
		c.told(e)
	case Refused:
		c.refused(e)
	case Greeted:
		c.greeted(e)
	case Forgot:
		c.recipient(e.Client).forgot = true
	case Received:
		c.received(e)
	case Gapped:
		c.gapped(e)
	case Acked:
		c.acked(e)
	case Broken:
		c.violated(RuleWire, nil, e.Client, "%s", e.Text)
	case Fault:
		c.faults.enter(e)
		c.rest = c.rest || e.Code == faultRest
	case Bounded:
		c.overflow = e.Code
	default:
		c.violated(RuleWire, nil, e.Client, "an event of the unknown kind %q", e.Kind)
	}
}

// closed ends what belongs to a connection.
func (c *Checker) closed(e *Event) {
	if c.rest {
		return
	}
	for _, m := range c.open[e.Client] {
		m.last().closed = e.At
	}
	delete(c.open, e.Client)
	delete(c.owed, e.Client)
	c.left[e.Client] = e.At
	if r := c.recipients[e.Client]; r != nil && !r.plain {
		r.unsay(e.At)
	}
}

// drops reports whether the policy lets the oldest make room.
func (c *Checker) drops() bool {
	return c.overflow == OverflowDropOldest || c.overflow == OverflowConflate
}

// weak reports whether the message may have passed scripts that keep nothing on
// disk.
func (c *Checker) weak(m *message) bool {
	return c.faults.during(faultWeak, m.sent.at, m.last().answered)
}
