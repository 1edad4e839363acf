package load

import "time"

// sendAtOnce bounds the messages of a stream between two looks at what arrived.
const sendAtOnce = 64

// stream is what a worker sends in an open loop: its connections take turns,
// each message is due at a fixed time.
type stream struct {
	conns []*conn
	first time.Duration // when message 0 is due
	// In this many nanoseconds so many messages are due.
	span, per uint64
	next      uint64 // the number of the message to be sent next
}

// due is when the next message is to be sent.
func (s *stream) due() time.Duration {
	return s.first + time.Duration(s.next*s.span/s.per)
}

// left is how many messages are due before until, from the next one on.
func (s *stream) left(until time.Duration) uint64 {
	if until <= s.first {
		return 0
	}
	all := (uint64(until-s.first)*s.per-1)/s.span + 1
	return max(all, s.next) - s.next
}

// streams is w's share of the traffic: its part of the rate, and its probes.
func (t *traffic) streams(w *worker) (all []stream) {
	var load, probes []*conn
	for _, c := range w.conns {
		if c.probe {
			probes = append(probes, c)
		} else {
			load = append(load, c)
		}
	}
	if len(load) > 0 {
		all = append(all, stream{
			conns: load,
			first: t.began + time.Duration(uint64(time.Second)*uint64(w.index)/uint64(t.rate)),
			span:  uint64(time.Second) * uint64(len(w.fleet.workers)),
			per:   uint64(t.rate),
		})
	}
	if len(probes) > 0 {
		all = append(all, stream{conns: probes, first: t.began, span: uint64(probeEvery), per: uint64(len(probes))})
	}
	return all
}

// openLoop sends each message when it is due, whatever became of the earlier
// ones, and stamps it with that time: when the gateway, the socket or this loop
// is late, the delay counts.
func (w *worker) openLoop(t *traffic) error {
	streams := t.streams(w)
	for w.err == nil && w.fleet.phase.Load() != ended {
		now, until := w.fleet.now(), time.Duration(t.until.Load())
		next := until
		for i := range streams {
			s := &streams[i]
			due := s.due()
			for n := 0; n < sendAtOnce && due <= now && due < until; n++ {
				w.sayDue(s.conns[s.next%uint64(len(s.conns))], due)
				s.next++
				due = s.due()
			}
			next = min(next, due)
		}
		if next == until {
			w.hush()
			w.turn(forever)
		} else {
			w.turn(max(next-w.fleet.now(), 0))
		}
	}
	for i := range streams {
		w.Unsent += streams[i].left(time.Duration(t.until.Load()))
	}
	return w.err
}

// sayDue sends the message of c that was due then.
func (w *worker) sayDue(c *conn, due time.Duration) {
	if c.state != open || len(c.out) > maxUnsent {
		w.Unsent++
		return
	}
	sent := c.sent.Load()
	c.message.stamp(sent)
	c.message.stampDue(uint64(due))
	c.sent.Store(sent + 1)
	w.Sent++
	w.send(c, c.message.frame)
}
