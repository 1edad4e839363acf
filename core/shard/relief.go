package shard

import (
	"slices"

	"github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/record"
)

// relief is how a shard lets old segments go while the disk is full and nothing
// ordinary can be written: it writes the states of mailboxes, and the few
// messages that wait, out of these segments into the room that the log has in
// reserve for that.
type relief struct {
	commit            // main holds what is written
	boxes  []*mailbox // whose states are in it
	flying bool
	full   bool   // the disk is
	head   uint32 // the segment that was being written when it became so
	below  uint32 // the segments before this one could go; 0 for none
	large  uint32 // a segment with a message that is too large for the reserve; 0 for none
	owing  bool   // something stands there still, as far as this round has seen
}

const (
	// reliefBytes is how much is written at once.
	reliefBytes = 32 << 10
	// reliefFew is how many messages are written anew to let a segment go.
	reliefFew = 64
)

// reliefRoom is from how many bytes on a relief takes no more: a state and a copy as
// large still find room in the reserve.
func (s *Shard) reliefRoom() int {
	return int(min(reliefBytes, s.opt.Journal.Reserve()/3))
}

// endReliefRound begins a round of sweep, in which the disk is full or is not.
func (s *Shard) endReliefRound(full bool) {
	r := &s.relief
	switch {
	case !full:
		r.full, r.below, r.large = false, 0, 0
		return
	case !r.full:
		r.full, r.head = true, s.head
	}
	if segment, _, ok := s.segments.oldest(); ok && segment < r.below {
		r.owing = true
	}
	if r.below > 0 && !r.owing && !r.flying && s.head > r.head {
		s.needed.Store(max(s.needed.Load(), s.leastNeed()))
	}
	s.submitRelief()
	r.below, r.owing = s.freeable(), false
}

// freeable is the segment before which all could go; 0 if none can.
func (s *Shard) freeable() uint32 {
	r := &s.relief
	below := r.head + 1
	if r.large != 0 {
		below = min(below, r.large)
	}
	if segment, ok := s.segments.firstOver(reliefFew); ok {
		below = min(below, segment)
	}
	if below <= s.needed.Load() {
		return 0
	}
	return below
}

// leastNeed is need without the deduplication window, which gives way to a full
// disk.
func (s *Shard) leastNeed() uint32 {
	need := min(s.head, s.oldestHome)
	if segment, _, ok := s.segments.oldest(); ok {
		need = min(need, segment)
	}
	return need
}

// relieve takes the state of b into the relief if segments wait for that.
func (s *Shard) relieve(b *mailbox) {
	r := &s.relief
	if r.below == 0 || b.home == 0 || b.home >= r.below && !b.unsaid {
		return
	}
	r.owing = true
	if r.flying || r.has(b) && !b.unsaid {
		return
	}
	if len(r.main) >= s.reliefRoom() {
		s.submitRelief()
		return
	}
	s.relieveState(b)
}

// has reports whether the state of b is the last in the relief.
func (r *relief) has(b *mailbox) bool {
	return len(r.boxes) > 0 && r.boxes[len(r.boxes)-1] == b
}

// relieveState takes the state of b into the relief. It stands in front of the
// copies of its messages: what the log would have to know of it before, such as
// another epoch, may be among what waits for room.
func (s *Shard) relieveState(b *mailbox) {
	r := &s.relief
	buf, at := journal.BeginRecord(r.main)
	r.main = journal.EndRecord(record.AppendSession(buf, s.state(b)), at)
	r.boxes = append(r.boxes, b)
	b.unsaid = false // the state says it
}

// submitRelief gives the log what there is. If there is nothing, and the segment
// that was being written has to be left, it says nothing there.
func (s *Shard) submitRelief() {
	r := &s.relief
	if r.flying || r.below == 0 {
		return
	}
	if len(r.main) == 0 {
		if s.head > r.head {
			return
		}
		buf, at := journal.BeginRecord(r.main)
		r.main = journal.EndRecord(record.AppendEnd(buf, 0), at) // nobody has that epoch
	}
	r.flying = true
	r.Buf, r.Frees = r.main, max(1, r.head)
	s.opt.Journal.Submit(&r.Batch)
}

// relieved is called when a relief is written or not.
func (s *Shard) relieved() {
	r := &s.relief
	r.flying = false
	if r.Err == nil {
		s.head = max(s.head, r.Base.Segment)
		for i := range r.moves {
			s.arrive(&r.commit, &r.moves[i])
		}
	}
	for _, b := range r.boxes {
		if r.Err == nil {
			b.home = max(b.home, r.Base.Segment)
		} else {
			s.owe(b)
		}
	}
	s.settled = slices.DeleteFunc(s.settled, func(b *mailbox) bool { return !b.unsaid })
	clear(r.boxes)
	clear(r.moves)
	r.main, r.boxes, r.moves, r.Err = r.main[:0], r.boxes[:0], r.moves[:0], nil
}

// moving is the commit into which old messages are copied; nil if none takes n
// bytes now.
func (s *Shard) moving(n int, segment uint32) *commit {
	r := &s.relief
	switch {
	case r.below == 0 && len(s.filling.main) <= commitBytes/2:
		return s.filling
	case r.below == 0 || r.flying || len(r.main) >= s.reliefRoom():
		return nil
	case n > s.reliefRoom():
		r.large = segment
		return nil
	}
	return &r.commit
}
