package shard

import (
	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/arena"
	"github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/record"
)

// stored is how well a message is kept, as its sender is told.
type stored uint8

const (
	storedMemory stored = iota
	storedOS            // written, and not yet forced to the disk
	storedDisk
)

func (s stored) String() string { return [...]string{"memory", "os", "disk"}[s%3] }

// fault is why a recipient was refused a message.
type fault uint8

const (
	faultNone     fault = iota
	faultLost           // a repeat of what will not be delivered ...
	faultExpired        // ... since it waited too long
	faultFull           // no room for one more in the ring or for this client
	faultSender         // too many of this sender wait
	faultUpstream       // an upstream has no room
	faultStorage        // the log could not be written
	faultDisk           // ... because the disk is full
)

// keeping is a message on its way into the mailboxes of this shard.
type keeping struct {
	from   *Shard
	slot   uint32 // of the flight there
	wanted bool   // a receipt
	disk   bool
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
	*k = keeping{from: from, slot: slot, wanted: wanted, disk: disk && s.opt.Journal != nil}
	if _, ok := record.ReadLetter(letter, &k.letter); !ok {
		panic("shard: a message to be kept is no letter")
	}
	// Also what is passed on at once stands among the fresh, for as long as that takes.
	k.wait = wait{
		from: from, slot: slot, wanted: wanted, at: -1, stored: storedDisk,
		first: len(s.filling.fresh), yields: len(s.filling.yields),
	}
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
	if taken := len(s.filling.fresh) - k.wait.first; s.senders.waiting(k.letter.From)+int64(taken) >= s.opt.Ring.SenderMessages.Load() {
		k.refuse(faultSender)
		s.count.RingFull++
		return
	}
	i, ok := s.entries.Get()
	if !ok || !s.fits(k, b) {
		if ok {
			s.entries.Put(i)
		}
		k.refuse(faultFull)
		s.count.RingFull++
		return
	}
	e := s.entries.At(i)
	if k.disk && b.home == 0 {
		s.introduce(b)
	}
	b.seq++
	*e = entry{block: k.block, seq: uint32(b.seq), prio: k.letter.Priority}
	mark := e.seq & markSeq
	if k.disk {
		e.flags |= entryDisk
		mark |= markDisk
	}
	if k.letter.Overflow == core.OverflowConflate && len(k.letter.Key) > 0 && s.block(k.block).here {
		e.flags |= entryKeyed
	}
	s.count.Kept++
	s.block(k.block).refs++
	b.bytes += int64(len(k.letter.Content))
	if !k.disk && b.reliable && b.home != 0 && !b.mixed {
		// The log must know before anybody sees it that this seq is not in it.
		if b.mixing == 0 {
			b.mixing = s.filling.number
			s.logState(b)
		}
		k.loose = true
	}
	k.loose = k.loose || k.disk || b.loose > 0
	if len(k.letter.ID) > 0 {
		s.seen.add(key, mark, s.seconds())
		s.added++
	}
	s.filling.fresh = append(s.filling.fresh, fresh{box: b, entry: i, key: key})
}

// keepRest writes the record of a message that its recipients have taken, and
// either lets it wait for its commit or passes it on at once.
func (s *Shard) keepRest(k *keeping) {
	f := s.filling
	w := &k.wait
	w.block = k.block
	w.yieldCount = len(f.yields) - w.yields
	taken := f.fresh[w.first:]
	w.count = len(taken)
	if k.block != 0 && len(taken) == 0 {
		s.dropBlock(k.block)
	}
	if k.disk && len(taken) > 0 {
		w.at = len(f.main)
		for rest := taken; len(rest) > 0; { // a record has a bound
			n := min(len(rest), recordRecipients)
			s.logMessage(k, rest[:n])
			rest = rest[n:]
		}
	} else if len(taken) > 0 {
		w.stored = storedMemory
	}
	s.logYields(f.yields[w.yields:])
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
	s.passOn(w, taken, f.yields[w.yields:])
	f.fresh, f.yields = f.fresh[:w.first], f.yields[:w.yields]
}

// recordRecipients is for how many recipients a message has one record.
const recordRecipients = 8 << 10

// logMessage writes the record of a message to some of its recipients.
func (s *Shard) logMessage(k *keeping, to []fresh) {
	f := s.filling
	buf, at := journal.BeginRecord(f.main)
	buf = record.AppendMessage(buf, k.letter.From, k.letter.Content, len(to))
	for _, t := range to {
		buf = record.AppendRecipient(buf, t.box.name, t.box.epoch, t.box.whole(s.entries.At(t.entry)))
	}
	f.main = journal.EndRecord(buf, at)
}
