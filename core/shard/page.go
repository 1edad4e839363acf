package shard

import (
	"errors"
	"sync"

	"github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/record"
	"github.com/stratix-gateway/stratix/core/wire"
)

const (
	// pageMessages and pageBytes bound what is read from the log for one mailbox at
	// a time.
	pageMessages = 128
	pageBytes    = 256 << 10
)

// paging is letters that are read from the log for a mailbox, off the shard.
type paging struct {
	shard  *Shard
	box    *mailbox
	conn   *session // whom they are for; nil where they are to be moved
	serial uint32
	prio   uint8
	of     []pagedEntry
}

type pagedEntry struct {
	entry, seq uint32
	at         journal.Position
	record     []byte // the whole record; nil when it could not be read
	err        error
}

// page asks for the letters at the front of lane l, which are on the disk alone.
func (s *Shard) page(b *mailbox, l *lane) {
	p := &paging{shard: s, box: b, conn: b.conn, serial: b.conn.serial, prio: s.entries.At(l.next).prio}
	size := 0
	for i := l.next; i != 0 && len(p.of) < pageMessages && size < pageBytes; {
		e := s.entries.At(i)
		blk := s.block(e.block)
		if blk.here || e.flags&(entryLoose|entryYields) != 0 || b.reliable && len(p.of) >= s.opt.Window {
			break
		}
		p.of = append(p.of, pagedEntry{entry: i, seq: e.seq, at: blk.at()})
		size += blk.size
		i = e.next
	}
	b.paging = true
	s.opt.pager.ask(p)
}

// moveFromDisk asks for a letter in order to copy it to the head of the log.
func (s *Shard) moveFromDisk(b *mailbox, i uint32, at journal.Position) {
	s.opt.pager.ask(&paging{shard: s, box: b, of: []pagedEntry{{entry: i, seq: s.entries.At(i).seq, at: at}}})
}

// pagedIn takes the letters that were read.
func (s *Shard) pagedIn(p *paging) {
	b := p.box
	if p.conn == nil {
		m := &p.of[0]
		if e := s.stillThere(b, m); e != nil && s.lettered(m) {
			s.moveLetter(b, m.entry, &s.read.Letter)
		}
		return
	}
	b.paging = false
	defer s.hunger(b)
	if b.conn != p.conn || p.conn.serial != p.serial {
		return
	}
	l := b.lane(p.prio)
	for i := range p.of {
		m := &p.of[i]
		if !s.hasRoom(b) || s.sendable(l) == nil || l.next != m.entry || s.entries.At(m.entry).seq != m.seq {
			return // it has changed meanwhile: asked for anew
		}
		if at := s.block(s.entries.At(m.entry).block).at(); m.err != nil && at != m.at {
			return // it was moved meanwhile, and is asked for anew
		}
		if errors.Is(m.err, journal.ErrNotNow) {
			s.complain("messages cannot be read back from the log for now: they wait, and it is tried again", "client", b.name, "at", m.at, "error", m.err)
			b.paging = true // until then nobody asks
			s.unread = append(s.unread, b)
			return
		}
		s.count.PagedIn++
		if !s.lettered(m) {
			s.complain("a message cannot be read back from the log: its recipient is told of a gap", "client", b.name, "at", m.at, "error", m.err)
			s.lose(b, l, s.before(l, m.entry), m.entry, record.Damaged)
			continue
		}
		t := &s.read.Letter
		s.pagedBody = wire.AppendEnvelope(s.pagedBody[:0], t.From, t.ID, t.Data, t.Headers, t.Time)
		s.sendEntry(b, l, s.pagedBody)
	}
}

// readAgain lets those be fed again for whom nothing could be read, at the next
// tick: what is in the way is not the log's.
func (s *Shard) readAgain() {
	for i, b := range s.unread {
		s.unread[i] = nil
		b.paging = false
		s.hunger(b)
	}
	s.unread = s.unread[:0]
}

func (s *Shard) stillThere(b *mailbox, m *pagedEntry) *entry {
	if s.boxes[b.name] != b || b.count == 0 {
		return nil
	}
	return s.find(b, m.entry, m.seq)
}

// lettered reads the record into s.read and reports whether it is a message.
func (s *Shard) lettered(m *pagedEntry) bool {
	return m.err == nil && s.read.Read(m.record) && s.read.Kind == record.Message
}

// pager reads from the log for all shards, on a goroutine of its own.
type pager struct {
	log  *journal.Journal
	mu   sync.Mutex // guards what follows
	todo []*paging
	wake chan struct{}
	stop chan struct{}
	done sync.WaitGroup
}

func newPager(log *journal.Journal) *pager {
	p := &pager{log: log, wake: make(chan struct{}, 1), stop: make(chan struct{})}
	p.done.Go(p.run)
	return p
}

func (p *pager) ask(job *paging) {
	p.mu.Lock()
	p.todo = append(p.todo, job)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *pager) close() {
	close(p.stop)
	p.done.Wait()
}

func (p *pager) run() {
	for {
		select {
		case <-p.stop:
			return
		case <-p.wake:
		}
		p.mu.Lock()
		jobs := p.todo
		p.todo = nil
		p.mu.Unlock()
		for _, job := range jobs {
			for i := range job.of {
				m := &job.of[i]
				if m.record, m.err = p.log.ReadRecord(m.at, nil); errors.Is(m.err, journal.ErrNotNow) {
					job.of = job.of[:i+1]
					break
				}
			}
			job.shard.inbox.post(&parcel{kind: parcelPaged, paging: job})
		}
	}
}
