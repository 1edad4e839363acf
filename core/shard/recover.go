package shard

import (
	"slices"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/record"
)

// Recovery rebuilds the mailboxes of a set from the records of the log, before
// its loops run. One goroutine uses it.
type Recovery struct {
	set     *Set
	epochs  map[uint64]owned
	read    record.Record
	now     int64 // seconds since 1970
	clean   bool  // the last run ended in order
	sync    core.Sync
	oldest  uint32 // segments
	newest  uint32
	touched []*Shard // by the record at hand
	lapsed  map[*mailbox]lapse
	Records int
}

// owned is a mailbox and the shard that it belongs to.
type owned struct {
	shard *Shard
	box   *mailbox
}

// Recover begins the rebuilding; the time is in seconds since 1970.
func (set *Set) Recover(now int64) *Recovery {
	for _, s := range set.all {
		s.unixMillis = now * 1000
	}
	return &Recovery{set: set, epochs: map[uint64]owned{}, now: now, clean: true, lapsed: map[*mailbox]lapse{}}
}

// Record takes one record of the log, in order. What is none is left out: the
// log's check sums say that it was written so.
func (r *Recovery) Record(at journal.Position, batchMillis int64, b []byte) {
	rec := &r.read
	if !rec.Read(b) {
		return
	}
	r.Records++
	r.newest = at.Segment
	if r.oldest == 0 {
		r.oldest = at.Segment
	}
	if rec.Kind != record.Run {
		r.clean = false
	}
	switch rec.Kind {
	case record.Message:
		r.message(at, batchMillis)
	case record.Ack:
		if o, ok := r.epochs[rec.Epoch]; ok {
			o.box.last = at.Segment
			if _, lapsed := r.lapsed[o.box]; lapsed {
				o.shard.dropCovered(o.box) // before they are taken for received
				delete(r.lapsed, o.box)
			}
			o.shard.recoverAck(o.box, rec)
		}
	case record.Gone:
		if o, ok := r.epochs[rec.Epoch]; ok {
			o.box.last = at.Segment
			r.gone(o)
		}
	case record.Session:
		r.session(at)
	case record.End:
		if o, ok := r.epochs[rec.Epoch]; ok && o.box.epoch == rec.Epoch && o.shard.boxes[o.box.name] == o.box {
			o.shard.recoverEnd(o.box)
		}
	case record.Run:
		r.sync, r.clean = rec.Sync, rec.Ended
	}
}

// box returns the mailbox with this name and epoch. One with another epoch that
// no session record has linked to it was forgotten and begun anew.
func (r *Recovery) box(name string, epoch uint64, segment uint32) owned {
	if o, ok := r.epochs[epoch]; ok {
		o.box.last = segment
		return o
	}
	s := r.set.owner(name)
	b := s.boxes[name]
	if b != nil {
		s.recoverEnd(b)
	}
	b = s.newBox(string([]byte(name)))
	b.epoch, b.home, b.last = epoch, segment, segment
	b.reliable = true // its gaps are kept, until a session record says what it is
	o := owned{s, b}
	r.epochs[epoch] = o
	return o
}

// message gives a message to its recipients again, as far as they have not
// settled it.
func (r *Recovery) message(at journal.Position, batchMillis int64) {
	rec := &r.read
	r.touched = r.touched[:0]
	for _, to := range rec.Recipients {
		o := r.box(to.Name, to.Epoch, at.Segment)
		if len(rec.Letter.ID) > 0 && r.now-batchMillis/1000 <= int64(o.shard.opt.SeenAge) {
			o.shard.recoverSeen(o.box, rec, to.Seq, batchMillis/1000)
		}
		if o.shard.recoverMessage(o.box, rec, to.Seq, at) && !slices.Contains(r.touched, o.shard) {
			r.touched = append(r.touched, o.shard)
		}
	}
	for _, s := range r.touched {
		s.recovering = 0
	}
}

// lapse is a mailbox of which messages are to be taken out that will never be
// delivered: together, when they are many or at the end.
type lapse struct {
	shard *Shard
	at    int32 // the count of messages at which it is done
}

// gone notes what will never be delivered.
func (r *Recovery) gone(o owned) {
	for _, span := range r.read.Ranges {
		o.box.rememberRange(span, r.read.Cause)
	}
	l, known := r.lapsed[o.box]
	if !known {
		l = lapse{o.shard, o.box.count + lapseMany}
	}
	if o.box.count >= l.at {
		o.shard.dropCovered(o.box)
		l.at = 2*o.box.count + lapseMany
	}
	r.lapsed[o.box] = l
}

// lapseMany is how many messages a mailbox holds at least before those that will
// never be delivered are looked for.
const lapseMany = 4096

func (r *Recovery) session(at journal.Position) {
	st := &r.read.State
	s := r.set.owner(st.Name)
	b := s.boxes[st.Name]
	if o, ok := r.epochs[st.Epoch]; ok {
		b = o.box
	} else if b == nil {
		b = r.box(st.Name, st.Epoch, at.Segment).box
	}
	r.epochs[st.Epoch] = owned{s, b}
	b.epoch, b.home, b.last = st.Epoch, at.Segment, at.Segment
	b.seq = max(b.seq, st.Seq)
	b.reliable, b.mixed = st.Flags&flagReliable != 0, st.Flags&flagMixed != 0
	b.seen = st.Seen
	if st.Flags&flagOnline != 0 {
		b.seen = r.now // it was here when the process ended
	}
	s.recoverSpans(b, st)
	s.dir.present(b)
	for _, name := range st.Groups {
		s.dir.addAbsent(s.dir.group(name), b)
	}
}

// End finishes the rebuilding: what is missing is named, and the clients that
// cannot rely on what they know get another epoch. damaged are the places at
// which the log has lost records.
func (r *Recovery) End(damaged []journal.Position) {
	for b, l := range r.lapsed {
		l.shard.dropCovered(b)
	}
	cut := r.sync != core.SyncCommit && !r.clean && r.Records > 0
	for _, s := range r.set.all {
		s.head = r.newest
		s.safe = storedDisk
		if r.sync != core.SyncCommit {
			s.safe = storedOS
		}
		s.oldestHome = max(1, r.newest)
		for _, b := range s.boxList {
			s.oldestHome = min(s.oldestHome, max(1, b.home))
			s.recoverConflated(b)
			s.recoverHoles(b)
			lost := cut || b.mixed
			for _, d := range damaged {
				lost = lost || b.last <= d.Segment
			}
			if lost {
				s.renew(b)
			}
			if b.reliable {
				s.dir.absent.ReplaceOrInsert(b)
			} else {
				s.dir.present(b)
			}
		}
		if r.oldest != 0 {
			s.eras = []era{{r.oldest, 0}}
		}
		s.needed.Store(s.need())
	}
}

// Pending is how many messages wait, one a recipient, and for how many clients
// something is kept.
func (r *Recovery) Pending() (messages, clients int) {
	for _, s := range r.set.all {
		messages += int(s.bounds.used)
		clients += len(s.boxes)
	}
	return messages, clients
}
