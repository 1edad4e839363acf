package shard

import (
	"encoding/binary"
	"slices"
	"unsafe"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/wire"
)

// A batch is what one shard has for another one within a turn: entries one
// after the other in one buffer, so that handing it over costs one exchange of
// a pointer and the bytes are copied once. Integers are little endian.
//
//	message: 'm' flags:1 slot:4 targets:2 body:4 { kind:1 name:2 bytes } bytes
//	kept:    'k' the same; the bytes are a letter
//	receipt: 'r' slot:4 delivered:4 queued:4 offline:4 refused:4 stored:1 fault:1
//	late:    'l' slot:4 outcome:1
const (
	entryMessage     = 'm'
	entryKept        = 'k'
	entryReceipt     = 'r'
	entryLateReceipt = 'l'
)

// The flags of a message.
const (
	wantsReceipt = 1 << iota // its sender asked for a receipt
	wantsDisk                // it is to be in the log
)

// The outcomes of a message that had to wait.
const (
	lateLost = iota
	lateDelivered
	lateExpired
	lateSilent  // nobody will know
	lateUntaken // by an upstream
)

var le = binary.LittleEndian

func appendMessage(b []byte, kind byte, slot uint32, flags byte, targets []core.Target, body []byte) []byte {
	b = append(b, kind, flags)
	b = le.AppendUint32(b, slot)
	b = le.AppendUint16(b, uint16(len(targets)))
	b = le.AppendUint32(b, uint32(len(body)))
	for _, t := range targets {
		b = append(b, byte(t.Kind))
		b = le.AppendUint16(b, uint16(len(t.Name)))
		b = append(b, t.Name...)
	}
	return append(b, body...)
}

func appendReceipt(b []byte, slot uint32, c wire.Counts, kept stored, why fault) []byte {
	b = append(b, entryReceipt)
	b = le.AppendUint32(b, slot)
	b = le.AppendUint32(b, c.Delivered)
	b = le.AppendUint32(b, c.Queued)
	b = le.AppendUint32(b, c.Offline)
	b = le.AppendUint32(b, c.Refused)
	b = le.AppendUint32(b, c.Repeats)
	return append(b, byte(kept), byte(why))
}

func appendLate(b []byte, slot uint32, outcome byte) []byte {
	b = append(b, entryLateReceipt)
	b = le.AppendUint32(b, slot)
	return append(b, outcome)
}

// unpackAll handles the batches that have come, oldest first, and gives them
// back. It stops when the turn has taken its share of deliveries: the rest, and
// with it the credit of those who sent it, waits for the next turn.
func (s *Shard) unpackAll() {
	done := 0
	for _, p := range s.batches {
		if !s.unpack(p) {
			break
		}
		p.off = 0
		p.from.returned.push(p)
		done++
	}
	s.batches = slices.Delete(s.batches, 0, done)
}

// unpack handles the entries of a batch from p.off on; it reports whether it has
// come to the end.
func (s *Shard) unpack(p *parcel) bool {
	from, b := p.from, p.buf[p.off:]
	for len(b) > 0 {
		switch b[0] {
		case entryMessage, entryKept:
			if len(s.deliveries)+s.given >= turnDeliveries/2 || len(s.filling.main) > 2*commitBytes {
				p.off = len(p.buf) - len(b)
				return false
			}
			kind, flags, slot := b[0], b[1], le.Uint32(b[2:])
			targets, body := int(le.Uint16(b[6:])), int(le.Uint32(b[8:]))
			b = b[12:]
			s.targets = s.targets[:0]
			for range targets {
				n := int(le.Uint16(b[1:]))
				name := b[3 : 3+n]
				s.targets = append(s.targets, core.Target{
					Kind: core.TargetKind(b[0]),
					Name: unsafe.String(unsafe.SliceData(name), n),
				})
				b = b[3+n:]
			}
			if kind == entryKept {
				s.keep(from, slot, flags&wantsReceipt != 0, flags&wantsDisk != 0, s.targets, b[:body])
			} else {
				s.deliver(from, slot, flags&wantsReceipt != 0, s.targets, b[:body])
			}
			b = b[body:]
		case entryReceipt:
			s.report(le.Uint32(b[1:]), wire.Counts{
				Delivered: le.Uint32(b[5:]), Queued: le.Uint32(b[9:]),
				Offline: le.Uint32(b[13:]), Refused: le.Uint32(b[17:]), Repeats: le.Uint32(b[21:]),
			}, stored(b[25]), fault(b[26]))
			b = b[27:]
		case entryLateReceipt:
			s.reportLate(le.Uint32(b[1:]), b[5])
			b = b[6:]
		default:
			panic("shard: a batch holds an entry of an unknown kind")
		}
	}
	return true
}

// peer is a shard's way to another one.
type peer struct {
	shard    *Shard
	open     *parcel // what this turn has for it; nil if nothing
	inFlight int     // bytes of messages sent and not yet unpacked there
}

const (
	// batchBytes is when a batch is sent before the turn ends.
	batchBytes = 256 << 10
	// peerBytes bounds what waits for a peer; past it this shard stops reading
	// its sockets until the peer has caught up.
	peerBytes = 4 << 20
	// keepBlanks is how many used batches are kept for the next ones. Those that a
	// tick has not needed go with it, but fewBlanks, which keep small buffers.
	keepBlanks = 64
	fewBlanks  = 4
	smallBlank = 32 << 10
)

// to returns the open batch for shard i.
func (s *Shard) to(i int) *parcel {
	p := &s.peers[i]
	if p.open != nil && len(p.open.buf) >= batchBytes {
		s.ship(p)
	}
	if p.open == nil {
		p.open = s.blank()
		p.open.peer = i
	}
	return p.open
}

// blank returns a parcel for a batch, a used one if there is any.
func (s *Shard) blank() *parcel {
	if s.blanks == nil {
		s.collect()
	}
	if p := s.blanks; p != nil {
		s.blanks, p.next = p.next, nil
		s.blankCount--
		s.leastBlanks = min(s.leastBlanks, s.blankCount)
		return p
	}
	return &parcel{kind: parcelBatch, from: s}
}

// collect takes back the batches that peers have unpacked.
func (s *Shard) collect() {
	for p := s.returned.takeAll(); p != nil; {
		next := p.next
		s.peers[p.peer].inFlight -= len(p.buf)
		if s.blankCount < keepBlanks {
			if cap(p.buf) > 2*batchBytes {
				p.buf = nil // one huge message must not stay
			}
			p.buf = p.buf[:0]
			p.next = s.blanks
			s.blanks = p
			s.blankCount++
		}
		p = next
	}
}

// thinBlanks gives back what no batch has needed since the last tick.
func (s *Shard) thinBlanks() {
	s.collect()
	idle := s.leastBlanks == s.blankCount
	for ; s.leastBlanks > 0 && s.blankCount > fewBlanks; s.leastBlanks-- {
		s.blanks = s.blanks.next
		s.blankCount--
	}
	for p := s.blanks; idle && p != nil; p = p.next {
		if cap(p.buf) > smallBlank {
			p.buf = nil
		}
	}
	s.leastBlanks = s.blankCount
}

func (s *Shard) ship(p *peer) {
	p.inFlight += len(p.open.buf)
	if p.inFlight > peerBytes {
		s.stuck = true // at once: a turn can make much more than that
	}
	p.shard.inbox.post(p.open)
	p.open = nil
}

// shipAll ends the turn towards the peers.
func (s *Shard) shipAll() {
	for i := range s.peers {
		if s.peers[i].open != nil {
			s.ship(&s.peers[i])
		}
	}
}

// congested reports whether this shard must not accept messages now: a peer is
// behind, or too many messages wait for their receipts.
func (s *Shard) congested() bool {
	for i := range s.peers {
		if s.peers[i].inFlight > peerBytes {
			return true
		}
	}
	return s.flights.full() || len(s.filling.main) > commitBytes
}
