package shard

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/wire"
)

// ErrBusy refuses a publication while too many others have no answer yet, and
// ErrEnded one to shards that have ended.
var (
	ErrBusy  = errors.New("too many published messages have no answer yet")
	ErrEnded = errors.New("the gateway is shutting down")
)

const (
	// maxPublished bounds the published messages of a shard without an answer.
	maxPublished = 8 << 10
	// turnPublished is how many of them are handled in one turn.
	turnPublished = 512
	// maxReplies bounds the bytes of the replies that one answer keeps.
	maxReplies = 1 << 20
	// publishedSlot marks the slot of a message that has no session.
	publishedSlot = 1 << 31
)

// Publication is messages of one sender that come without a connection. They are
// handled in their order, as a client's are. Set.Publish has all of it until it
// returns.
type Publication struct {
	From     core.Session
	Messages []Published
	// Delivered waits until the recipients have them, as far as they are going to.
	Delivered bool

	next  int  // the message that is handled next
	left  int  // answers that are not final
	held  bool // a stage holds a message: later ones wait behind it
	over  bool // nobody waits for the answers any more
	slots []uint32
	done  chan struct{} // gets its one value behind the last answer
}

// Published is one message of a Publication and what its sender is told.
type Published struct {
	wire.Frame     // of type 0; what it aliases must stay as it is
	Size       int // bytes that it came in
	Answer     Answer
}

// Answer is what became of a published message. The zero Answer is none.
type Answer struct {
	Code, Text     string // of an error
	RetryAfter     int64  // milliseconds until it may be sent again; 0 says nothing about it
	Stored, Status string // of an acknowledgement; "" after an error at once
	Many           bool   // there were several recipients
	Counts         wire.Counts
	Replies        [][]byte // JSON values, from the pipeline
	Cut            bool     // there were more of them than an answer keeps
}

// publications is a shard's table of the published messages without a final
// answer. Their slots stand in messages and flights where those of sessions do.
type publications struct {
	slots   []publishedRef
	unused  []uint32
	waiting []*Publication // with messages that are still to be handled
	ended   []*Publication // whose answers have become final in this turn
	count   atomic.Int32   // of messages that Publish has let in
}

type publishedRef struct {
	of     *Publication
	index  int
	serial uint32
}

func (t *publications) take(p *Publication, index int) (slot, serial uint32) {
	if len(t.unused) == 0 {
		t.slots = append(t.slots, publishedRef{})
		t.unused = append(t.unused, uint32(len(t.slots)-1))
	}
	slot = t.unused[len(t.unused)-1]
	t.unused = t.unused[:len(t.unused)-1]
	r := &t.slots[slot]
	r.of, r.index = p, index
	return slot | publishedSlot, r.serial
}

func (t *publications) give(slot uint32) {
	slot &^= publishedSlot
	t.slots[slot] = publishedRef{serial: t.slots[slot].serial + 1}
	t.unused = append(t.unused, slot)
}

// find returns whose message the slot and the serial name, and which; nil for a
// session's, and for one that nobody waits for any more.
func (t *publications) find(slot, serial uint32) (*Publication, int) {
	if slot < publishedSlot {
		return nil, 0
	}
	i := int(slot &^ publishedSlot)
	if i >= len(t.slots) { // of what the gateway sends by itself
		return nil, 0
	}
	if r := &t.slots[i]; r.serial == serial {
		return r.of, r.index
	}
	return nil, 0
}

// Publish runs p through the shard that owns its sender's ClientID, and returns
// when all answers are final, or ctx or the shards end: then some may be missing,
// or say less than they would have later. After an error nothing of it was begun.
func (set *Set) Publish(ctx context.Context, p *Publication) error {
	s := set.owner(p.From.ID)
	n := int32(len(p.Messages))
	defer s.publications.count.Add(-n)
	if s.publications.count.Add(n) > maxPublished {
		return ErrBusy
	}
	p.done, p.left, p.slots = make(chan struct{}, 1), len(p.Messages), make([]uint32, len(p.Messages))
	if !s.inbox.post(&parcel{kind: parcelCall, call: func() { s.publications.waiting = append(s.publications.waiting, p) }}) {
		return ErrEnded
	}
	select {
	case <-p.done:
	case <-set.stop:
	case <-ctx.Done():
		set.on(s, func() { s.abandonPublication(p) })
	}
	return nil
}

// abandonPublication lets go of p: it is its owner's again.
func (s *Shard) abandonPublication(p *Publication) {
	p.over = true
	for i, slot := range p.slots {
		if slot != 0 {
			p.slots[i] = 0
			s.publications.give(slot)
		}
	}
	if i := slices.Index(s.publications.waiting, p); i >= 0 {
		s.publications.waiting = slices.Delete(s.publications.waiting, i, i+1)
	}
}

// runPublications handles what was published, each publication in its turn.
func (s *Shard) runPublications() {
	w := &s.publications
	seen, left := 0, turnPublished
	for n := len(w.waiting); seen < n && left > 0 && !s.spent(); seen++ {
		p := w.waiting[seen]
		for most := turnMessages; p.next < len(p.Messages) && !p.held && most > 0 && left > 0 && !s.spent(); most-- {
			left--
			s.publish(p, p.next)
		}
		if p.next < len(p.Messages) && !p.held {
			w.waiting = append(w.waiting, p)
		}
	}
	if seen > 0 {
		w.waiting = slices.Delete(w.waiting, 0, seen)
	}
}

// publish runs one message through the pipeline and commits what comes out.
func (s *Shard) publish(p *Publication, index int) {
	in := &p.Messages[index]
	p.next++
	s.count.In++
	s.count.InBytes += uint64(in.Size)
	s.count.Published++
	slot, serial := s.publications.take(p, index)
	p.slots[index] = slot
	m := s.begun(&p.From, &in.Frame, in.Size, core.Held{Program: s.programOf(p.From.ID), Slot: slot, Serial: serial})
	m.Receipt = p.Delivered
	v, err := s.runStages(m.Held().Program.Pipeline, m, false)
	s.conclude(nil, m, v, err)
}

// resumePublication goes on with p behind a message that a stage has held.
func (s *Shard) resumePublication(p *Publication) {
	if p != nil && !p.held && !p.over && p.next < len(p.Messages) {
		s.publications.waiting = append(s.publications.waiting, p)
	}
}

// holdPublication keeps the messages behind m, which a stage holds, waiting.
func (s *Shard) holdPublication(m *core.Message) {
	if p, _ := s.publications.find(m.Held().Slot, m.Held().Serial); p != nil {
		p.held = true
	}
}

// withoutSession takes out of m what only a connection can do, and keeps the
// replies for the answer.
func (s *Shard) withoutSession(m *core.Message) {
	e := &m.Effects
	e.Joins, e.Leaves = e.Joins[:0], e.Leaves[:0]
	p, i := s.publications.find(m.Held().Slot, m.Held().Serial)
	if p == nil {
		return
	}
	a, size := &p.Messages[i].Answer, 0
	for _, r := range e.Replies {
		if size += len(r); size > maxReplies {
			a.Cut = true
			break
		}
		a.Replies = append(a.Replies, slices.Clone(r))
	}
}

// tellPublisher answers a published message with an error, and in how many
// milliseconds it may be sent again, if that is not 0; false if nobody waits for that.
func (s *Shard) tellPublisher(slot, serial uint32, code, text string, after int64) bool {
	p, i := s.publications.find(slot, serial)
	if p == nil {
		return false
	}
	s.countTold(code)
	a := &p.Messages[i].Answer
	a.Code, a.Text, a.RetryAfter = code, text, after
	s.finish(p, i)
	return true
}

// acknowledgePublisher answers a published message that was accepted. It is final
// unless more is to come; false if nobody waits for it.
func (s *Shard) acknowledgePublisher(slot, serial uint32, kept, status string, n wire.Counts, many, more bool) bool {
	p, i := s.publications.find(slot, serial)
	if p == nil {
		return false
	}
	a := &p.Messages[i].Answer
	a.Stored, a.Status, a.Counts, a.Many = kept, status, n, many
	if !more {
		s.finish(p, i)
	}
	return true
}

// tellPublisherLate completes the answer to a published message whose recipients
// had to wait.
func (s *Shard) tellPublisherLate(f *flight) {
	p, i := s.publications.find(f.sender, f.serial)
	if p == nil {
		return
	}
	a := &p.Messages[i].Answer
	if code, text := f.lateError(); code != "" {
		s.countTold(code)
		a.Code, a.Text = code, text
	} else if !f.silent {
		a.Status = "delivered"
		a.Counts.Delivered += a.Counts.Queued
		a.Counts.Queued = 0
	}
	s.finish(p, i)
}

// finish notes that the answer to a message is final.
func (s *Shard) finish(p *Publication, index int) {
	s.publications.give(p.slots[index])
	p.slots[index] = 0
	if p.left--; p.left == 0 {
		s.publications.ended = append(s.publications.ended, p)
	}
}

// giveBack gives publications back whose answers are final: at the end of the turn,
// since a message is looked at also when it is answered.
func (s *Shard) giveBack() {
	t := &s.publications
	for _, p := range t.ended {
		p.done <- struct{}{} // has room
	}
	clear(t.ended)
	t.ended = t.ended[:0]
}
