package torture

import "time"

// epoch is one run of a recipient's seqs.
type epoch struct {
	name  string
	began time.Duration
	// asked is when the connection was made on which the client learned of it: it
	// may read the answer late, when the process that gave it is gone.
	asked time.Duration
	from  uint64 // its first seq is behind it
	start uint64 // the first seq of the current view is behind it
	last  uint64 // the highest seq that anybody spoke of
	got   map[uint64]*reception
	gaps  map[uint64]gap
	// view counts how often the client has begun to know the epoch: once, and
	// again each time that it forgot it. All seqs behind start come or are named
	// in each view.
	view int32
}

// reception is that of a seq, of which the first counts.
type reception struct {
	m    *message
	at   time.Duration
	span views
}

// gap is one seq that will not come.
type gap struct {
	cause string        // when it was first named
	at    time.Duration // likewise
	span  views
}

// views are the first and the last one in which something happened.
type views struct{ first, last int32 }

// current is the epoch that events of r belong to, nil before the first hello
// was answered.
func (r *recipient) current() *epoch {
	if len(r.epochs) == 0 {
		return nil
	}
	return r.epochs[len(r.epochs)-1]
}

func (c *Checker) greeted(e *Event) {
	r := c.recipient(e.Client)
	ep, forgot := r.current(), r.forgot
	r.forgot = false
	if e.Recovered {
		if ep == nil || ep.name != e.Epoch || forgot {
			c.violated(RuleSeq, nil, e.Client, "at %s epoch %s was recovered, which the client does not know", e.At, e.Epoch)
			return
		}
		ep.last = max(ep.last, e.Last)
		return
	}
	r.acked = settled{}
	if forgot && ep != nil && ep.name == e.Epoch {
		c.reviewed(r, ep, e)
		return
	}
	c.checkRenewal(r, e)
	for _, old := range r.epochs {
		if old.name == e.Epoch {
			c.violated(RuleSeq, nil, e.Client, "at %s epoch %s began a second time", e.At, e.Epoch)
		}
	}
	r.epochs = append(r.epochs, &epoch{
		name: e.Epoch, began: e.At, asked: r.opened, from: e.Seq, start: e.Seq, last: max(e.Seq, e.Last),
		got: map[uint64]*reception{}, gaps: map[uint64]gap{},
	})
}

// reviewed begins another view of the epoch. What it passes over, the client
// must have had before.
func (c *Checker) reviewed(r *recipient, ep *epoch, e *Event) {
	for seq := ep.start + 1; seq <= e.Seq && seq-ep.start < maxGap; seq++ {
		if _, named := ep.gaps[seq]; !named && ep.got[seq] == nil {
			c.violated(RuleSeq, nil, r.name, "at %s it was told to go on behind %d of epoch %s, and never got %d", e.At, e.Seq, ep.name, seq)
			break
		}
	}
	ep.view++
	ep.start = e.Seq
	ep.last = max(ep.last, e.Last)
}

// checkRenewal wants a reason for the end of r's epoch, if it has given any seq:
// the log knew it then, unless what it kept was in memory only.
func (c *Checker) checkRenewal(r *recipient, e *Event) {
	ep := r.current()
	if ep == nil || ep.last <= ep.from {
		return
	}
	// The gateway began it at the start before the client learned of it.
	since := lastBefore(c.faults.kills, ep.asked)
	if between(c.faults.flips, since, e.At) ||
		c.faults.during(faultWeak, since, e.At) && between(c.faults.kills, ep.asked, e.At) {
		return
	}
	first := uint64(0)
	for seq := range ep.got {
		if first == 0 || seq < first {
			first = seq
		}
	}
	if first > 0 {
		c.violated(RuleSeq, ep.got[first].m, r.name, "came with seq %d, but its epoch %s ended at %s for no reason", first, ep.name, e.At)
		return
	}
	c.violated(RuleSeq, nil, r.name, "epoch %s, which had given the seqs up to %d, ended at %s for no reason", ep.name, ep.last, e.At)
}

// knew reports whether r got the seqs, or was told that they will not come, in
// an epoch or a view before the current one.
func (r *recipient) knew(from, to uint64) bool {
	now := r.current()
	for seq := from; seq <= to; seq++ {
		known := false
		for _, ep := range r.epochs {
			g, named := ep.gaps[seq]
			got := ep.got[seq]
			known = known || named && (ep != now || g.span.first < now.view) || got != nil && (ep != now || got.span.first < now.view)
		}
		if !known {
			return false
		}
	}
	return true
}

// checkSeqs wants each seq of the epochs that are still on to have come or to
// be named. Of those that ended, the client has forgotten the seqs: what they
// stood for comes under others, and RuleKept wants it.
func (c *Checker) checkSeqs() {
	for _, r := range c.byName() {
		ep := r.current()
		if r.plain || ep == nil {
			continue
		}
		missing, first := 0, uint64(0)
		for seq := ep.start + 1; seq <= ep.last && missing < maxGap; seq++ {
			if !ep.settles(seq) {
				if missing++; missing == 1 {
					first = seq
				}
			}
		}
		if missing > 0 {
			c.violated(RuleSeq, nil, r.name, "%d seqs of epoch %s up to %d neither came nor were named, the first is %d", missing, ep.name, ep.last, first)
		}
	}
}

// settles reports whether the seq came, or was named, in the current view.
func (ep *epoch) settles(seq uint64) bool {
	if got := ep.got[seq]; got != nil && got.span.last == ep.view {
		return true
	}
	g, named := ep.gaps[seq]
	return named && g.span.last == ep.view
}
