package shard

import (
	"hash/maphash"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/record"
	"github.com/stratix-gateway/stratix/core/wire"
)

// longestName is the longest name of a recipient.
const longestName = max(core.MaxClientID, core.MaxGroupName)

// route sends an accepted message to the shards that own its recipients. c is
// nil when the sender left while the message was held, or never was connected.
func (s *Shard) route(c *session, m *core.Message, targets []core.Target) {
	kept := m.Storage >= core.StorageMemory
	kind := byte(entryMessage)
	if kept {
		ttl := m.TTL
		if ttl == 0 {
			ttl = uint32(s.opt.Ring.TTL.Load())
		}
		s.body = record.AppendLetter(s.body[:0], m, ttl)
		kind = entryKept
	} else {
		s.body = wire.AppendBody(s.body[:0], m)
	}
	if !kept && len(targets) == 1 && c != nil && s.isSelf(c, targets[0]) && !c.blocked {
		s.giveSelf(c, s.body)
		s.ackSelf(c, m)
		return
	}
	shards := s.split(c, m, targets)
	slot, f := s.flights.take()
	f.id = append(f.id[:0], m.ID...)
	held := m.Held()
	f.sender, f.serial = held.Slot, held.Serial
	f.letter = m.From.ID == ""
	f.many = len(targets) > 1 || targets[0].Kind == core.ToPrefix || targets[0].Kind == core.ToGroup
	f.receipt = m.Receipt && (len(m.ID) > 0 || held.Slot >= publishedSlot) && s.flights.late < maxLate
	if m.Trace != nil {
		f.trace = m.Trace.Number
		f.watched = !f.many && s.flights.watched < maxWatched && s.flights.late < maxLate
		if f.watched {
			s.flights.watched++
		}
	}
	if f.shards = shards; len(s.ups) > 0 {
		f.shards++
	}
	if f.shards == 0 { // the sender was meant and has left, or nobody can be
		f.shards = 1
		s.report(slot, wire.Counts{Offline: 1}, storedMemory, faultNone)
		return
	}
	var flags byte
	wanted := f.receipt || f.watched
	if wanted {
		flags |= wantsReceipt
	}
	disk := m.Storage == core.StorageDisk
	if disk {
		flags |= wantsDisk
	}
	for i, part := range s.parts {
		if len(part) == 0 {
			continue
		}
		switch {
		case i == s.index && kept:
			s.keep(s, slot, wanted, disk, part, s.body)
		case i == s.index:
			s.deliver(s, slot, wanted, part, s.body)
		default:
			b := s.to(i)
			b.buf = appendMessage(b.buf, kind, slot, flags, part, s.body)
		}
	}
	if len(s.ups) > 0 {
		s.post(m, slot, wanted, kept)
	}
}

// isSelf reports whether t is the sender's own connection.
func (s *Shard) isSelf(c *session, t core.Target) bool {
	return c.state == open && (t.Kind == core.ToSender || t.Kind == core.ToClient && t.Name == c.ID)
}

// split sorts the targets by the shards that own them into s.parts, and returns
// how many shards that is; upstreams go into s.ups.
func (s *Shard) split(c *session, m *core.Message, targets []core.Target) (shards uint16) {
	for i := range s.parts {
		s.parts[i] = s.parts[i][:0]
	}
	s.ups = s.ups[:0]
	put := func(i int, t core.Target) {
		if len(s.parts[i]) == 0 {
			shards++
		}
		s.parts[i] = append(s.parts[i], t)
	}
	for _, t := range targets {
		if len(t.Name) > longestName {
			continue // nobody bears it, and it would not fit an entry
		}
		switch t.Kind {
		case core.ToSender:
			if c != nil {
				put(s.index, core.Target{Kind: core.ToClient, Name: m.From.ID})
			}
		case core.ToClient:
			put(s.ownerOf(t.Name), t)
		case core.ToUpstream:
			s.ups = append(s.ups, t)
		default:
			for i := range s.parts {
				put(i, t)
			}
		}
	}
	return shards
}

// ownerOf is the shard to which the ClientID belongs.
func (s *Shard) ownerOf(id string) int {
	if len(s.peers) == 1 {
		return 0
	}
	return int(s.hashOf(id) % uint64(len(s.peers)))
}

// hashOf is the same for a ClientID on all shards.
func (s *Shard) hashOf(id string) uint64 { return maphash.String(s.seed, id) }

// Resume takes messages back that a stage held. It may be called from any
// goroutine.
func (s *Shard) Resume(batch []*core.Message) {
	s.inbox.post(&parcel{kind: parcelResume, held: batch})
}

// resumed goes on with messages that were held.
func (s *Shard) resumed(batch []*core.Message) {
	for _, m := range batch {
		s.goOn(m)
	}
	s.releasePrograms()
}

// goOn runs a message that was held through the rest of its pipeline.
func (s *Shard) goOn(m *core.Message) {
	h := *m.Held()
	p := h.Program.Pipeline
	p.Pending--
	c := s.sessions.find(h.Slot, h.Serial)
	published, _ := s.publications.find(h.Slot, h.Serial)
	if published != nil {
		published.held = false
	}
	if c != nil && c.state == open {
		c.held = false
	} else {
		c = nil
	}
	var v core.Verdict
	err := h.Err
	if err == nil {
		v, err = s.runStages(p, m, true)
	} else if m.Trace != nil {
		m.Trace.Resumed(m)
	}
	s.conclude(c, m, v, err)
	if c != nil && c.state == open {
		s.listen(c)
	}
	s.resumePublication(published)
}
