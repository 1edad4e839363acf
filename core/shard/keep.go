package shard

import (
	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/arena"
	"github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/record"
	"github.com/stratix-gateway/stratix/core/wire"
)

// stored is how well a message is kept, as its sender is told.
type stored uint8

const (
	storedMemory stored = iota
	storedOS            // written, and not yet forced to the disk
	storedDisk
)

func (s stored) String() string { return [...]string{"memory", "os", "disk"}[s%3] }

// fault is why a recipient was refused a message that should have been kept.
type fault uint8

const (
	faultNone    fault = iota
	faultFull          // no room for one more in the ring or for this client
	faultStorage       // the log could not be written
	faultDisk          // ... because the disk is full
)

// keeping is a message on its way into the mailboxes of this shard.
type keeping struct {
	from   *Shard
	slot   uint32 // of the flight there
	wanted bool   // a receipt
	disk   bool
	bytes  []byte // the letter
	letter record.Letter
	block  arena.Ref // 0 until the first recipient has taken it
	loose  bool      // it must wait for a commit
	known  bool      // a repeat: all in it that waits is waiting for others, too
	wait   wait
}

// keep gives a message to the mailboxes of the recipients that this shard owns.
// letter is copied. What it did with it is reported when the commit is done that
// the message waits for, or after this turn's writes if it waits for none.
func (s *Shard) keep(from *Shard, slot uint32, wanted, disk bool, targets []core.Target, letter []byte) {
	k := &s.keeping
	*k = keeping{from: from, slot: slot, wanted: wanted, disk: disk && s.opt.Journal != nil, bytes: letter}
	if _, ok := record.ReadLetter(letter, &k.letter); !ok {
		panic("shard: a message to be kept is no letter")
	}
	// Also what is passed on at once stands among the fresh, for as long as that takes.
	k.wait = wait{from: from, slot: slot, wanted: wanted, first: len(s.filling.fresh), at: -1, stored: storedDisk}
	s.newStamp()
	for _, t := range targets {
		switch t.Kind {
		case core.ToClient:
			if c := s.dir.byID[t.Name]; c != nil {
				s.admitSession(k, c)
			} else if b := s.box(t.Name); b != nil {
				s.admit(k, b)
			} else {
				k.refuse(faultFull)
			}
		case core.ToPrefix:
			s.dir.under(t.Name, func(c *session) bool {
				s.admitSession(k, c)
				return true
			})
			s.dir.absentUnder(t.Name, func(b *mailbox) { s.admit(k, b) })
		case core.ToGroup:
			if g := s.dir.groups[t.Name]; g != nil {
				for _, c := range g.members {
					s.admitSession(k, c)
				}
				for _, b := range g.absent {
					s.admit(k, b)
				}
			}
		}
	}
	s.keepRest(k)
	s.reap()
}

func (s *Shard) admitSession(k *keeping, c *session) {
	if b := s.boxOf(c); b != nil {
		s.admit(k, b)
	} else {
		k.refuse(faultFull)
	}
}

func (k *keeping) refuse(why fault) {
	k.wait.counts.Refused++
	k.wait.fault = max(k.wait.fault, why)
}

// admit gives the message to one mailbox, once.
func (s *Shard) admit(k *keeping, b *mailbox) {
	if b.stamp == s.stamp {
		return
	}
	b.stamp = s.stamp
	s.given++
	var key seenKey
	if len(k.letter.ID) > 0 {
		key = s.seeds.key(k.letter.From, k.letter.ID, b.name)
		if mark, ok := s.seen.find(key, s.seconds()); ok {
			s.repeated(k, b, mark)
			return
		}
	}
	if !s.fits(k, b) {
		k.refuse(faultFull)
		s.count.RingFull++
		return
	}
	i, ok := s.entries.Get()
	if !ok {
		s.bounds.put()
		k.refuse(faultFull)
		return
	}
	e := s.entries.At(i)
	if k.disk && b.home == 0 {
		s.introduce(b)
	}
	b.seq++
	*e = entry{block: k.block, seq: uint32(b.seq), prio: k.letter.Priority}
	mark := e.seq &^ markDisk
	if k.disk {
		e.flags |= entryDisk
		mark |= markDisk
	}
	if k.letter.Overflow == core.OverflowConflate && len(k.letter.Key) > 0 && s.block(k.block).here {
		e.flags |= entryKeyed
	}
	s.count.Kept++
	s.block(k.block).refs++
	b.bytes += int64(len(k.bytes))
	if !k.disk && b.reliable && b.home != 0 && !b.mixed {
		// The log must know before anybody sees it that this seq is not in it.
		b.mixed = true
		s.logState(b)
		k.loose = true
	}
	k.loose = k.loose || k.disk || b.loose > 0
	if len(k.letter.ID) > 0 {
		s.seen.add(key, mark, s.seconds())
		s.added++
	}
	s.filling.fresh = append(s.filling.fresh, fresh{box: b, entry: i, key: key})
}

// markDisk is the bit of a mark in the deduplication window that says that the
// message is in the log; the others are the seq's.
const markDisk = 1 << 31

// repeated counts a message that b was given before as what has become of it.
func (s *Shard) repeated(k *keeping, b *mailbox, mark uint32) {
	s.count.Repeats++
	if mark&markDisk == 0 {
		k.wait.stored = storedMemory
	}
	if s.isWaiting(b, mark) {
		k.wait.counts.Queued++
	} else {
		k.wait.counts.Delivered++
	}
	if b.loose > 0 {
		k.known = true // its outcome is not known before the commit is
	}
}

// waitLook is how many messages are looked at to find out whether one waits.
const waitLook = 1024

// isWaiting reports whether the message with this mark still waits; among very
// many it may say so of one that was settled out of order.
func (s *Shard) isWaiting(b *mailbox, mark uint32) bool {
	const mask = markDisk - 1
	if b.count == 0 {
		return false
	}
	back := (uint32(b.seq) - mark) & mask // how many were given since
	if uint64(back) > b.seq || b.seq-uint64(back) <= b.upto {
		return false
	}
	found, looked := false, 0
	b.lanes(func(l *lane) {
		for i := l.first; i != 0 && !found; i = s.entries.At(i).next {
			if looked++; looked > waitLook {
				found = true
				return
			}
			found = s.entries.At(i).seq&mask == mark&mask
		}
	})
	return found
}

// fits makes sure of room for the message, in the ring and for b, by the
// message's policy. When it reports true, the count of one message is taken and
// the block is there.
func (s *Shard) fits(k *keeping, b *mailbox) bool {
	size := int64(len(k.bytes))
	r := s.opt.Ring
	policy := k.letter.Overflow
	for int64(b.count) >= r.ClientMessages.Load() || b.bytes+size > r.ClientBytes.Load() {
		if !s.makeWay(b, policy) {
			return false
		}
	}
	for !s.bounds.get() {
		if !s.makeWay(b, policy) {
			return false
		}
	}
	for k.block == 0 {
		ref, ok := s.newBlock(&k.letter, k.bytes, k.disk)
		if ok {
			k.block = ref
		} else if !s.makeWay(b, policy) {
			s.bounds.put()
			return false
		}
	}
	return true
}

// makeWay applies the policy to a mailbox for which there is no room, and
// reports whether some was made.
func (s *Shard) makeWay(b *mailbox, policy core.Overflow) bool {
	switch policy {
	case core.OverflowDropOldest, core.OverflowConflate:
		return s.dropFirst(b)
	case core.OverflowDisconnect:
		if b.conn != nil && b.conn.state == open {
			s.doomed = append(s.doomed, b.conn)
		}
	}
	return false
}

// dropFirst drops the oldest message of the lowest priority that is committed
// and not on the connection; false when there is none.
func (s *Shard) dropFirst(b *mailbox) bool {
	dropped := false
	for prio := uint8(0); prio <= 9 && !dropped; prio++ {
		if prio > 0 && b.high == nil {
			break
		}
		l := b.lane(prio)
		if i := l.next; i != 0 && s.entries.At(i).flags&entryLoose == 0 {
			s.lose(b, l, s.before(l, i), i, record.Overflow)
			dropped = true
		}
	}
	return dropped
}

// before returns the entry in front of i in l; 0 if i is the first.
func (s *Shard) before(l *lane, i uint32) uint32 {
	before := uint32(0)
	for at := l.first; at != i; at = s.entries.At(at).next {
		before = at
	}
	return before
}

// lose takes entry i out of lane l, behind before: it will never be delivered,
// and its recipient will be told the cause.
func (s *Shard) lose(b *mailbox, l *lane, before, i uint32, cause record.Cause) {
	e := s.entries.At(i)
	seq := b.whole(e)
	s.count.Lapsed[cause]++
	if e.flags&entryDisk != 0 {
		s.logRecord(func(buf []byte) []byte {
			return record.AppendGone(buf, b.epoch, cause, record.Range{From: seq, To: seq})
		})
	}
	if e.flags&entryLate != 0 {
		s.answerFor(i, cause)
	}
	s.unlink(b, l, before, i, false)
	b.remember(seq, cause)
	b.advance()
	if c := b.conn; c != nil && c.begun && b.reliable {
		s.untold = append(s.untold, untold{b, wire.Gap{Range: wire.Range{From: seq, To: seq}, Cause: cause.String()}})
	}
}

// conflate lets entry i, which is committed and bears a key, wait under it in
// place of the one that did.
func (s *Shard) conflate(b *mailbox, i uint32) {
	var letter record.Letter
	s.readLetter(s.entries.At(i).block, &letter)
	key := letter.Key
	if old, taken := b.conflated[string(key)]; taken {
		o := s.entries.At(old)
		if l := b.lane(o.prio); s.onConnection(l, o) {
			o.flags &^= entryKeyed // it is on its way
		} else {
			s.lose(b, l, s.before(l, old), old, record.Conflated)
		}
	}
	if b.conflated == nil {
		b.conflated = map[string]uint32{}
	}
	b.conflated[string(key)] = i
}

// onConnection reports whether e is in front of the next of its lane.
func (s *Shard) onConnection(l *lane, e *entry) bool {
	return l.next == 0 || int32(e.seq-s.entries.At(l.next).seq) < 0
}

// forgetKey takes entry i out of those that wait under a key.
func (s *Shard) forgetKey(b *mailbox, i uint32, e *entry) {
	var l record.Letter
	s.readLetter(e.block, &l)
	if b.conflated[string(l.Key)] == i {
		delete(b.conflated, string(l.Key))
	}
}

// keepRest writes the record of a message that its recipients have taken, and
// either lets it wait for its commit or passes it on at once.
func (s *Shard) keepRest(k *keeping) {
	f := s.filling
	w := &k.wait
	w.block = k.block
	taken := f.fresh[w.first:]
	w.count = len(taken)
	if k.block != 0 && len(taken) == 0 {
		s.arena.Free(k.block)
	}
	if k.disk && len(taken) > 0 {
		buf, at := journal.BeginRecord(f.Buf)
		buf = record.AppendMessage(buf, k.bytes, len(taken))
		for _, t := range taken {
			e := s.entries.At(t.entry)
			buf = record.AppendRecipient(buf, t.box.name, t.box.epoch, t.box.whole(e))
		}
		f.Buf = journal.EndRecord(buf, at)
		w.at = at
	} else if len(taken) > 0 {
		w.stored = storedMemory
	}
	for _, t := range taken {
		e := s.entries.At(t.entry)
		if k.loose {
			e.flags |= entryLoose
		}
		s.push(t.box, t.entry, e)
	}
	if k.loose || k.known {
		f.waits = append(f.waits, *w)
		return
	}
	s.passOn(w, taken)
	f.fresh = f.fresh[:w.first]
}
