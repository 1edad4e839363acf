package shard

import (
	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/ruling"
	"github.com/stratix-gateway/stratix/core/wire"
)

// flight is an accepted message whose receipts are not all in. Its sender's
// single acknowledgement is composed when the last shard has reported.
type flight struct {
	id      []byte // the messageId as it came in; owned, reused; empty if none
	sender  uint32 // the sender's session: slot ...
	serial  uint32 // ... and serial
	shards  uint16 // that have not reported yet
	many    bool   // several recipients: the acknowledgement counts them
	receipt bool   // a second acknowledgement is owed when the queued are written
	watched bool   // that they are written is to stand in its trace
	trace   uint64 // number; 0 for none
	late    uint32 // recipients whose receipt is still to come
	lost    uint32 // recipients that will never give one
	expired bool   // ... because it waited too long for one of them
	silent  bool   // ... and nobody knows of one
	untaken bool   // ... and an upstream is one of them
	letter  bool   // it is a dead letter
	stored  stored // by the shards that have reported: the least
	fault   fault  // why a recipient was refused
	counts  wire.Counts
}

// flights is a shard's table of them. Its size bounds the receipts that other
// shards can owe, so receipts always find room.
type flights struct {
	slots   []flight
	unused  []uint32
	late    int // flights that wait for late receipts only
	watched int // flights that may come to do so for their trace alone ...
	waiting int // ... and those that do
}

const (
	// maxFlights bounds the messages whose first receipts are not all in.
	maxFlights = 1 << 16
	// maxLate bounds those that wait for second ones; past it a client's wish
	// for a receipt is not granted.
	maxLate = 1 << 16
)

// full reports whether no further message may be accepted now.
func (t *flights) full() bool { return len(t.slots)-len(t.unused)-t.late >= maxFlights }

func (t *flights) take() (uint32, *flight) {
	if len(t.unused) == 0 {
		t.slots = append(t.slots, flight{stored: storedDisk})
		t.unused = append(t.unused, uint32(len(t.slots)-1))
	}
	slot := t.unused[len(t.unused)-1]
	t.unused = t.unused[:len(t.unused)-1]
	return slot, &t.slots[slot]
}

func (t *flights) give(slot uint32) {
	f := &t.slots[slot]
	if f.watched {
		t.watched--
	}
	*f = flight{id: f.id[:0], stored: storedDisk}
	t.unused = append(t.unused, slot)
}

// wait counts f, if n is 1, among the flights that wait for late receipts only,
// and out of them if n is -1.
func (t *flights) wait(f *flight, n int) {
	t.late += n
	if !f.receipt {
		t.waiting += n
	}
}

// report adds what one shard did with a message and, with the last one, tells
// the sender.
func (s *Shard) report(slot uint32, c wire.Counts, kept stored, why fault) {
	f := &s.flights.slots[slot]
	if c.Delivered+c.Queued > 0 {
		f.stored = min(f.stored, kept)
	}
	f.fault = max(f.fault, why)
	f.counts.Delivered += c.Delivered
	f.counts.Queued += c.Queued
	f.counts.Offline += c.Offline
	f.counts.Refused += c.Refused
	f.counts.Repeats += c.Repeats
	s.count.Offline += uint64(c.Offline)
	if why == faultStorage || why == faultDisk {
		s.count.Unstored += uint64(c.Refused)
	} else {
		s.count.Overflow += uint64(c.Refused)
	}
	if f.shards--; f.shards > 0 {
		return
	}
	s.answer(f)
	if (f.receipt || f.watched) && f.counts.Queued > 0 {
		// Late reports may have come before the last shard's first one.
		f.late = f.counts.Queued - min(f.counts.Queued, f.late)
		if f.late > 0 {
			s.flights.wait(f, 1)
			return
		}
		s.answerLate(f)
	}
	s.flights.give(slot)
}

// reportLate takes the receipt of one recipient that had to wait.
func (s *Shard) reportLate(slot uint32, outcome byte) {
	f := &s.flights.slots[slot]
	switch outcome {
	case lateSilent:
		f.silent = true
	case lateExpired:
		f.lost++
		f.expired = true
	case lateLost:
		f.lost++
	case lateUntaken:
		f.lost++
		f.untaken = true
	}
	if f.shards > 0 {
		f.late++ // counted when the first reports are in
		return
	}
	if f.late--; f.late == 0 {
		s.flights.wait(f, -1)
		s.answerLate(f)
		s.flights.give(slot)
	}
}

// answer sends the acknowledgement, or the error if nobody got the message.
func (s *Shard) answer(f *flight) {
	c := s.sessions.find(f.sender, f.serial)
	from := s.senderOf(f, c)
	n, id := &f.counts, f.id
	if len(id) == 0 {
		id = nil
	}
	var code, text string
	switch {
	case n.Delivered+n.Queued > 0:
	case n.Refused > 0:
		code, text = f.fault.answer()
	default:
		code, text = ruling.Offline.Code, ruling.Offline.Text
		if n.Offline == 0 {
			s.count.Offline++ // a group or a prefix in which nobody is
		}
	}
	if f.letter && code != "" {
		s.count.LettersLost++
		s.complain("a dead letter of an upstream reached nobody: it is lost", "code", code)
	}
	here := c != nil && c.state == open
	told := here && (id != nil || code != "")
	switch {
	case c == nil && code != "":
		told = s.tellPublisher(f.sender, f.serial, code, text, 0)
	case c == nil:
		told = s.acknowledgePublisher(f.sender, f.serial, f.stored.String(), statusOf(n), *n, f.many, f.receipt && n.Queued > 0)
	case !here:
	case code != "":
		s.sendError(c, id, code, text)
	case id == nil:
		// Without a messageId there is nothing to acknowledge.
	case f.many:
		s.text = wire.AppendAckCounts(s.text[:0], id, f.stored.String(), statusOf(n), *n)
		s.send(c, s.text)
	default:
		s.text = wire.AppendAck(s.text[:0], id, f.stored.String(), statusOf(n))
		s.send(c, s.text)
	}
	if f.trace != 0 || code != "" {
		s.traceAnswer(f, from, told, code, text)
	}
}

// senderOf is who sent the message of f, c being the session that it came from;
// nil if that has ended.
func (s *Shard) senderOf(f *flight, c *session) *core.Session {
	if c != nil {
		return &c.Session
	}
	if p, _ := s.publications.find(f.sender, f.serial); p != nil {
		return &p.From
	}
	return nil
}

// answerLate sends the second acknowledgement.
func (s *Shard) answerLate(f *flight) {
	c := s.sessions.find(f.sender, f.serial)
	if f.trace != 0 || f.lost > 0 {
		s.traceLate(f, s.senderOf(f, c))
	}
	if c == nil {
		s.tellPublisherLate(f)
		return
	}
	if !f.receipt || c.state != open || len(f.id) == 0 {
		return
	}
	if f.silent && f.lost == 0 {
		return
	}
	if code, text := f.lateError(); code != "" {
		s.sendError(c, f.id, code, text)
		return
	}
	s.text = wire.AppendAck(s.text[:0], f.id, f.stored.String(), "delivered")
	s.send(c, s.text)
}

// lateError is what the sender is told of those that will never have it; code is
// "" if there are none.
func (f *flight) lateError() (code, text string) {
	switch {
	case f.expired:
		return faultExpired.answer()
	case f.untaken:
		return ruling.Untaken.Code, ruling.Untaken.Text
	case f.lost > 0:
		return ruling.LostUnwritten.Code, ruling.LostUnwritten.Text
	}
	return "", ""
}

// answer is the code and the text that a sender gets.
func (why fault) answer() (code, text string) {
	switch why {
	case faultLost:
		return ruling.GivenUp.Code, ruling.GivenUp.Text
	case faultExpired:
		return ruling.Expired.Code, ruling.Expired.Text
	case faultSender:
		return ruling.TooManyWait.Code, ruling.TooManyWait.Text
	case faultUpstream:
		return ruling.UpstreamFull.Code, ruling.UpstreamFull.Text
	case faultStorage:
		return "storage_failed", "the message could not be written to the disk; nothing of it was kept"
	case faultDisk:
		return "storage_full", "the gateway's disk is full; nothing of the message was kept"
	}
	return ruling.Full.Code, ruling.Full.Text
}

// statusOf is "queued" while anything still waits to be written.
func statusOf(n *wire.Counts) string {
	if n.Queued > 0 {
		return "queued"
	}
	return "delivered"
}
