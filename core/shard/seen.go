package shard

import (
	"hash/maphash"
	"math/bits"
)

// seenKey stands for a message from one client to one target. Two messages that
// share one by accident are not expected in the life of a gateway, and nobody
// who doesn't know the seeds can make them.
type seenKey struct {
	a uint64
	b uint32
}

// keySeeds are what a shard's keys are made with. Keys of other seeds don't
// compare.
type keySeeds struct{ a, b maphash.Seed }

func newKeySeeds() *keySeeds { return &keySeeds{a: maphash.MakeSeed(), b: maphash.MakeSeed()} }

// key makes the key of the message that from gave the ID and sent to to.
func (s *keySeeds) key(from string, id []byte, to string) seenKey {
	return seenKey{a: sum(s.a, from, id, to), b: uint32(sum(s.b, from, id, to))}
}

// sum hashes the three with the lengths of the first two before them, so that
// the borders count.
func sum(seed maphash.Seed, from string, id []byte, to string) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	lengths := uint64(len(from))<<32 | uint64(uint32(len(id)))
	var head [8]byte
	for i := range head {
		head[i] = byte(lengths >> (8 * i))
	}
	_, _ = h.Write(head[:])
	_, _ = h.WriteString(from)
	_, _ = h.Write(id)
	_, _ = h.WriteString(to)
	return h.Sum64()
}

// seen remembers the messages given to a shard's clients, for a bounded number
// and time: the oldest goes when there are too many, and each when it is too
// old. It is 28 bytes a message when full, and no pointers.
//
// ring holds the entries in the order they were added, index finds them by key:
// a hash table with linear probing, twice as long as the ring. A slot of it is,
// from its low bits up: an entry's place in the ring plus one, how far behind
// its home it stands, some bits of its key. So looking for what is not there and
// moving slots reads next to no entries. 0 is empty. An entry that no slot names
// was removed or added anew, and leaves the ring when its turn comes.
type seen struct {
	ring  []seenEntry
	index []uint32
	shift uint8 // the bits of a place in a slot

	first, used int // the oldest entry's place in the ring, and how many follow from there
	live        int // how many of them slots name

	max int
	age uint32
}

// seenEntry is 20 bytes: a uint64 would make it 24.
type seenEntry struct{ high, low, b, seq, at uint32 }

func (e *seenEntry) key() seenKey { return seenKey{a: uint64(e.high)<<32 | uint64(e.low), b: e.b} }

const (
	seenMost   = 1<<27 - 1 // entries that a slot can name
	seenLeast  = 64        // entries of the smallest ring
	seenPerAdd = 2         // entries that an add drops for their age at the most
	seenPerRun = 8192      // entries that expire drops at the most

	awayBits = 5
	farAway  = 1<<awayBits - 1 // or more: the entry's key tells
)

// newSeen remembers up to max messages, each for at least age seconds and less
// than age+1.
func newSeen(max int, age uint32 /* seconds */) *seen {
	return &seen{max: min(max, seenMost), age: age}
}

// setBounds changes what newSeen was given. What is too much or too old then goes
// little by little.
func (t *seen) setBounds(max int, age uint32) { t.max, t.age = min(max, seenMost), age }

// len returns how many messages are remembered, with those that are too old and
// not yet dropped.
func (t *seen) len() int { return t.live }

// find returns the seq (low 32 bits) noted for the key, if it is in the window at
// now (seconds since any fixed origin).
func (t *seen) find(h seenKey, now uint32) (seq uint32, ok bool) {
	if t.live == 0 {
		return 0, false
	}
	slot, _, found := t.slot(h)
	if !found {
		return 0, false
	}
	e := &t.ring[t.place(slot)]
	if t.tooOld(e, now) {
		return 0, false
	}
	return e.seq, true
}

// tooOld also holds where the seconds begin again at 0. An entry from the future
// is new: the clock was set back.
func (t *seen) tooOld(e *seenEntry, now uint32) bool {
	return int64(int32(now-e.at)) > int64(t.age)
}

// add notes a message, in place of what was noted for its key.
func (t *seen) add(h seenKey, seq uint32, now uint32) {
	if t.max <= 0 {
		return
	}
	t.dropOld(now, seenPerAdd)
	switch {
	case t.used >= t.max:
		t.dropFirst()
	case t.used == len(t.ring):
		t.resize(min(t.max, max(seenLeast, 2*t.used)))
	}
	place := t.first + t.used
	if place >= len(t.ring) {
		place -= len(t.ring)
	}
	slot, away, found := t.slot(h)
	if !found {
		t.live++
	}
	t.index[slot] = t.name(h, place, away)
	t.ring[place] = seenEntry{high: uint32(h.a >> 32), low: uint32(h.a), b: h.b, seq: seq, at: now}
	t.used++
}

// mark adds bits to what was noted for the key, if it is remembered.
func (t *seen) mark(h seenKey, bits uint32) {
	if t.live == 0 {
		return
	}
	if slot, _, found := t.slot(h); found {
		t.ring[t.place(slot)].seq |= bits
	}
}

// remove forgets a message: it was refused after all.
func (t *seen) remove(h seenKey) {
	if t.live == 0 {
		return
	}
	slot, _, found := t.slot(h)
	if !found {
		return
	}
	last := t.first + t.used - 1
	if last >= len(t.ring) {
		last -= len(t.ring)
	}
	if t.place(slot) == last {
		t.used--
	}
	t.clear(slot)
}

// expire drops what is too old and gives memory back when little is left. It is
// to be called once a second; a call drops a bounded number.
func (t *seen) expire(now uint32) {
	t.dropOld(now, seenPerRun)
	switch {
	case t.live == 0:
		t.ring, t.index, t.first, t.used = nil, nil, 0, 0
	case len(t.ring) > t.max && t.used <= t.max:
		t.resize(t.max)
	case len(t.ring) > seenLeast && t.used < len(t.ring)/8:
		t.resize(max(seenLeast, 2*t.used))
	}
}

// dropOld drops up to n entries that are too old, or too many.
func (t *seen) dropOld(now uint32, n int) {
	for ; n > 0 && t.used > 0 && (t.used > t.max || t.tooOld(&t.ring[t.first], now)); n-- {
		t.dropFirst()
	}
}

func (t *seen) dropFirst() {
	if slot, named := t.slotOf(t.first); named {
		t.clear(slot)
	}
	t.used--
	t.first++
	if t.first == len(t.ring) {
		t.first = 0
	}
}

// home is where the search for a key begins.
func (t *seen) home(a uint64) int {
	high, _ := bits.Mul64(a, uint64(len(t.index)))
	return int(high)
}

// name is what a slot so far away from the key's home holds for the place.
func (t *seen) name(h seenKey, place, away int) uint32 {
	return (h.b<<awayBits|uint32(min(away, farAway)))<<t.shift | uint32(place+1)
}

func (t *seen) place(slot int) int { return int(t.index[slot]&(1<<t.shift-1)) - 1 }

// away returns how far a slot in use is behind the home of its key.
func (t *seen) away(slot int) int {
	if away := int(t.index[slot] >> t.shift & farAway); away != farAway {
		return away
	}
	return t.distance(t.home(t.ring[t.place(slot)].key().a), slot)
}

// slot returns the key's slot, or the empty one where it would go, and how far
// away from home that is.
func (t *seen) slot(h seenKey) (slot, away int, found bool) {
	for slot = t.home(h.a); t.index[slot] != 0; slot = t.after(slot) {
		// one that differs in more than the place is another key's
		if (t.index[slot]^t.name(h, 0, away))>>t.shift == 0 && t.ring[t.place(slot)].key() == h {
			return slot, away, true
		}
		away++
	}
	return slot, away, false
}

// slotOf returns the slot that names the entry at the place, if there is one.
func (t *seen) slotOf(place int) (slot int, named bool) {
	for slot = t.home(t.ring[place].key().a); t.index[slot] != 0; slot = t.after(slot) {
		if t.place(slot) == place {
			return slot, true
		}
	}
	return slot, false
}

func (t *seen) after(slot int) int {
	if slot++; slot == len(t.index) {
		return 0
	}
	return slot
}

// clear empties a slot and moves those after it up to it that would not be found
// behind an empty one.
func (t *seen) clear(slot int) {
	for next := t.after(slot); t.index[next] != 0; next = t.after(next) {
		away, gap := t.away(next), t.distance(slot, next)
		if away < gap {
			continue
		}
		t.index[slot] = t.index[next]&^(farAway<<t.shift) | uint32(min(away-gap, farAway))<<t.shift
		slot = next
	}
	t.index[slot] = 0
	t.live--
}

// distance is how far it is from one slot on to another.
func (t *seen) distance(from, to int) int {
	if to < from {
		to += len(t.index)
	}
	return to - from
}

// resize makes room for n entries, as many as are used or more. Those that no
// slot names stay behind.
func (t *seen) resize(n int) {
	grown := seen{
		ring: make([]seenEntry, n), index: make([]uint32, 2*n), shift: uint8(bits.Len(uint(n))),
		max: t.max, age: t.age,
	}
	for i := range t.used {
		place := t.first + i
		if place >= len(t.ring) {
			place -= len(t.ring)
		}
		if _, named := t.slotOf(place); !named {
			continue
		}
		h := t.ring[place].key()
		slot, away, _ := grown.slot(h)
		grown.index[slot] = grown.name(h, grown.used, away)
		grown.ring[grown.used] = t.ring[place]
		grown.used++
	}
	grown.live = grown.used
	*t = grown
}
