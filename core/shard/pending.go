package shard

import (
	"encoding/json"
	"time"

	"github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/record"
)

// PendingMessage is a message that waits for a client.
type PendingMessage struct {
	Seq       uint64          `json:"seq"`
	MessageID json.RawMessage `json:"messageId,omitempty"`
	From      string          `json:"from"`
	Time      time.Time       `json:"time"` // when the gateway took it
	Age       float64         `json:"age"`  // seconds
	Size      int             `json:"size"` // bytes of data, headers and what else is kept of it
	Priority  uint8           `json:"priority"`
	OnTheWay  bool            `json:"onTheWay"` // given to the connection, and not acknowledged
	Stored    string          `json:"stored"`   // memory or disk
	Data      json.RawMessage `json:"data,omitempty"`

	at   journal.Position // of its record, while that is not read
	gone bool
}

// pendingBytes bounds the messages that are shown with their data: they are copied
// in one turn. The last one may be past it.
const pendingBytes = 4 << 20

// Pending returns the first messages that wait for a client, the most urgent
// first, limit at the most, and with data what is in them, as far as pendingBytes
// go. count is how many wait.
func (set *Set) Pending(id string, limit int, data bool) (all []PendingMessage, count int, err error) {
	var now int64
	all = []PendingMessage{}
	err = set.onClient(id, func(s *Shard) error {
		b := s.boxes[id]
		if b == nil {
			if s.dir.byID[id] == nil {
				return ErrUnknown
			}
			return nil
		}
		now, count = s.unixMillis, int(b.count)-int(b.loose)
		size := 0
		b.lanes(func(l *lane) {
			on := true
			for i := l.first; i != 0 && len(all) < limit && size < pendingBytes; i = s.entries.At(i).next {
				on = on && i != l.next
				if s.entries.At(i).flags&entryLoose != 0 {
					continue // it may still be refused
				}
				all = append(all, s.pendingMessage(b, s.entries.At(i), on, data))
				if data {
					size += all[len(all)-1].Size
				}
			}
		})
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	kept := all[:0]
	for i := range all {
		p := &all[i]
		if p.at != (journal.Position{}) {
			set.readPending(p, data)
		}
		if !p.gone {
			p.Age = float64(now-p.Time.UnixMilli()) / 1000
			kept = append(kept, *p)
		}
	}
	return kept, count, nil
}

func (s *Shard) pendingMessage(b *mailbox, e *entry, on, data bool) PendingMessage {
	blk := s.block(e.block)
	p := PendingMessage{
		Seq: b.whole(e), From: s.senders.all[blk.sender].name, Size: blk.size, Priority: e.prio, OnTheWay: on, Stored: storedMemory.String(),
	}
	if e.flags&entryDisk != 0 {
		p.Stored = storedDisk.String()
	}
	if !blk.here {
		p.at = blk.at()
		return p
	}
	var l record.Letter
	s.readLetter(e.block, &l)
	p.fill(&l, data)
	return p
}

// fill copies what it shows of a letter.
func (p *PendingMessage) fill(l *record.Letter, data bool) {
	p.Time = time.UnixMilli(l.Time).UTC()
	if len(l.ID) > 0 {
		p.MessageID = append(json.RawMessage(nil), l.ID...)
	}
	if data {
		p.Data = append(json.RawMessage(nil), l.Data...)
	}
}

// readPending reads a message that is on the disk alone. One whose segment has
// gone meanwhile does not wait any more.
func (set *Set) readPending(p *PendingMessage, data bool) {
	var r record.Record
	b, err := set.pager.log.ReadRecord(p.at, nil)
	if err != nil || !r.Read(b) || r.Kind != record.Message {
		p.gone = true
		return
	}
	p.fill(&r.Letter, data)
}
