package shard

import (
	"errors"
	"slices"

	"github.com/stratix-gateway/stratix/core/journal"
)

// refusalEvery is how often it is logged that messages are refused, in ticks.
const refusalEvery = 60 * second

// refuseAll takes back what waited for f, and all that was given since: their
// seqs are given to others. Nobody has seen them.
func (s *Shard) refuseAll(f *commit) {
	why := faultStorage
	if errors.Is(f.Err, journal.ErrFull) {
		why = faultDisk
	}
	s.count.CommitsFailed++
	if refused := len(f.waits)+len(s.filling.waits) > 0; refused && (!s.failing || s.wheel.now-s.refusedAt >= refusalEvery) {
		s.refusedAt = s.wheel.now
		s.complain("messages are refused: the log cannot be written", "error", f.Err)
	}
	s.failing = true
	for _, b := range f.acked {
		s.owe(b)
	}
	s.newStamp()
	s.refuseWaits(f, why)
	s.refuseWaits(s.filling, why)
	s.stay(f.yields)
	s.stay(s.filling.yields)
	// At once: what comes next would make them yield again.
	s.feedAll(f.yields)
	s.feedAll(s.filling.yields)
	s.filling.yields = s.filling.yields[:0]
	s.filling.main, s.filling.moves = s.filling.main[:0], s.filling.moves[:0]
	// What nobody waited for is written again. Where that gets too much, the
	// mailboxes' states are written in its place when the log works again: at once
	// those without which a recovery would take a mailbox for a new one.
	ends, links := append(slices.Clone(f.ends), s.filling.ends...), append(slices.Clone(f.links), s.filling.links...)
	if len(f.lazy)+len(s.filling.lazy) <= commitBytes {
		s.filling.lazy = append(slices.Clone(f.lazy), s.filling.lazy...)
		s.filling.ends, s.filling.links = ends, links
		return
	}
	s.filling.lazy, s.filling.ends, s.filling.links = s.filling.lazy[:0], s.filling.ends[:0], s.filling.links[:0]
	for _, epoch := range ends {
		s.logEnd(epoch)
	}
	for _, b := range s.boxList {
		b.stale, b.mixed, b.mixing = b.home != 0, false, 0
	}
	s.newStamp()
	for _, b := range links {
		if b.stamp != s.stamp && s.boxes[b.name] == b {
			b.stamp = s.stamp
			s.logState(b)
			s.filling.links = append(s.filling.links, b)
		}
	}
}

// refuseWaits refuses the messages of a commit. Mailboxes that bear the stamp
// have lost theirs already.
func (s *Shard) refuseWaits(f *commit, why fault) {
	for i := range f.waits {
		w := &f.waits[i]
		for _, t := range f.fresh[w.first : w.first+w.count] {
			if t.key != (seenKey{}) {
				s.seen.remove(t.key)
			}
			if t.box.stamp != s.stamp {
				t.box.stamp = s.stamp
				s.dropLoose(t.box)
			}
		}
		w.counts.Refused += uint32(w.count) + w.loose
		w.counts.Queued -= w.loose
		if uint32(w.count)+w.loose > 0 {
			w.fault = max(w.fault, why)
		}
		s.receipts = append(s.receipts, receipt{from: w.from, slot: w.slot, counts: w.counts, stored: w.stored, fault: w.fault})
	}
	f.waits, f.fresh = f.waits[:0], f.fresh[:0]
}

// dropLoose undoes that b was given the messages that are not committed, its
// newest ones.
func (s *Shard) dropLoose(b *mailbox) {
	b.lanes(func(l *lane) {
		before, i := uint32(0), l.first
		for i != 0 && s.entries.At(i).flags&entryLoose == 0 {
			before, i = i, s.entries.At(i).next
		}
		for i != 0 {
			next := s.entries.At(i).next
			delete(s.lates, i) // of a repeat, which is refused as well
			s.unlink(b, l, before, i, false)
			b.seq--
			i = next
		}
	})
	b.mixing = 0
}
