package main

import (
	"cmp"
	"slices"
	"strings"

	corejournal "github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/record"
)

// accounts tells which messages of the log still wait: those that no record
// says are settled, will never be delivered, or are of a forgotten client. It
// follows the log as a recovery does, and is given the records in order.
type accounts struct {
	epochs map[uint64]*account
	names  map[string]*account // those that are not forgotten
}

// account is what the log says of one client. It may have had several epochs.
type account struct {
	name    string
	epoch   uint64 // the newest
	upto    uint64
	done    []record.Range // behind upto, in order, none within another
	waiting []waits        // by seq
}

// waits is a message that waits. One that was copied forward is where its copy
// is.
type waits struct {
	seq uint64
	at  corejournal.Position
}

func newAccounts() *accounts {
	return &accounts{epochs: map[uint64]*account{}, names: map[string]*account{}}
}

// record takes the next record. It keeps nothing of rec.
func (a *accounts) record(at corejournal.Position, rec *record.Record) {
	switch rec.Kind {
	case record.Message:
		for _, to := range rec.Recipients {
			a.of(to.Name, to.Epoch).give(to.Seq, at)
		}
	case record.Ack:
		if c := a.epochs[rec.Epoch]; c != nil {
			c.settleUpto(rec.Upto)
			c.settleAll(rec.Ranges)
		}
	case record.Gone:
		if c := a.epochs[rec.Epoch]; c != nil {
			c.settleAll(rec.Ranges)
		}
	case record.Session:
		st := &rec.State
		c := a.epochs[st.Epoch]
		if c == nil {
			c = a.names[st.Name] // the epoch is a new one of the client that is known
		}
		if c == nil {
			c = a.of(st.Name, st.Epoch)
		}
		c.epoch = st.Epoch
		a.epochs[st.Epoch] = c
		c.settleUpto(st.Upto)
		for _, span := range st.Spans {
			c.settle(span.Range)
		}
	case record.End:
		if c := a.epochs[rec.Epoch]; c != nil && c.epoch == rec.Epoch {
			a.forget(c)
		}
	}
}

// of returns the account with this epoch. One of that name under an epoch that
// no session record has linked to it was forgotten and begun anew.
func (a *accounts) of(name string, epoch uint64) *account {
	if c := a.epochs[epoch]; c != nil {
		return c
	}
	if old := a.names[name]; old != nil {
		a.forget(old)
	}
	c := &account{name: strings.Clone(name), epoch: epoch}
	a.epochs[epoch], a.names[c.name] = c, c
	return c
}

func (a *accounts) forget(c *account) {
	if a.names[c.name] == c {
		delete(a.names, c.name)
	}
	c.waiting, c.done = nil, nil
}

// nameOf is the client that an epoch belongs to; "" if the log does not say.
func (a *accounts) nameOf(epoch uint64) string {
	if c := a.epochs[epoch]; c != nil {
		return c.name
	}
	return ""
}

// waits reports whether the message at that place still waits for to.
func (a *accounts) waits(at corejournal.Position, to record.Recipient) bool {
	c := a.epochs[to.Epoch]
	if c == nil || a.names[c.name] != c {
		return false
	}
	i, ok := c.find(to.Seq)
	return ok && c.waiting[i].at == at
}

// pending counts by segment the messages that wait for somebody, and for how
// many recipients in all.
func (a *accounts) pending() map[uint32]pending {
	seen := map[corejournal.Position]bool{}
	counts := map[uint32]pending{}
	for _, c := range a.names {
		for _, w := range c.waiting {
			n := counts[w.at.Segment]
			n.deliveries++
			if !seen[w.at] {
				seen[w.at] = true
				n.messages++
			}
			counts[w.at.Segment] = n
		}
	}
	return counts
}

type pending struct{ messages, deliveries uint64 }

func (c *account) find(seq uint64) (int, bool) {
	return slices.BinarySearchFunc(c.waiting, seq, func(w waits, seq uint64) int { return cmp.Compare(w.seq, seq) })
}

func (c *account) give(seq uint64, at corejournal.Position) {
	if seq <= c.upto || c.isDone(seq) {
		return // a copy that was on its way when it was settled
	}
	i, again := c.find(seq)
	if again {
		c.waiting[i].at = at
		return
	}
	c.waiting = slices.Insert(c.waiting, i, waits{seq, at})
}

func (c *account) isDone(seq uint64) bool {
	i := c.doneFrom(seq)
	return i < len(c.done) && c.done[i].From <= seq
}

// doneFrom is the index of the first range that ends at seq or behind it.
func (c *account) doneFrom(seq uint64) int {
	i, _ := slices.BinarySearchFunc(c.done, seq, func(r record.Range, seq uint64) int { return cmp.Compare(r.To, seq) })
	return i
}

func (c *account) settleAll(ranges []record.Range) {
	for _, r := range ranges {
		c.settle(r)
	}
}

func (c *account) settle(r record.Range) {
	if r.From > r.To || r.To <= c.upto {
		return
	}
	r.From = max(r.From, c.upto+1)
	i, _ := c.find(r.From)
	j := i
	for j < len(c.waiting) && c.waiting[j].seq <= r.To {
		j++
	}
	c.waiting = slices.Delete(c.waiting, i, j)
	i = c.doneFrom(r.From)
	for j = i; j < len(c.done) && c.done[j].From <= r.To; j++ {
		r = record.Range{From: min(r.From, c.done[j].From), To: max(r.To, c.done[j].To)}
	}
	c.done = slices.Replace(c.done, i, j, r)
}

func (c *account) settleUpto(upto uint64) {
	if upto <= c.upto {
		return
	}
	c.upto = upto
	i := 0
	for i < len(c.waiting) && c.waiting[i].seq <= upto {
		i++
	}
	c.waiting = c.waiting[i:]
	for len(c.done) > 0 && c.done[0].To <= upto {
		c.done = c.done[1:]
	}
	if len(c.done) > 0 {
		c.done[0].From = max(c.done[0].From, upto+1)
	}
}
