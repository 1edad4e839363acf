package torture

import (
	"cmp"
	"slices"
	"time"
)

// stream is the messages whose order is kept.
type stream struct {
	from, to string
	priority int
}

// checkOrder wants the numbers of a stream to rise among what its recipient saw.
func (l *ledger) checkOrder(events []Event) {
	highest := map[stream]*message{}
	for i := range events {
		e := &events[i]
		if e.Kind != Received || e.Repeat || e.Plain || e.Seq == 0 {
			continue
		}
		m := l.messages[key{e.From, e.ID}]
		if m == nil || l.weak(m) {
			continue // what is not kept does not wait for what is
		}
		s := stream{e.From, e.Client, m.sent.Priority}
		before := highest[s]
		switch {
		case before == nil || before.sent.N < m.sent.N:
			highest[s] = m
		case before != m && l.inOneGo(m) && m.at(e.Client).visible == e.At:
			l.violated(RuleOrder, m, e.Client, "came at %s, behind %s, which was sent after it", e.At, before.id)
		}
	}
}

// refusing is how long after such a fault a refusal may still be on its way.
const refusing = time.Second

// inOneGo reports whether the message was accepted in the order in which it was
// first sent. What was refused was not, and neither was what may have been: an
// attempt without an answer while the gateway had a reason to refuse. Other
// attempts change nothing, since after a cut all that is open is sent again in
// order.
func (l *ledger) inOneGo(m *message) bool {
	if m.refusals > 0 {
		return false
	}
	for _, a := range m.attempts[:len(m.attempts)-1] {
		to := min(a.answered, a.closed)
		for _, fault := range []string{FaultFull, FaultSync, faultWeak} {
			if l.faults.during(fault, a.at-refusing, to) {
				return false
			}
		}
	}
	return true
}

// byName lists the recipients in a fixed order.
func (l *ledger) byName() []*recipient {
	all := make([]*recipient, 0, len(l.recipients))
	for _, r := range l.recipients {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *recipient) int { return cmp.Compare(a.name, b.name) })
	return all
}
