package shard

import (
	"math/bits"
	"runtime"
	"time"

	"github.com/stratix-gateway/stratix/core/journal"
)

// calmTurn is how many connections with an acknowledgement to get make a turn
// that writes to them at once. More of them wait for what the next turn has for
// them too: it begins without a pause.
const calmTurn = 8

// run is the loop. It returns after parcelStop.
func (s *Shard) run() {
	s.began = time.Now()
	s.ticked = s.began
	began := s.began
	for !s.stopped {
		n := s.wait(began)
		began = time.Now()
		s.step(n, began)
		s.account(began)
		// Others need the processor too: a loop that never blocks would keep it
		// until it is preempted.
		runtime.Gosched()
	}
	s.close()
}

// step is one turn: what was posted, then those whose turn was due, then the n
// sockets that the poller has found ready. Whoever finds no room in a turn is
// ahead of the newly arrived in the next one.
func (s *Shard) step(n int, now time.Time) {
	s.unixMillis, s.elapsed = now.UnixMilli(), now.Sub(s.began).Milliseconds()
	s.turn++
	if s.pulse != nil {
		s.pulse.began = now.Sub(s.began)
	}
	s.open()
	s.resumeDue()
	s.unpackAll()
	s.runReady()
	if len(s.publications.waiting) > 0 {
		s.runPublications()
	}
	for i := range n {
		if r, ok := s.poll.at(i); ok {
			s.event(r)
		}
	}
	s.advance(now)
	s.reap()
	s.submit()  // the log can begin ...
	s.shipAll() // ... and the peers, while this shard writes
	s.feedHungry()
	s.tellGaps()
	s.flush()
	s.reap()
	s.settle()
	s.given = 0
	if len(s.dirty) <= calmTurn {
		s.flush()
		s.reap()
	}
	s.shipAll()
	s.collect()
	if s.stuck = s.congested(); s.stuck {
		s.count.Stalls++
	}
	s.checkDrained()
	if s.tracer.open > 0 {
		s.feedTails()
	}
	if len(s.publications.ended) > 0 {
		s.giveBack()
	}
}

// wait blocks until there is something to do and returns the number of socket
// events.
func (s *Shard) wait(now time.Time) int {
	switch {
	case len(s.dirty)+len(s.hungry)+len(s.untold)+len(s.batches) > 0 || len(s.ready)+len(s.publications.waiting) > 0 && !s.stuck:
		return s.poll.wait(0)
	case s.stuck:
		return s.poll.wait(1) // the peer gives room back without a wake
	}
	tick := s.began.Add(time.Duration(s.wheel.now+1) * tickLength)
	millis := s.untilDue(int(max(0, (tick.Sub(now)+time.Millisecond-1)/time.Millisecond)))
	s.inbox.asleep.Store(true)
	if s.inbox.head.Load() != nil {
		millis = 0
	}
	n := s.poll.wait(millis)
	s.inbox.asleep.Store(false)
	return n
}

// event handles what happened on one socket.
func (s *Shard) event(r ready) {
	c := s.sessions.find(r.slot, r.serial)
	if c == nil {
		return
	}
	if r.writable && c.out != nil {
		s.write(c)
	}
	switch {
	case c.state == broken || c.state == over:
	case r.readable:
		s.readable(c)
	case r.hungUp:
		s.breakOff(c)
	}
	if r.hungUp && c.deaf && c.state == open {
		s.breakOff(c) // it would be reported again and again
	}
}

// open handles everything that was posted.
func (s *Shard) open() {
	for p := s.inbox.take(); p != nil; {
		next := p.next
		p.next = nil
		s.accept(p)
		p = next
	}
}

func (s *Shard) accept(p *parcel) {
	switch p.kind {
	case parcelBatch:
		s.batches = append(s.batches, p)
	case parcelAttach:
		s.attach(p.client)
	case parcelProgram:
		s.setProgram(p.program)
	case parcelResume:
		s.resumed(p.held)
	case parcelInput:
		s.pumped(p)
	case parcelRoom:
		if c := s.sessions.find(p.slot, p.serial); c != nil && c.out != nil {
			s.write(c)
		}
	case parcelGone:
		if c := s.sessions.find(p.slot, p.serial); c != nil {
			s.breakOff(c)
		}
	case parcelDrain:
		s.beginDrain(p.drain)
	case parcelStop:
		s.stopped = true
	case parcelCommit:
		s.committed(p.commit)
	case parcelRelief:
		s.relieved()
	case parcelPaged:
		s.pagedIn(p.paging)
	case parcelPosts:
		s.posted(p.posts)
	case parcelCall:
		p.call()
	}
}

// pumped handles bytes that a pump has read. They are the pump's until it gets
// its credit back.
func (s *Shard) pumped(p *parcel) {
	c := s.sessions.find(p.slot, p.serial)
	if c == nil {
		return
	}
	c.pump.owed = true
	c.seen = s.wheel.now
	s.count.WireIn += uint64(len(p.buf))
	switch {
	case c.state != open && c.state != closing:
		s.creditPump(c)
	case c.in != nil: // bytes that came with the handshake still wait
		c.in.buf = append(c.in.buf, p.buf...)
	default:
		s.consume(c, p.buf)
	}
}

// advance moves the timers on to now.
func (s *Shard) advance(now time.Time) {
	for until := uint32(now.Sub(s.began) / tickLength); s.wheel.now < until; {
		s.wheel.next()
		for c := s.wheel.pop(&s.sessions); c != nil; c = s.wheel.pop(&s.sessions) {
			s.fire(c)
		}
		s.sweepOn()
		s.readAgain()
		s.thinBlanks()
		s.thinPosts()
		s.recorder.Tick()
		s.traceTick()
		s.seen.expire(s.seconds())
		if s.draining != nil {
			s.stepDrain()
		}
	}
	if s.index == 0 && now.Sub(s.ticked) >= time.Second {
		s.ticked = now
		s.program.Toll.Ticks++
		if err := s.program.Hooks.Tick(s.unixMillis); err != nil {
			s.program.Toll.Missed++
			s.count.HookErrors++
		}
	}
}

// account notes how long the turn took.
func (s *Shard) account(began time.Time) {
	took := time.Since(began)
	s.count.Turns++
	s.turnTime += took
	s.turnLengths[min(bits.Len64(uint64(took.Microseconds())), turnBuckets-1)]++
}

// releasePrograms lets go of the generations that hold no message any more.
func (s *Shard) releasePrograms() {
	kept := s.retiring[:0]
	for _, p := range s.retiring {
		if p.Pipeline.Pending > 0 {
			kept = append(kept, p)
			continue
		}
		addStages(s.pastStages, p)
		addScript(&s.pastScript, p)
		if s.opt.Released != nil {
			s.opt.Released(p.Generation)
		}
	}
	clear(s.retiring[len(kept):])
	s.retiring = kept
}

// close ends every connection that is left or was on its way here.
func (s *Shard) close() {
	for p := s.inbox.shut(); p != nil; p = p.next {
		switch p.kind {
		case parcelAttach:
			p.client.turnAway(CloseTryLater, shuttingDown)
		case parcelDrain:
			p.drain.done()
		}
	}
	s.sessions.each(func(c *session) {
		if c.state == open || c.state == broken {
			s.retire(c, causeStop)
		}
		s.end(c)
	})
	s.checkDrained()
	s.lastWords()
	s.poll.close()
	s.arena.Close()
	s.entries.Close()
}

// lastWords writes to the log what nobody waits for any more; the log's Close
// commits it.
func (s *Shard) lastWords() {
	if s.opt.Journal == nil {
		return
	}
	for _, b := range s.boxList {
		if b.stale {
			s.logState(b)
		}
	}
	s.logAcks()
	f := s.filling
	if f.Buf = append(append(f.Buf[:0], f.lazy...), f.main...); len(f.Buf) > 0 {
		f.Done = func(*journal.Batch) {}
		s.opt.Journal.Submit(&f.Batch)
	}
}
