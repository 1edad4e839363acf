package load

import (
	"sync/atomic"
	"time"
)

// traffic is what the connections of a fleet say to each other. Workers share
// it and only read it, except for the progress of a publisher and of saves.
type traffic struct {
	window int // of a closed loop; 0 for an open one
	copies int // deliveries of each message
	// whole says that a message takes room of the window until it is both
	// acknowledged and delivered. Those that send to each other share a worker.
	whole bool
	away  uint32 // recipients that are not there, who get all; 0 for none
	fan   *fan   // of a fanout, else nil
	rate  int    // of an open loop, messages a second
	began time.Duration
	until atomic.Int64 // nothing of an open loop is due from then on; nanoseconds
	saves *saves       // of a reload, else nil
}

// fan follows a publisher's messages: one is complete when it was acknowledged
// and every subscriber has it.
type fan struct {
	publisher *conn
	parts     int32 // what completes a message: an answer and the deliveries
	// missing is what each message in flight still lacks, by its number modulo
	// the length, which is a power of two not below the window.
	missing []atomic.Int32
	base    uint32 // all below are complete; the publisher's worker owns it
}

func newFan(publisher *conn, subscribers, window int) *fan {
	size := 1
	for size < window {
		size *= 2
	}
	return &fan{publisher: publisher, parts: int32(subscribers) + 1, missing: make([]atomic.Int32, size)}
}

func (f *fan) slot(n uint32) *atomic.Int32 { return &f.missing[int(n)&(len(f.missing)-1)] }

// came notes a part of message n that w saw.
func (f *fan) came(w *worker, n uint32) {
	if f.slot(n).Add(-1) == 0 && w != f.publisher.worker {
		f.publisher.worker.wake()
	}
}

// room is how many messages the publisher may send.
func (f *fan) room(window int) int {
	sent := f.publisher.sent.Load()
	for f.base < sent && f.slot(f.base).Load() <= 0 {
		f.base++
	}
	return window - int(sent-f.base)
}

// pump sends what c's window has room for, in one write.
func (t *traffic) pump(w *worker, c *conn) {
	if t.window == 0 || t.fan != nil || w.fleet.phase.Load() != running {
		return
	}
	sent := c.sent.Load()
	n := t.window - int(sent-c.done)
	if t.away > 0 {
		n = min(n, int(c.quota-sent))
	}
	w.say(c, sent, n)
}

// publish is pump for the publisher of a fanout.
func (t *traffic) publish(w *worker) {
	c := t.fan.publisher
	if c.state != open || w.fleet.phase.Load() != running {
		return
	}
	sent := c.sent.Load()
	room := t.fan.room(t.window)
	for i := range room {
		t.fan.slot(sent + uint32(i)).Store(t.fan.parts)
	}
	w.say(c, sent, room)
}

// say sends the next n messages of c, of which sent are out, and what it owes.
func (w *worker) say(c *conn, sent uint32, n int) {
	if n <= 0 {
		return
	}
	b := w.appendOwed(w.batch[:0], c)
	away := w.fleet.traffic.away
	for i := range uint32(n) {
		c.message.stamp(sent + i)
		if away > 0 {
			// The senders go around the recipients together.
			c.message.stampTo(uint32((uint64(sent+i)*uint64(len(w.fleet.conns)) + uint64(c.id)) % uint64(away)))
		}
		b = append(b, c.message.frame...)
	}
	w.batch = b
	c.sent.Store(sent + uint32(n))
	w.Sent += uint64(n)
	w.send(c, b)
}

// text handles a text frame.
func (w *worker) text(c *conn, text []byte) {
	kind := classify(text)
	switch c.state {
	case resuming:
		switch kind {
		case hello:
			w.greeted(c, text)
		case refusal:
			w.fail(refused(text))
		default:
			w.Strange++ // nothing may come before that answer
		}
		return
	case joining:
		switch kind {
		case ack:
			w.opened(c)
			return
		case refusal:
			w.fail(refused(text))
			return
		}
		if !w.fleet.reliable {
			return
		}
	}
	switch kind {
	case gaps:
		w.gapped(c, text)
	case delivery:
		w.delivered(c, text)
	case ack, refusal:
		w.answered(c, kind, text)
	default:
		w.Strange++
	}
}

// answered handles what the gateway says of one of c's messages.
func (w *worker) answered(c *conn, kind kind, text []byte) {
	if kind == refusal && w.why == "" {
		w.note(refused(text))
	}
	n, rest, ok := ackedNumber(text, c.origin)
	if !ok || n >= c.sent.Load() {
		w.Strange++
		return
	}
	if c.answers.mark(n) == repeated {
		w.RepeatedAcks++
		return
	}
	t := w.fleet.traffic
	fan := t.fan
	if !t.whole || kind == refusal {
		c.done++
	}
	if kind == refusal {
		w.Refused++
		if fan != nil {
			fan.slot(n).Store(1)
		}
	} else {
		w.Acked++
		stored := w.told(rest)
		if t.whole {
			c.taken.mark(n)
			if stored == onDisk {
				c.onDisk.mark(n)
			}
			if c.from.arrived.has(n) {
				w.whole(c, n)
			}
		}
	}
	if fan != nil {
		fan.came(w, n)
	}
}

// told counts what an acknowledgement says and returns where the message is.
func (w *worker) told(rest []byte) stored {
	s, status := parseTold(rest)
	switch s {
	case onDisk:
		w.ToldDisk++
	case inOS:
		w.ToldOS++
	case inMemory:
		w.ToldMemory++
	}
	switch status {
	case isQueued:
		w.ToldQueued++
	case isDelivered:
		w.ToldDelivered++
	}
	if s == nowhere || status == noStatus {
		w.Strange++
	}
	return s
}

// whole is called when c's message n is both acknowledged and delivered.
func (w *worker) whole(c *conn, n uint32) {
	c.done++
	w.Whole++
	if c.onDisk.has(n) {
		w.Durable++
	}
}

// delivered handles a message that arrived at c.
func (w *worker) delivered(c *conn, text []byte) {
	if w.fleet.reliable && !w.took(c, text) {
		return
	}
	if c.from == nil {
		w.Strange++
		return
	}
	n, due, ok := deliveredNumber(text, c.from.origin)
	if !ok || n >= c.from.sent.Load() {
		w.Strange++
		return
	}
	switch c.arrived.mark(n) {
	case repeated:
		w.RepeatedDeliveries++
		return
	case overtook:
		w.Overtaken++
	}
	w.Delivered++
	if w.fleet.traffic.whole && c.from.taken.has(n) {
		w.whole(c.from, n)
	}
	switch ns, ok := dueTime(due); {
	case c.probe:
		w.probed(c, text)
	case w.latency != nil && ok:
		w.timed(time.Duration(ns))
	case w.latency != nil:
		w.Strange++
	}
	if fan := w.fleet.traffic.fan; fan != nil {
		fan.came(w, n)
	}
}

// exchange runs the traffic until the phase ends.
func (w *worker) exchange() error {
	t := w.fleet.traffic
	if t.rate > 0 {
		return w.openLoop(t)
	}
	for _, c := range w.conns {
		t.pump(w, c)
	}
	for w.err == nil && w.fleet.phase.Load() != ended {
		if w.fleet.phase.Load() == draining {
			w.hush()
		}
		if t.fan != nil && t.fan.publisher.worker == w {
			t.publish(w)
		}
		w.turn(forever)
	}
	return w.err
}
