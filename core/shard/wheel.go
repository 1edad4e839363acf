package shard

import "time"

// tickLength is the resolution of all timeouts of connections.
const tickLength = 250 * time.Millisecond

// second is a second in ticks.
const second = uint32(time.Second / tickLength)

const wheelSlots = 512 // a power of two

// none marks the absence of a session slot.
const none = 1<<32 - 1

// wheel is a timer wheel of sessions, linked through the sessions themselves.
// A session is in it once: its due tick is the earliest of all that it waits
// for, and when it fires the session decides what is due and when to come back.
type wheel struct {
	heads [wheelSlots]uint32
	now   uint32 // ticks since the shard began
}

func (w *wheel) init() {
	for i := range w.heads {
		w.heads[i] = none
	}
}

// maxTicks is some eight years: whoever writes down more means for ever, and the sum
// with the present tick stays within 32 bits.
const maxTicks = 1 << 30

// ticks rounds a duration up to whole ticks, at least one and at most maxTicks.
func ticks(d time.Duration) uint32 {
	return uint32(min(max(1, (d-1)/tickLength+1), maxTicks))
}

// schedule puts c into the wheel at tick due, taking it out of its place first.
// A wait longer than the wheel fires early; the session then comes back.
func (w *wheel) schedule(all *slab, c *session, due uint32) {
	w.cancel(all, c)
	c.due = min(max(due, w.now+1), w.now+wheelSlots-1)
	head := &w.heads[c.due&(wheelSlots-1)]
	c.prev, c.next = none, *head
	if *head != none {
		all.at(*head).prev = c.slot
	}
	*head = c.slot
	c.timed = true
}

// cancel takes c out of the wheel.
func (w *wheel) cancel(all *slab, c *session) {
	if !c.timed {
		return
	}
	if c.prev != none {
		all.at(c.prev).next = c.next
	} else {
		w.heads[c.due&(wheelSlots-1)] = c.next
	}
	if c.next != none {
		all.at(c.next).prev = c.prev
	}
	c.timed = false
}

// next moves the wheel on by one tick.
func (w *wheel) next() { w.now++ }

// pop takes out one session that is due at the current tick, or returns nil.
func (w *wheel) pop(all *slab) *session {
	at := w.heads[w.now&(wheelSlots-1)]
	if at == none {
		return nil
	}
	c := all.at(at)
	w.cancel(all, c)
	return c
}
