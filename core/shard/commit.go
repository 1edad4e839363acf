package shard

import (
	"github.com/stratix-gateway/stratix/core/arena"
	"github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/record"
	"github.com/stratix-gateway/stratix/core/wire"
)

// commit is what a shard gives to the log at once, and what waits for that to be
// safe. A shard fills one while the log writes the one before.
type commit struct {
	journal.Batch            // Buf is what is given: lazy, then main
	lazy          []byte     // records that nobody waits for; they are about older messages than main
	main          []byte     // records of messages
	ends          []uint64   // epochs that lazy ends
	links         []*mailbox // of which lazy says that another epoch goes on with the one before
	waits         []wait
	fresh         []fresh
	yields        []yield
	moves         []moved
	acked         []*mailbox // of which it has acknowledgements
	number        uint64     // they count up
	soon          bool       // something in lazy is not to wait for others
	need          uint32     // the oldest segment that the shard needs once this is committed
	added         uint64     // messages in the deduplication window when it began to be filled
}

// position is where the record at offset at of main is in the log.
func (f *commit) position(at int) journal.Position { return f.At(len(f.lazy) + at) }

// wait is a message that waits for a commit: its recipients are
// fresh[first:first+count], and yields[yields:yields+yieldCount] make way for it.
type wait struct {
	from         *Shard
	slot         uint32
	wanted       bool
	stored       stored
	fault        fault
	block        arena.Ref
	at           int // of its record in main; -1 if it has none
	first, count int
	yields       int
	yieldCount   int
	counts       wire.Counts // of the recipients that are not in fresh
	loose        uint32      // of counts.Queued: repeats of what waits for a commit, too
}

// fresh is a message that one recipient was given.
type fresh struct {
	box   *mailbox
	entry uint32
	key   seenKey // zero if the message has no ID
}

const (
	// commitBytes is from when on a shard takes no further messages until the log
	// has caught up.
	commitBytes = 2 << 20
	// keepCommit is how large the buffer of a commit may stay that is not needed.
	keepCommit = 128 << 10
	// lazyBytes is how much of what nobody waits for makes a commit of its own.
	lazyBytes = 64 << 10
)

// logRecord adds a record that nobody waits for to the next commit.
func (s *Shard) logRecord(appendTo func([]byte) []byte) {
	if s.opt.Journal == nil {
		return
	}
	buf, at := journal.BeginRecord(s.filling.lazy)
	s.filling.lazy = journal.EndRecord(appendTo(buf), at)
}

// logState writes down all that is known of b, so that its older records are
// not needed any more, except for the messages that wait.
func (s *Shard) logState(b *mailbox) {
	if s.opt.Journal == nil {
		return
	}
	s.logRecord(func(buf []byte) []byte { return record.AppendSession(buf, s.state(b)) })
	b.home = max(1, s.head)
	b.stale = false
}

// introduce makes b known to the log together with its first message there.
func (s *Shard) introduce(b *mailbox) {
	if b.seq > 0 { // those before were in memory only
		b.mixing = s.filling.number
	}
	s.logState(b)
}

// logAcks writes down what the recipients have settled since the last commit.
func (s *Shard) logAcks() {
	if s.relief.full {
		return // a relief has them, or they wait until there is room
	}
	for i, b := range s.settled {
		s.settled[i] = nil
		b.unsaid = false
		if b.home == 0 {
			continue
		}
		s.ranges = s.ranges[:0]
		for _, span := range b.spans {
			if span.Cause == 0 {
				s.ranges = append(s.ranges, span.Range)
			}
		}
		s.logRecord(func(buf []byte) []byte { return record.AppendAck(buf, b.epoch, b.upto, s.ranges) })
		s.filling.acked = append(s.filling.acked, b)
	}
	s.settled = s.settled[:0]
}

// submit hands the filled commit to the log when the one before is done: at once
// if somebody waits for it, else a tick later, together with what has come then.
func (s *Shard) submit() {
	f := s.filling
	switch {
	case s.flying != nil:
		return
	case s.relief.full && len(f.waits) == 0 && len(f.lazy) <= commitBytes:
		return // it would be refused, which is right for what gets too much
	case len(f.waits) > 0 || len(f.moves) > 0 || f.soon:
	case len(f.lazy) == 0 && len(s.settled) == 0:
		return
	case len(f.lazy) < lazyBytes && s.lastCommit == s.wheel.now && !s.stopped:
		return
	}
	s.logAcks()
	f.Buf = append(append(f.Buf[:0], f.lazy...), f.main...)
	f.need = s.need()
	s.flying, s.filling = f, s.spare
	s.spare = nil
	s.filling.added, s.filling.number = s.added, f.number+1
	if len(f.Buf) == 0 { // they waited for the commit before
		s.committed(f)
		return
	}
	s.opt.Journal.Submit(&f.Batch)
}

// committed is called when a commit is done or has failed.
func (s *Shard) committed(f *commit) {
	if f.Err != nil {
		s.refuseAll(f)
	} else {
		s.acceptAll(f)
	}
	clear(f.waits)
	clear(f.fresh)
	clear(f.yields)
	clear(f.moves)
	clear(f.acked)
	clear(f.links)
	if size := cap(f.Buf); size > keepCommit && len(f.Buf) < size/4 || size > 2*commitBytes {
		f.Buf, f.main, f.lazy, f.waits, f.fresh, f.yields, f.ends, f.acked, f.links = nil, nil, nil, nil, nil, nil, nil, nil, nil // the wave is over
	}
	f.lazy, f.main, f.waits, f.fresh, f.moves = f.lazy[:0], f.main[:0], f.waits[:0], f.fresh[:0], f.moves[:0]
	f.yields, f.ends, f.acked, f.links = f.yields[:0], f.ends[:0], f.acked[:0], f.links[:0]
	f.Err, f.soon = nil, false
	s.flying, s.spare = nil, f
	s.lastCommit = s.wheel.now
	s.reap()
}

// acceptAll passes on what has waited for f.
func (s *Shard) acceptAll(f *commit) {
	if len(f.Buf) > 0 {
		s.head = max(s.head, f.Base.Segment)
		if n := len(s.eras); n == 0 || s.eras[n-1].segment != f.Base.Segment {
			s.eras = append(s.eras, era{f.Base.Segment, f.added})
		}
	}
	if len(f.Buf) > 0 {
		s.failing = false
		s.safe = storedOS
		if f.Synced {
			s.safe = storedDisk
		}
	}
	for _, t := range f.fresh {
		if b := t.box; b.mixing != 0 && b.mixing <= f.number {
			b.mixed, b.mixing = true, 0
		}
	}
	for i := range f.waits {
		w := &f.waits[i]
		if w.at >= 0 {
			s.place(s.block(w.block).block, f.position(w.at))
		}
		w.stored = min(w.stored, s.safe)
		s.passOn(w, f.fresh[w.first:w.first+w.count], f.yields[w.yields:w.yields+w.yieldCount])
	}
	for i := range f.moves {
		s.arrive(f, &f.moves[i])
	}
	s.needed.Store(f.need)
}

// passOn lets the recipients of a message have it, for which others make way, and
// reports what became of it after this turn's writes.
func (s *Shard) passOn(w *wait, to []fresh, yields []yield) {
	s.giveWay(yields)
	at := int32(len(s.receipts))
	s.receipts = append(s.receipts, receipt{
		from: w.from, slot: w.slot, wanted: w.wanted, counts: w.counts, stored: w.stored, fault: w.fault,
	})
	for _, t := range to {
		b, i := t.box, t.entry
		e := s.entries.At(i)
		if e.flags&entryLoose != 0 {
			e.flags &^= entryLoose
			b.loose--
		}
		if e.flags&entryKeyed != 0 {
			s.conflate(b, i)
		}
		seq := e.seq
		s.passing, s.passingLost = i, 0
		end, sent := s.feed(b, i)
		s.passing = 0
		r := &s.receipts[at]
		switch {
		case s.passingLost != 0:
			r.counts.Refused++
			r.fault = max(r.fault, faultOf(s.passingLost))
		case sent && !b.reliable:
			c := b.conn
			s.deliveries = append(s.deliveries, delivery{to: c, serial: c.serial, receipt: at, end: end, entry: i, seq: seq, box: b})
		default:
			r.counts.Queued++
			if w.wanted {
				s.noteLate(i, lateNote{shard: w.from, slot: w.slot})
			}
		}
	}
}
