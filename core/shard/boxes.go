package shard

import (
	"github.com/stratix-gateway/stratix/core/record"
)

// newBox makes a mailbox with a numbering of its own.
func (s *Shard) newBox(name string) *mailbox {
	b := &mailbox{name: name, epoch: s.random.Uint64(), seen: s.unixMillis / 1000, at: len(s.boxList)}
	s.boxes[name] = b
	s.boxList = append(s.boxList, b)
	return b
}

// box returns the mailbox of a ClientID, and makes it if there is room for one
// more; else nil. name is copied if it is kept.
func (s *Shard) box(name string) *mailbox {
	if b := s.boxes[name]; b != nil {
		return b
	}
	if len(s.boxes) >= s.opt.Sessions && !s.evict() {
		return nil
	}
	return s.newBox(string([]byte(name)))
}

// boxOf is box for a client that is connected. One that has broken, and has been
// followed by another connection already, does not take the mailbox back.
func (s *Shard) boxOf(c *session) *mailbox {
	if c.box != nil {
		return c.box
	}
	b := s.boxes[c.ID]
	if b == nil {
		if len(s.boxes) >= s.opt.Sessions && !s.evict() {
			return nil
		}
		b = s.newBox(c.ID)
	}
	if b.conn == nil && s.dir.byID[c.ID] == c {
		c.box, b.conn = b, c
	}
	return b
}

// forget drops a mailbox that holds nothing.
func (s *Shard) forget(b *mailbox) {
	if b.home != 0 {
		s.logEnd(b.epoch)
	}
	delete(s.boxes, b.name)
	last := s.boxList[len(s.boxList)-1]
	s.boxList[b.at], last.at = last, b.at
	s.boxList[len(s.boxList)-1] = nil
	s.boxList = s.boxList[:len(s.boxList)-1]
	s.dir.present(b)
	if b.conn != nil {
		b.conn.box = nil
	}
}

// logEnd lets the log know that the mailbox with this epoch is no more.
func (s *Shard) logEnd(epoch uint64) {
	s.logRecord(func(buf []byte) []byte { return record.AppendEnd(buf, epoch) })
	s.filling.ends = append(s.filling.ends, epoch)
}

// keepsEnds reports whether b must stay for now: the log, which would have to
// know of its end, cannot be written.
func (s *Shard) keepsEnds(b *mailbox) bool { return s.failing && b.home != 0 }

// idle reports whether nothing would be lost with b but a numbering.
func (b *mailbox) idle() bool { return b.count == 0 && b.conn == nil && !b.hungry && !b.paging }

// evictSample is how many mailboxes are looked at to find one to forget.
const evictSample = 64

// evict forgets the one that was offline longest among a sample of those that
// hold nothing; it reports false when there is none.
func (s *Shard) evict() bool {
	var oldest *mailbox
	for range min(evictSample, len(s.boxList)) {
		b := s.boxList[s.random.IntN(len(s.boxList))]
		if b.idle() && b.stamp != s.stamp && !s.keepsEnds(b) && (oldest == nil || b.seen < oldest.seen) {
			oldest = b
		}
	}
	if oldest == nil {
		return false
	}
	s.count.Evicted++
	s.forget(oldest)
	return true
}

// state is what the log is told of b.
func (s *Shard) state(b *mailbox) *record.State {
	st := &s.stateBuf
	*st = record.State{Name: b.name, Epoch: b.epoch, Seq: b.seq - uint64(b.loose), Upto: b.upto, Seen: b.seen, Groups: st.Groups[:0], Spans: b.spans}
	if b.reliable {
		st.Flags |= flagReliable
	}
	if b.mixed || b.mixing != 0 {
		st.Flags |= flagMixed
	}
	if b.conn != nil {
		st.Flags |= flagOnline
		for _, m := range b.conn.groups {
			st.Groups = append(st.Groups, m.group.name)
		}
	}
	for _, a := range b.groups {
		st.Groups = append(st.Groups, a.group.name)
	}
	return st
}

// noteGroups lets the log know the groups of a reliable client that have changed.
// The client is told without waiting for that.
func (s *Shard) noteGroups(c *session) {
	if b := c.box; b != nil && b.reliable && b.home != 0 {
		s.logState(b)
		s.filling.soon = true
	}
}
