package shard

import "github.com/stratix-gateway/stratix/core/record"

// A mark is what the deduplication window notes of a message that a mailbox was
// given: the lower bits of its seq, and what is known of it.
const (
	markDisk    = 1 << 31 // it is in the log
	markExpired = 1 << 30 // it has waited too long
	markLost    = 1 << 29 // it will not be delivered for another cause
	markSeq     = 1<<29 - 1
)

// repeated counts a message that b was given before as what has become of it.
func (s *Shard) repeated(k *keeping, b *mailbox, mark uint32) {
	s.count.Repeats++
	w := &k.wait
	w.counts.Repeats++
	if mark&markDisk == 0 {
		w.stored = storedMemory
	}
	w.stored = min(w.stored, s.safe)
	i, waits := s.waiting(b, mark)
	switch {
	case mark&markExpired != 0:
		k.refuse(faultExpired)
	case mark&markLost != 0:
		k.refuse(faultLost)
	case waits:
		w.counts.Queued++
		if back := (uint32(b.seq) - mark) & markSeq; back < uint32(b.loose) {
			w.loose++
			k.known = true // its outcome is not known before the commit is
		}
		if who := (lateNote{shard: k.from, slot: k.slot}); k.wanted && i != 0 {
			s.noteLate(i, who)
		} else if k.wanted {
			s.tellLate(who, lateSilent)
		}
	default:
		w.counts.Delivered++
	}
}

// waitLook is how many messages are looked at to find one that waits.
const waitLook = 1024

// waiting reports whether the message with this mark still waits, and where. Among
// very many it may say so, without the place, of one that was settled out of
// order.
func (s *Shard) waiting(b *mailbox, mark uint32) (i uint32, waits bool) {
	if b.count == 0 {
		return 0, false
	}
	back := uint64((uint32(b.seq) - mark) & markSeq) // how many were given since
	if back > b.seq || b.seq-back <= b.upto {
		return 0, false
	}
	looked := 0
	b.lanes(func(l *lane) {
		for at := l.first; at != 0 && i == 0 && looked < waitLook; at = s.entries.At(at).next {
			looked++
			if (s.entries.At(at).seq^mark)&markSeq == 0 {
				i = at
			}
		}
	})
	return i, i != 0 || looked == waitLook
}

// faultOf is what a sender is told of a loss.
func faultOf(cause record.Cause) fault {
	if cause == record.Expired {
		return faultExpired
	}
	return faultLost
}

// noteLoss lets repeats of e's message know that it will not reach b. Where its
// letter is on the disk alone that is not done: its key is not at hand.
func (s *Shard) noteLoss(b *mailbox, e *entry, cause record.Cause) {
	if !s.block(e.block).here {
		return
	}
	var l record.Letter
	s.readLetter(e.block, &l)
	if len(l.ID) == 0 {
		return
	}
	mark := uint32(markLost)
	if cause == record.Expired {
		mark = markExpired
	}
	s.seen.mark(s.seeds.key(l.From, l.ID, b.name), mark)
}
