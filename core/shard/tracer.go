package shard

import (
	"math/rand/v2"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/trace"
	"github.com/stratix-gateway/stratix/core/wire"
)

// tracer is what a shard remembers of the ways of messages. Traces are bytes in
// rings; one is made up in buffers that the next one uses again.
type tracer struct {
	every   int // one message in so many is sampled; 0 for none
	preview int // bytes of data that a trace shows
	// until counts the messages up to the next that is sampled, while tails are
	// open; else Shard.untraced does.
	until   int
	passing int // messages that the next one that is sampled stands for
	sampled *trace.Ring
	ended   *trace.Ring // of those that came to nothing and were not sampled
	last    uint64      // number
	easy    int         // so many more of this tick are sampled anyhow
	tick    uint32      // in which ...
	spared  int         // ... so many more may be kept of these
	random  *rand.Rand

	trace core.Trace   // of the message at hand
	brief core.Message // stands for one that is not at hand any more
	entry []byte
	feeds [MaxTails]*feed
	open  int // feeds that are not nil
}

const (
	// endedShare is the part of the memory for messages that came to nothing: a
	// flood of them pushes out others of their kind only.
	endedShare = 4
	// endedTick bounds how many of them are written down in one tick.
	endedTick = 256
	// maxWatched bounds the traced messages whose delivery is waited for though
	// their senders have not asked for a receipt.
	maxWatched = 1024
)

// The number of a trace says which tails see it and where it is kept, so that
// what is written later goes there too:
//
//	shard:10 count:44 tails:8 place:2
const (
	inSampled = iota
	inEnded
	inNone    // for tails only
	placeMask = 3
	tailsAt   = 2
	countAt   = tailsAt + MaxTails
	shardAt   = 54
)

func newTracer(opt *Options, random *rand.Rand) tracer {
	return tracer{
		every: opt.TraceEvery, preview: opt.TraceData, random: random,
		sampled: trace.NewRing(opt.TraceBytes - opt.TraceBytes/endedShare),
		ended:   trace.NewRing(opt.TraceBytes / endedShare),
		spared:  endedTick,
	}
}

// interval is how many messages pass until the next that is sampled: a random
// number, so that no rhythm of the clients hides one of them.
func (t *tracer) interval() int {
	if t.easy > 0 {
		t.easy--
		return 1
	}
	if t.every <= 1 {
		return t.every
	}
	return 1 + t.random.IntN(2*t.every-1)
}

// easyShare is how many messages of a tick are sampled in any case, times the
// rate: while there are few, all leave a trace.
const easyShare = 25 * 64

// traceTick begins the next tick.
func (s *Shard) traceTick() {
	t := &s.tracer
	if s.pulse != nil {
		s.pulse.busy.fade(s.elapsed)
	}
	if t.every <= 1 || easyShare/t.every == 0 {
		return
	}
	t.easy = easyShare / t.every
	left := &s.untraced
	if t.open > 0 {
		left = &t.until
	}
	t.passing -= *left - 1
	*left = 1
}

// sample gives m a trace, if it is sampled or a tail may want it. It is called
// when s.untraced has come to 0.
func (s *Shard) sample(m *core.Message) {
	t := &s.tracer
	place, tails, passed := uint64(inSampled), uint64(0), t.passing
	if t.open == 0 {
		s.untraced = t.interval()
		t.passing = s.untraced
	} else {
		s.untraced = 1
		if t.until--; t.until == 0 {
			t.until = t.interval()
			t.passing = t.until
		} else {
			place = inNone
		}
		if tails = t.tailsFor(m.From.ID); tails == 0 && place == inNone {
			return
		}
	}
	t.trace.Reset()
	t.trace.Number = s.number(place) | tails<<tailsAt
	m.Trace = &t.trace
	if s.pulse != nil && place == inSampled {
		s.pulse.sampled(m, t.trace.Number, passed)
	}
}

// tailsFor is the set of the tails that may want messages of a client.
func (t *tracer) tailsFor(client string) (set uint64) {
	for i, f := range t.feeds {
		if f != nil && f.filter.From(client) {
			set |= 1 << i
		}
	}
	return set
}

func (s *Shard) number(place uint64) uint64 {
	s.tracer.last++
	return uint64(s.index)<<shardAt | s.tracer.last<<countAt&(1<<shardAt-1) | place
}

// sparing reports whether one more message that came to nothing may be kept.
func (s *Shard) sparing() bool {
	t := &s.tracer
	if t.every == 0 {
		return false
	}
	if t.tick != s.wheel.now {
		t.tick, t.spared = s.wheel.now, endedTick
	}
	if t.spared == 0 {
		s.count.TracesSkipped++
		return false
	}
	t.spared--
	return true
}

// decided writes down what became of m in the pipeline and the routing. What was
// accepted and has no trace is none of its business.
func (s *Shard) decided(m *core.Message, d trace.Decision) {
	t := &s.tracer
	if s.pulse != nil {
		s.pulse.decided(m, &d, time.Since(s.began))
	}
	switch {
	case m.Trace != nil:
		if m.Trace.Number&placeMask == inNone && d.Outcome != trace.Accepted && s.sparing() {
			m.Trace.Number = m.Trace.Number&^placeMask | inEnded
		}
		d.Number = m.Trace.Number
	default:
		place, tails := uint64(inNone), t.tailsFor(m.From.ID)
		if s.sparing() {
			place = inEnded
		} else if tails == 0 {
			return
		}
		d.Number = s.number(place) | tails<<tailsAt
	}
	if m.Trace == nil && m.Held().Program != nil && d.Outcome <= trace.Failed {
		d.Stage = m.Held().Program.Pipeline.At(m)
	}
	d.Shard, d.Preview = s.index, t.preview
	t.entry = trace.AppendDecision(t.entry[:0], &d, m)
	s.keepEntry(d.Number)
	for i, f := range t.feeds {
		if f != nil && d.Number>>tailsAt&(1<<i) != 0 && f.filter.May(&d) {
			f.add(t.entry, &s.count)
		}
	}
}

// keepEntry puts t.entry into the ring that the number names.
func (s *Shard) keepEntry(number uint64) {
	t := &s.tracer
	switch number & placeMask {
	case inSampled:
		t.sampled.Add(t.entry)
	case inEnded:
		t.ended.Add(t.entry)
	default:
		return
	}
	if _, decision, _ := trace.Head(t.entry); decision {
		s.count.Traced++
	}
}

// traceAnswer writes down how a flight was answered: with an error also where it
// has no trace that is kept.
func (s *Shard) traceAnswer(f *flight, from *core.Session, told bool, code, reason string) {
	stored, status := "", ""
	if code == "" {
		stored, status = f.stored.String(), statusOf(&f.counts)
	}
	if s.pulse != nil && code != "" && from != nil {
		s.pulse.busy.failed(from.ID)
	}
	if f.trace != 0 {
		s.answered(f.trace, told, f.counts, stored, status, code, reason)
	}
	if code != "" && (f.trace == 0 || f.trace&placeMask == inNone) {
		if number := s.recall(f, from); number != 0 {
			s.answered(number, told, f.counts, stored, status, code, reason)
		}
	}
}

// traceLate writes down what became of those who had to wait.
func (s *Shard) traceLate(f *flight, from *core.Session) {
	outcome := "delivered"
	switch {
	case f.expired:
		outcome = "expired"
	case f.lost > 0:
		outcome = "lost"
	case f.silent:
		outcome = "unknown"
	}
	number := f.trace
	if f.lost > 0 && (number == 0 || number&placeMask == inNone) {
		number = s.recall(f, from)
	}
	if number == 0 {
		return
	}
	s.tracer.entry = trace.AppendLate(s.tracer.entry[:0], number, s.unixMillis, outcome)
	s.keepEntry(number)
}

// answered writes down what the sender of a message with a trace was told.
func (s *Shard) answered(number uint64, told bool, n wire.Counts, stored, status, code, reason string) {
	t := &s.tracer
	if s.pulse != nil {
		s.pulse.answered(number, time.Since(s.began))
	}
	t.entry = trace.AppendAnswer(t.entry[:0], number, s.unixMillis, told, n, stored, status, code, reason)
	s.keepEntry(number)
	for i, f := range t.feeds {
		if f != nil && number>>tailsAt&(1<<i) != 0 {
			f.add(t.entry, &s.count)
		}
	}
}

// traceFault writes down a frame of c that is no message.
func (s *Shard) traceFault(c *session, f *wire.Frame, why *wire.Fault, size int) {
	m := &s.tracer.brief
	m.From, m.ID, m.Time, m.Size, m.Generation = &c.Session, f.ID, s.unixMillis, size, s.programOf(c.ID).Generation
	if s.pulse != nil && s.tracer.every > 0 {
		s.pulse.busy.note(c.ID, 1, size)
	}
	s.decided(m, trace.Decision{Outcome: trace.Malformed, Code: why.Code, Reason: why.Text})
	*m = core.Message{}
}

// recall makes a trace for a flight that came to nothing and is kept nowhere, as
// far as it is still known, and returns its number; 0 if there is none.
func (s *Shard) recall(f *flight, from *core.Session) uint64 {
	if from == nil || !s.sparing() {
		return 0
	}
	t := &s.tracer
	m := &t.brief
	m.From, m.ID, m.Time = from, f.id, s.unixMillis
	number := s.number(inEnded)
	d := trace.Decision{Number: number, Shard: s.index, Outcome: trace.Accepted}
	t.entry = trace.AppendDecision(t.entry[:0], &d, m)
	s.keepEntry(number)
	*m = core.Message{}
	return number
}
