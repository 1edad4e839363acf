package torture

import (
	"slices"
	"time"
)

// recipient is what the history says of a client that gets messages.
type recipient struct {
	name      string
	plain     bool
	mayExpire bool // a message with a ttl was sent to it
	epochs    []*epoch
}

// epoch is one run of a recipient's seqs.
type epoch struct {
	name  string
	began time.Duration
	start uint64 // the first seq is behind it
	last  uint64 // the highest seq that anybody spoke of
	got   map[uint64]*reception
	gaps  map[uint64]gap
}

// reception is the first one of a seq.
type reception struct {
	m  *message
	at time.Duration
}

// gap is one seq that will not come.
type gap struct {
	cause string
	at    time.Duration
}

func (l *ledger) recipient(name string) *recipient {
	r := l.recipients[name]
	if r == nil {
		r = &recipient{name: name}
		l.recipients[name] = r
	}
	return r
}

// current is the epoch that events of r belong to, nil before the first hello
// was answered.
func (r *recipient) current() *epoch {
	if len(r.epochs) == 0 {
		return nil
	}
	return r.epochs[len(r.epochs)-1]
}

func (l *ledger) greeted(e *Event) {
	r := l.recipient(e.Client)
	ep := r.current()
	if e.Recovered {
		if ep == nil || ep.name != e.Epoch {
			l.violated(RuleSeq, nil, e.Client, "at %s epoch %s was recovered, which the client is not in", e.At, e.Epoch)
			return
		}
		ep.last = max(ep.last, e.Last)
		return
	}
	l.checkRenewal(r, e)
	for _, old := range r.epochs {
		if old.name == e.Epoch {
			l.violated(RuleSeq, nil, e.Client, "at %s epoch %s began a second time", e.At, e.Epoch)
		}
	}
	r.epochs = append(r.epochs, &epoch{
		name: e.Epoch, began: e.At, start: e.Seq, last: max(e.Seq, e.Last),
		got: map[uint64]*reception{}, gaps: map[uint64]gap{},
	})
}

// checkRenewal wants a reason for the end of r's epoch, if a message of it was
// told to be on disk: the seq was with it.
func (l *ledger) checkRenewal(r *recipient, e *Event) {
	ep := r.current()
	if ep == nil {
		return
	}
	// The gateway began it at the start before the client learned of it.
	since := lastBefore(l.faults.kills, ep.began)
	if between(l.faults.flips, since, e.At) ||
		l.faults.during(faultWeak, since, e.At) && between(l.faults.kills, ep.began, e.At) {
		return
	}
	first := uint64(0)
	for seq, got := range ep.got {
		if got.m.kept < e.At && (first == 0 || seq < first) {
			first = seq
		}
	}
	if first > 0 {
		m := ep.got[first].m
		l.violated(RuleSeq, m, r.name, "with seq %d was told to be stored at %s, but its epoch %s ended at %s for no reason", first, m.kept, ep.name, e.At)
	}
}

func (l *ledger) received(e *Event) {
	m := l.messages[key{e.From, e.ID}]
	if m == nil {
		l.violated(RuleOrigin, nil, e.Client, "at %s it got %s of %s, which nobody has sent", e.At, e.ID, e.From)
		return
	}
	if !m.sent.To.reaches(e.Client) {
		l.violated(RuleOrigin, m, e.Client, "arrived where it was not sent to")
	}
	if m.sent.Sum != e.Sum {
		l.violated(RuleOrigin, m, e.Client, "arrived with other bytes than it was sent with")
	}
	if e.Plain {
		return // a plain client sees repeats after a crash, and no seqs that last
	}
	l.receivedSeq(m, e)
	s := m.at(e.Client)
	if s == nil {
		m.seen = append(m.seen, seen{client: e.Client, first: e.At, visible: never})
		s = &m.seen[len(m.seen)-1]
	}
	switch {
	case e.Repeat:
	case s.visible == never:
		s.visible, s.passing = e.At, e.Seq == 0
	case s.passing || e.Seq == 0:
		// What is not kept is not known when it comes again.
	case !l.mayRepeat(m, s.visible, e.At):
		l.violated(RuleOnce, m, e.Client, "was seen at %s and again at %s", s.visible, e.At)
	}
}

// mayRepeat reports whether the gateway may have forgotten the message between
// its two receptions: it was in memory only and the process was killed, or its
// record was damaged.
func (l *ledger) mayRepeat(m *message, first, second time.Duration) bool {
	return between(l.faults.flips, first, second) ||
		l.faults.during(faultWeak, m.sent.At, second) && between(l.faults.kills, first, second)
}

// receivedSeq wants a seq to stand for one message of the current epoch.
func (l *ledger) receivedSeq(m *message, e *Event) {
	if e.Seq == 0 {
		return
	}
	ep := l.recipient(e.Client).current()
	if ep == nil || ep.name != e.Epoch {
		l.violated(RuleSeq, m, e.Client, "came with seq %d before the hello was answered", e.Seq)
		return
	}
	ep.last = max(ep.last, e.Seq)
	switch before := ep.got[e.Seq]; {
	case before == nil:
		ep.got[e.Seq] = &reception{m, e.At}
	case before.m != m:
		l.violated(RuleSeq, m, e.Client, "came with seq %d, which was given to %s of %s", e.Seq, before.m.id, before.m.from)
	}
}

func (l *ledger) gapped(e *Event) {
	r := l.recipient(e.Client)
	ep := r.current()
	if ep == nil || ep.name != e.Epoch || e.UpTo < e.Seq || e.UpTo-e.Seq >= maxGap {
		l.violated(RuleGap, nil, e.Client, "a gap at %s from %d to %d is none of epoch %q", e.At, e.Seq, e.UpTo, e.Epoch)
		return
	}
	if !l.legitimate(r, e) {
		l.violated(RuleGap, nil, e.Client, "a gap at %s from %d to %d has the cause %q, for which there is no reason", e.At, e.Seq, e.UpTo, e.Cause)
	}
	ep.last = max(ep.last, e.UpTo)
	for seq := e.Seq; seq <= e.UpTo; seq++ {
		if _, named := ep.gaps[seq]; !named {
			ep.gaps[seq] = gap{e.Cause, e.At}
		}
	}
}

// legitimate reports whether the faults of the run can bring a gap of this
// cause.
func (l *ledger) legitimate(r *recipient, e *Event) bool {
	switch e.Cause {
	case causeExpired:
		return r.mayExpire
	case causeOverflow:
		return l.rules.DropOldest
	case causeDamaged:
		return between(l.faults.flips, 0, e.At)
	case causeLost:
		return l.faults.during(faultWeak, 0, e.At) && between(l.faults.kills, 0, e.At)
	case causeSettled:
		return r.knew(e.Seq, e.UpTo)
	}
	return false
}

// knew reports whether r got the seqs, or was told that they will not come, in
// an epoch before the current one.
func (r *recipient) knew(from, to uint64) bool {
	for seq := from; seq <= to; seq++ {
		known := false
		for _, ep := range r.epochs[:len(r.epochs)-1] {
			_, named := ep.gaps[seq]
			known = known || named || ep.got[seq] != nil
		}
		if !known {
			return false
		}
	}
	return true
}

// checkSeqs wants each seq of the epochs that are still on to have come or to
// be named.
func (l *ledger) checkSeqs() {
	for _, r := range l.byName() {
		ep := r.current()
		if r.plain || ep == nil {
			continue
		}
		missing, first := 0, uint64(0)
		for seq := ep.start + 1; seq <= ep.last && missing < maxGap; seq++ {
			_, named := ep.gaps[seq]
			if ep.got[seq] == nil && !named {
				if missing++; missing == 1 {
					first = seq
				}
			}
		}
		if missing > 0 {
			l.violated(RuleSeq, nil, r.name, "%d seqs of epoch %s up to %d neither came nor were named, the first is %d", missing, ep.name, ep.last, first)
		}
	}
}

// lastBefore returns the last of the times, which are in order, before at, or 0.
func lastBefore(times []time.Duration, at time.Duration) time.Duration {
	i, _ := slices.BinarySearch(times, at)
	if i == 0 {
		return 0
	}
	return times[i-1]
}
