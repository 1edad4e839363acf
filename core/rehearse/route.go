package rehearse

import (
	"slices"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/record"
	"github.com/stratix-gateway/stratix/core/ruling"
	"github.com/stratix-gateway/stratix/core/wire"
)

// longestName is the longest name of a recipient.
const longestName = max(core.MaxClientID, core.MaxGroupName)

// conclude lets a decision come true.
func (w *World) conclude(r *Result, d Decision, order uint32) {
	c := r.sender
	r.Decision = d
	switch {
	case d.Held:
		w.held[order] = r
		c.held = true
		return
	case d.Verdict == core.Drop:
		r.turnedDown(d)
		return
	}
	if c.Connected {
		if !c.joinAll(d.Joins) {
			w.deny(r, r.id, ruling.TooManyGroups.Code, ruling.TooManyGroups.Text, nil)
			return
		}
		for _, g := range d.Leaves {
			c.leaveGroup(g)
		}
		m := w.asMessage(r)
		for _, data := range d.Replies {
			w.give(c, wire.AppendReply(nil, m, data))
		}
	}
	if len(d.Targets) > 0 {
		w.route(r)
		return
	}
	r.Stored = inMemory
	if len(r.id) > 0 { // it was for the gateway itself
		r.answerWith(wire.AppendAck(nil, r.id, r.Stored, Delivered))
	}
}

// asMessage is the message as its pipeline left it.
func (w *World) asMessage(r *Result) *core.Message {
	d := &r.Decision
	return &core.Message{
		From: &r.sender.Session, ID: r.id, Data: d.Data, Headers: d.Headers, Time: r.sent,
		TTL: d.TTL, Priority: d.Priority, Overflow: d.Overflow, ConflateKey: []byte(d.Key),
	}
}

// route gives an accepted message to its recipients and answers its sender.
func (w *World) route(r *Result) {
	c, d := r.sender, &r.Decision
	kept := d.Storage >= core.StorageMemory
	r.Stored = inMemory
	if d.Storage == core.StorageDisk {
		r.Stored = onDisk
	}
	m := w.asMessage(r)
	var letter *record.Letter
	if kept {
		ttl := m.TTL
		if ttl == 0 {
			ttl = uint32(w.ring.TTL.Load())
		}
		letter = new(record.Letter)
		if _, ok := record.ReadLetter(record.AppendLetter(nil, m, ttl), letter); !ok {
			panic("rehearse: a message to be kept is no letter")
		}
	}
	body := wire.AppendBody(nil, m)
	many := len(d.Targets) > 1 || d.Targets[0].Kind == core.ToPrefix || d.Targets[0].Kind == core.ToGroup
	given := map[string]bool{}
	once := func(id string) bool {
		first := !given[id]
		given[id] = true
		return first
	}
	some, posted := false, false // of the targets can be somebody; is an upstream
	for _, t := range d.Targets {
		if t.Kind == core.ToSender {
			if !c.Connected {
				continue
			}
			t = core.Target{Kind: core.ToClient, Name: c.ID}
		}
		if t.Kind == core.ToUpstream {
			some = true
			if w.post(r, t.Name, body) {
				r.counts.Queued++
			}
			posted = true
			continue
		}
		if len(t.Name) > longestName {
			continue // nobody bears it
		}
		some = true
		for _, id := range w.recipients(t, kept) {
			switch {
			case !kept && w.clients[id] == nil:
				r.counts.Offline++ // each time that it is named
			case !once(id):
			case kept:
				w.keep(r, letter, id, body)
			default:
				w.give(w.clients[id], body)
				r.copies = append(r.copies, &letterCopy{to: id, state: Delivered})
				r.counts.Delivered++
			}
		}
	}
	if !some {
		r.counts.Offline++ // the sender was meant and has left, or nobody can be
	}
	if r.Stored == onDisk && len(r.copies) == 0 && len(r.again) > 0 {
		r.Stored = r.again[0].stored
	}
	if posted {
		r.Stored = inMemory
	}
	r.answer(many)
	w.acknowledge(r)
}

// recipients are the IDs that a target names: the connected ones, and if the
// message is kept, those too that are offline and have a session, or are named
// themselves.
func (w *World) recipients(t core.Target, kept bool) (ids []string) {
	switch t.Kind {
	case core.ToClient:
		return []string{t.Name}
	case core.ToPrefix:
		for _, c := range w.under(t.Name) {
			ids = append(ids, c.ID)
		}
	case core.ToGroup:
		for _, c := range w.groups[t.Name] {
			ids = append(ids, c.ID)
		}
	}
	if kept {
		for _, b := range w.absent() {
			if t.Kind == core.ToPrefix && len(b.name) >= len(t.Name) && b.name[:len(t.Name)] == t.Name ||
				t.Kind == core.ToGroup && slices.Contains(b.groups, t.Name) {
				ids = append(ids, b.name)
			}
		}
	}
	return ids
}

// give gives c a message that is not kept.
func (w *World) give(c *Client, body []byte) {
	seq := uint64(0) // a client that resumes counts only what is kept
	if !c.Reliable {
		c.seq++
		seq = c.seq
	}
	c.get(append(wire.AppendHead(nil, seq), body...))
}
