package shard

import (
	"maps"
	"slices"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/record"
	"github.com/stratix-gateway/stratix/core/trace"
)

// Counts are a shard's running totals since it began.
type Counts struct {
	Opened, Closed               uint64 // connections
	Left, Lost                   uint64 // closed ones by cause, which add up to Closed:
	Replaced, Idle, Slow         uint64 // the peer's doing, and this side's
	Refused, Protocol, Stalled   uint64
	Drained, Unacked, Expired    uint64
	Limited, Dismissed           uint64
	In, InBytes                  uint64 // text messages from clients, and published ones
	Published                    uint64 // of these
	Out, OutBytes                uint64 // messages given to clients
	Accepted, Filtered, Rejected uint64 // messages by what became of them
	Failed, Forbidden, Malformed uint64
	NoRoute                      uint64
	Offline, Overflow, Unstored  uint64 // deliveries, one a recipient, that failed at once; a group of nobody is one
	Dropped                      uint64 // deliveries taken out of full queues later
	Held                         uint64 // held by a stage
	Answers, AnswersMissed       uint64 // replies of upstreams that clients got, and that nobody was there for
	LettersLost                  uint64 // dead letters that reached nobody
	Panics, HookErrors           uint64
	Reads, Writes                uint64 // system calls
	WireIn, WireOut              uint64 // bytes on the sockets
	Turns, Stalls                uint64 // loop turns; those that ended congested
	Kept, Settled                uint64 // messages given to mailboxes, one a recipient; of these, those that reached it
	Retries                      uint64 // sent again after a connection had ended
	Repeats                      uint64 // known from the deduplication window
	RingFull                     uint64 // refused for lack of room
	CommitsFailed                uint64
	Evicted                      uint64                         // mailboxes forgotten for lack of room
	Traced, TracesSkipped        uint64                         // messages that left a trace; that came to nothing and left none, being too many
	Unrecorded                   uint64                         // messages of a flood that the recording left out
	TailMissed                   uint64                         // entries that tails were too slow for
	PagedIn                      uint64                         // letters read from the disk
	Lapsed                       [len(record.Causes) + 1]uint64 // messages that will never be delivered, by cause
}

// turnBuckets count loop turns by length: bucket i holds those below 2^i
// microseconds that no smaller one holds.
const turnBuckets = 24

// Stats is what a shard tells of itself.
type Stats struct {
	Counts
	Connections int
	Groups      int // of this shard: several may have one, see Set.GroupCount
	QueuedBytes int // not yet written to clients; up to a second old
	InFlight    int // messages whose receipts are not all in
	Mailboxes   int
	Pending     int           // messages that wait for their recipients, one a recipient
	RingBytes   int64         // of memory that they take
	Traces      int           // kept now
	TraceBytes  int           // that they take
	Oldest      time.Duration // how long the oldest has waited; up to a few seconds old
	Full        Full          // the same
	Generation  uint32
	Stages      map[string]core.Tally // by metric label, over all generations
	Script      core.ScriptTally      // over all generations
	Told        map[string]uint64     // errors that senders were told, by code
	TurnTime    time.Duration         // spent in turns
	TurnLengths [turnBuckets]uint64
}

// stats gathers everything, on the shard's goroutine.
func (s *Shard) stats() Stats {
	st := s.counted()
	st.QueuedBytes = s.queuedBytes()
	return st
}

// counted is stats without what a look at every session is needed for.
func (s *Shard) counted() Stats {
	st := Stats{
		Counts:      s.count,
		Connections: len(s.dir.byID),
		Groups:      len(s.dir.groups),
		InFlight:    len(s.flights.slots) - len(s.flights.unused) - s.flights.waiting,
		Mailboxes:   len(s.boxes),
		Pending:     int(s.bounds.used),
		RingBytes:   s.arena.InUse(),
		Oldest:      s.oldestAge(),
		Full:        s.sweep.last,
		Generation:  s.program.Generation,
		Stages:      map[string]core.Tally{},
		Told:        maps.Clone(s.told),
		Script:      s.pastScript,
		TurnTime:    s.turnTime,
		TurnLengths: s.turnLengths,
	}
	st.Unrecorded = s.recorder.Skipped
	for _, r := range []*trace.Ring{s.tracer.sampled, s.tracer.ended} {
		k := r.Kept()
		st.Traces += k.Traces
		st.TraceBytes += k.Bytes
	}
	for name, t := range s.pastStages {
		st.Stages[name] = t
	}
	for _, p := range slices.Concat(s.retiring, s.programs()) {
		addStages(st.Stages, p)
		addScript(&st.Script, p)
	}
	return st
}

// queuedBytes sums up what waits for the clients, at most once a second: it
// looks at every session, however often it is asked for.
func (s *Shard) queuedBytes() int {
	if s.weighed != 0 && s.wheel.now-s.weighed < second {
		return s.queued
	}
	s.queued, s.weighed = 0, max(1, s.wheel.now)
	s.sessions.each(func(c *session) {
		if c.out != nil {
			s.queued += c.out.waiting()
		}
	})
	return s.queued
}

// Add adds another shard's numbers; Stages must not be nil.
func (st *Stats) Add(other *Stats) {
	st.Counts.add(&other.Counts)
	st.Connections += other.Connections
	st.QueuedBytes += other.QueuedBytes
	st.InFlight += other.InFlight
	st.Mailboxes += other.Mailboxes
	st.Pending += other.Pending
	st.RingBytes += other.RingBytes
	st.Traces += other.Traces
	st.TraceBytes += other.TraceBytes
	st.Oldest = max(st.Oldest, other.Oldest)
	st.Full.add(&other.Full)
	st.Generation = max(st.Generation, other.Generation)
	for code, n := range other.Told {
		if st.Told == nil {
			st.Told = map[string]uint64{}
		}
		st.Told[code] += n
	}
	for name, t := range other.Stages {
		sum := st.Stages[name]
		addTally(&sum, &t)
		st.Stages[name] = sum
	}
	addTallies(&st.Script, &other.Script)
	st.TurnTime += other.TurnTime
	for i, n := range other.TurnLengths {
		st.TurnLengths[i] += n
	}
}

func addStages(to map[string]core.Tally, p *core.Program) {
	for i := range p.Pipeline.Len() {
		name, t := p.Pipeline.Stage(i)
		sum := to[name]
		addTally(&sum, t)
		to[name] = sum
	}
}

func addTally(sum, t *core.Tally) {
	for v := range t.Verdicts {
		sum.Verdicts[v] += t.Verdicts[v]
	}
	sum.Errors += t.Errors
	sum.Timed += t.Timed
	sum.Spent += t.Spent
}

func subTally(t, before *core.Tally) {
	for v := range t.Verdicts {
		t.Verdicts[v] -= before.Verdicts[v]
	}
	t.Errors -= before.Errors
	t.Timed -= before.Timed
	t.Spent -= before.Spent
}

func addScript(to *core.ScriptTally, p *core.Program) {
	if p.Script != nil {
		addTallies(to, p.Script)
	}
}

func addTallies(sum, t *core.ScriptTally) {
	sum.Calls += t.Calls
	sum.Instructions += t.Instructions
	sum.Errors += t.Errors
	sum.Overruns += t.Overruns
	sum.Panics += t.Panics
}

func (c *Counts) add(o *Counts) {
	c.Opened += o.Opened
	c.Closed += o.Closed
	c.Left += o.Left
	c.Lost += o.Lost
	c.Replaced += o.Replaced
	c.Idle += o.Idle
	c.Slow += o.Slow
	c.Refused += o.Refused
	c.Protocol += o.Protocol
	c.Stalled += o.Stalled
	c.Drained += o.Drained
	c.Dismissed += o.Dismissed
	c.In += o.In
	c.InBytes += o.InBytes
	c.Published += o.Published
	c.Out += o.Out
	c.OutBytes += o.OutBytes
	c.Accepted += o.Accepted
	c.Filtered += o.Filtered
	c.Rejected += o.Rejected
	c.Failed += o.Failed
	c.Forbidden += o.Forbidden
	c.Malformed += o.Malformed
	c.NoRoute += o.NoRoute
	c.Offline += o.Offline
	c.Overflow += o.Overflow
	c.Unstored += o.Unstored
	c.Dropped += o.Dropped
	c.Held += o.Held
	c.Answers += o.Answers
	c.AnswersMissed += o.AnswersMissed
	c.LettersLost += o.LettersLost
	c.Panics += o.Panics
	c.HookErrors += o.HookErrors
	c.Reads += o.Reads
	c.Writes += o.Writes
	c.WireIn += o.WireIn
	c.WireOut += o.WireOut
	c.Unacked += o.Unacked
	c.Expired += o.Expired
	c.Limited += o.Limited
	c.Kept += o.Kept
	c.Settled += o.Settled
	c.Retries += o.Retries
	c.Repeats += o.Repeats
	c.RingFull += o.RingFull
	c.CommitsFailed += o.CommitsFailed
	c.Evicted += o.Evicted
	c.PagedIn += o.PagedIn
	c.Traced += o.Traced
	c.TracesSkipped += o.TracesSkipped
	c.TailMissed += o.TailMissed
	c.Unrecorded += o.Unrecorded
	for i := range c.Lapsed {
		c.Lapsed[i] += o.Lapsed[i]
	}
	c.Turns += o.Turns
	c.Stalls += o.Stalls
}
