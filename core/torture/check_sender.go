package torture

import (
	"slices"
	"time"
)

// sent notes an attempt.
func (l *ledger) sent(e *Event) {
	k := key{e.Client, e.ID}
	m := l.messages[k]
	if m == nil {
		m = &message{key: k, sent: e, kept: never, answered: never}
		l.messages[k] = m
		l.ordered = append(l.ordered, m)
		if e.TTL > 0 {
			for _, to := range e.To.Members {
				l.recipient(to).mayExpire = true
			}
		}
	}
	m.attempts = append(m.attempts, attempt{e.At, never, never})
	m.open = true
	l.open[e.Client] = append(l.open[e.Client], m)
}

// answer takes the message out of those that wait for one. first is false if the
// attempt has its answer already.
func (l *ledger) answer(e *Event) (m *message, first bool) {
	m = l.messages[key{e.Client, e.ID}]
	if m == nil {
		l.violated(RuleAnswer, nil, e.Client, "%s was answered with %s%s, but never sent", e.ID, e.Status, e.Code)
		return nil, false
	}
	last := &m.attempts[len(m.attempts)-1]
	if last.answered != never {
		return m, false
	}
	last.answered = e.At
	waiting := l.open[e.Client]
	if i := slices.Index(waiting, m); i >= 0 {
		l.open[e.Client] = slices.Delete(waiting, i, i+1)
	}
	return m, true
}

// outcome counts a second answer, which only a receipt can bring.
func (l *ledger) outcome(m *message, e *Event, legitimate bool) {
	m.outcomes++
	if !m.sent.Receipt || !legitimate || m.outcomes > len(m.attempts) {
		l.violated(RuleAnswer, m, "", "was answered again, with %s%s", e.Status, e.Code)
	}
}

func (l *ledger) told(e *Event) {
	m, first := l.answer(e)
	if m == nil {
		return
	}
	if !first {
		l.outcome(m, e, e.Status == delivered)
	}
	m.open = false
	m.answered = min(m.answered, e.At)
	if e.Stored != onDisk && !(e.Stored == "os" && len(l.faults.spans[FaultLose]) == 0) {
		return // what is in memory may be lost, and delivered may mean written
	}
	m.kept = min(m.kept, e.At)
	promised := 1
	if e.Counts != nil {
		promised = e.Counts.Delivered + e.Counts.Queued
	}
	if promised > len(m.sent.To.Members) {
		l.violated(RuleAnswer, m, "", "was counted for %d recipients, of %d there are", promised, len(m.sent.To.Members))
		promised = len(m.sent.To.Members)
	}
	m.owed = max(m.owed, promised)
	l.checkDelivered(m, e)
}

// checkDelivered holds an ack that speaks of deliveries against what the
// recipients have written down up to then.
func (l *ledger) checkDelivered(m *message, e *Event) {
	claimed := 0
	switch {
	case e.Counts != nil:
		claimed = e.Counts.Delivered
	case e.Status == delivered:
		claimed = 1
	}
	for _, to := range m.sent.To.Members {
		if l.recipient(to).plain || m.at(to) != nil {
			claimed--
		}
	}
	if claimed > 0 {
		l.violated(RuleDelivery, m, "", "was told to be delivered at %s, %d times more than it was received", e.At, claimed)
	}
}

func (l *ledger) refused(e *Event) {
	m, first := l.answer(e)
	if m == nil {
		return
	}
	lapsed := e.Code == causeExpired
	lost := e.Code == causeLost
	if first {
		m.refusals++
		m.open = transient(e.Code)
	} else {
		l.outcome(m, e, lapsed || lost)
	}
	switch {
	case lapsed && !m.expiredBy(e.At):
		l.violated(RuleAnswer, m, "", "was told to be expired at %s, before its time", e.At)
	case lost && !l.mayBeLost(m, e.At):
		l.violated(RuleAnswer, m, "", "was told to be lost at %s, with nothing that could lose it", e.At)
	}
}

func (m *message) expiredBy(t time.Duration) bool {
	return m.sent.TTL > 0 && t+slack >= m.sent.At+time.Duration(m.sent.TTL)*time.Second
}

// mayBeLost reports whether a kill or a flip by the time t may have taken the
// message away.
func (l *ledger) mayBeLost(m *message, t time.Duration) bool {
	return between(l.faults.flips, m.sent.At, t) ||
		l.faults.during(faultWeak, m.sent.At, t) && between(l.faults.kills, m.sent.At, t)
}

// checkAnswered wants a final answer to every message.
func (l *ledger) checkAnswered() {
	for _, m := range l.ordered {
		if m.open {
			l.violated(RuleAnswer, m, "", "was sent %d times and never got a final answer", len(m.attempts))
		}
	}
}
