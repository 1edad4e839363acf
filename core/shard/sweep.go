package shard

import (
	"time"

	"github.com/stratix-gateway/stratix/core/arena"
	"github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/record"
)

const (
	// sweepWork is how many mailboxes and messages are looked at in one tick.
	sweepWork = 8 << 10
	// plainIdle is for how long the numbering of a plain client is kept that has
	// nothing waiting, in seconds.
	plainIdle = 5 * 60
	// stateAge is how many segments old the log's knowledge of a mailbox may get
	// before it is written anew.
	stateAge = 4
	// moveAge is how many segments old a message may get before it is copied to
	// the head of the log, if only few wait beside it.
	moveAge = 4
	// moveFew is how many messages of a segment are few.
	moveFew = 4096
)

// sweep walks over the mailboxes, a share in each tick: it ends what has waited
// too long and the sessions that are over, and renews what the log knows.
type sweep struct {
	at     int    // the mailboxes from here on were looked at in this round
	head   uint32 // of the log when the round began
	home   uint32 // the oldest home in this round
	oldest int64  // the oldest message in this round, milliseconds since 1970
	move   uint32 // the segment whose messages are copied in this round; 0 for none
	full   Full   // of this round

	age  int64 // the oldest message of the last round; 0 for none
	last Full  // of the last round
}

// Full is the clients for whom no more is kept, and some of their names.
type Full struct {
	Clients int
	Names   []string // fullNames at the most
}

const fullNames = 10

func (f *Full) add(o *Full) {
	f.Clients += o.Clients
	f.Names = append(f.Names, o.Names[:min(len(o.Names), fullNames-len(f.Names))]...)
}

// sweepOn does one tick's share.
func (s *Shard) sweepOn() {
	w := &s.sweep
	for work := 0; work < sweepWork; work++ {
		if w.at == 0 {
			s.endRound()
			if work > 0 || len(s.boxList) == 0 {
				return // at most one round in a tick
			}
		}
		w.at--
		b := s.boxList[w.at]
		work += s.lookAt(b)
		w.at = min(w.at, len(s.boxList))
	}
}

// endRound notes what the round has found and begins the next one.
func (s *Shard) endRound() {
	w := &s.sweep
	if w.head != 0 { // not before the first
		s.oldestHome = min(w.home, w.head)
	}
	if s.opt.Journal != nil {
		log := s.opt.Journal.Stats()
		s.head = max(s.head, log.Head)
		s.endReliefRound(log.Full)
		if !log.Full && s.flying == nil && len(s.filling.main)+len(s.filling.lazy)+len(s.settled) == 0 {
			s.needed.Store(s.need()) // a shard at rest keeps no segment
		}
	}
	*w = sweep{at: len(s.boxList), head: max(1, s.head), home: max(1, s.head), age: w.oldest, last: w.full}
	segment, n, ok := s.segments.oldest()
	if below := s.relief.below; ok && below > 0 && segment < below || ok && below == 0 && n <= moveFew && segment+moveAge <= s.head {
		w.move = segment
	}
}

// lookAt sees to one mailbox and returns how many messages it has looked at.
func (s *Shard) lookAt(b *mailbox) (looked int) {
	w := &s.sweep
	now := s.unixMillis / 1000
	c := b.conn
	if b.count > 0 {
		if s.isFull(b) {
			w.full.Clients++
			if len(w.full.Names) < fullNames {
				w.full.Names = append(w.full.Names, b.name)
			}
		}
		live := c != nil && c.begun
		b.lanes(func(l *lane) {
			s.noteOldest(l.first)
			on, before := live, uint32(0)
			for i := l.first; i != 0; {
				looked++
				e := s.entries.At(i)
				on = on && i != l.next
				next := e.next
				blk := s.block(e.block)
				switch {
				case e.flags&entryLoose != 0:
					return // and so are all behind it
				case !on && s.expired(e.block):
					s.lose(b, l, before, i, record.Expired)
				default:
					if blk.segment != 0 && blk.segment == w.move {
						s.move(b, i)
					}
					before = i
				}
				i = next
			}
		})
	}
	switch {
	case c != nil:
		b.seen = now
	case b.reliable && now-b.seen > s.opt.SessionLifetime:
		s.dir.present(b) // the session is over; what waits does so until its time has come
		b.reliable = false
		s.renew(b) // its gaps are not kept for it any more
	case b.idle() && !b.reliable && now-b.seen > plainIdle && !s.keepsEnds(b):
		s.forget(b)
		return looked
	}
	s.relieve(b)
	if b.home != 0 && (b.stale || b.home+stateAge <= s.head) && len(s.filling.lazy) < commitBytes {
		s.logState(b)
	}
	if b.home != 0 {
		w.home = min(w.home, b.home)
	}
	return looked
}

// isFull reports whether no other message would be kept for b unless one makes way;
// nor a large one, where bytes bound it.
func (s *Shard) isFull(b *mailbox) bool {
	r := s.opt.Ring
	bytes := r.ClientBytes.Load()
	return int64(b.count-b.yielding) >= r.ClientMessages.Load() || b.bytes-b.yieldSize > bytes-bytes/64
}

func (s *Shard) noteOldest(i uint32) {
	if b := s.block(s.entries.At(i).block); b.here {
		var l record.Letter
		s.readLetter(s.entries.At(i).block, &l)
		if w := &s.sweep; w.oldest == 0 || l.Time < w.oldest {
			w.oldest = l.Time
		}
	}
}

// oldestAge is how long the oldest message of the last round has waited.
func (s *Shard) oldestAge() time.Duration {
	if s.sweep.age == 0 || s.bounds.used == 0 {
		return 0
	}
	return time.Duration(max(0, s.unixMillis-s.sweep.age)) * time.Millisecond
}

// moved is a message whose record is written anew at the head of the log, so
// that its old segment can go. The entry holds a share of the block meanwhile.
type moved struct {
	box   *mailbox
	entry uint32
	seq   uint32
	at    int // in commit.main
}

// move copies the record of entry i of b to the head of the log.
func (s *Shard) move(b *mailbox, i uint32) {
	e := s.entries.At(i)
	blk := s.block(e.block)
	if s.moving(blk.size, blk.segment) == nil {
		return // in the next round
	}
	if !blk.here {
		s.moveFromDisk(b, i, blk.at())
		return
	}
	s.readLetter(e.block, &s.out)
	s.moveLetter(b, i, &s.out)
}

// moveLetter writes the record of entry i of b, with this letter, into the next
// commit.
func (s *Shard) moveLetter(b *mailbox, i uint32, l *record.Letter) {
	e := s.entries.At(i)
	f := s.moving(len(l.Content), s.block(e.block).segment)
	if f == nil {
		return
	}
	if r := &s.relief; f == &r.commit && !r.has(b) {
		s.relieveState(b)
	}
	buf, at := journal.BeginRecord(f.main)
	buf = record.AppendMessage(buf, l.From, l.Content, 1)
	buf = record.AppendRecipient(buf, b.name, b.epoch, b.whole(e))
	f.main = journal.EndRecord(buf, at)
	f.moves = append(f.moves, moved{box: b, entry: i, seq: e.seq, at: at})
}

// arrive notes where a moved message stands now, if it still waits.
func (s *Shard) arrive(f *commit, m *moved) {
	b := m.box
	if s.boxes[b.name] != b || b.count == 0 {
		return
	}
	e := s.find(b, m.entry, m.seq)
	if e == nil {
		return
	}
	blk := s.block(e.block)
	if blk.refs > 1 { // the others stay where they are
		old := e.block
		var l record.Letter
		var ref arena.Ref
		ok := false
		if blk.here {
			s.readLetter(old, &l)
			ref, ok = s.newBlock(&l, true)
		}
		if !ok {
			ref = s.newHead(blk.size, s.expiry(old), s.senders.all[blk.sender].name)
		}
		if e.flags&entryKeyed != 0 && !s.block(ref).here {
			s.forgetKey(b, m.entry, e) // the key goes with the content
			e.flags &^= entryKeyed
		}
		s.block(ref).refs = 1
		e.block = ref
		s.release(old)
		blk = s.block(ref)
	}
	s.place(blk.block, f.position(m.at))
}

// find returns entry i of b if it is still the message with the lower half of
// seq; else nil.
func (s *Shard) find(b *mailbox, i, seq uint32) (found *entry) {
	b.lanes(func(l *lane) {
		for at := l.first; at != 0 && found == nil; at = s.entries.At(at).next {
			if at == i && s.entries.At(at).seq == seq {
				found = s.entries.At(at)
			}
		}
	})
	return found
}
