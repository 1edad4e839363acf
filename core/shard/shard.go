package shard

import (
	"context"
	"hash/maphash"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/arena"
	"github.com/stratix-gateway/stratix/core/frame"
	"github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/record"
	"github.com/stratix-gateway/stratix/core/ruling"
	"github.com/stratix-gateway/stratix/core/traffic"
	"github.com/stratix-gateway/stratix/core/wire"
)

// Options are the bounds of all shards.
type Options struct {
	Shards       int
	MaxMessage   int           // bytes of a client's message, after inflating
	PingEvery    time.Duration // of silence, after which a client is pinged
	IdleTimeout  time.Duration // of silence, after which it is closed
	StallTimeout time.Duration // for a message to arrive completely
	QueueBytes   int           // that may wait for one client
	QueuePolicy  Policy
	DeflateAbove int // bytes from which messages are compressed for those who can; 0 never

	Ring            *core.Ring       // bounds of what is kept
	Journal         *journal.Journal // what is on disk; nil for nothing
	Window          int              // messages that a reliable client may leave unacknowledged
	AckTimeout      time.Duration    // for an acknowledgement, after which it is closed
	Sessions        int              // mailboxes of a shard
	SessionLifetime int64            // seconds that an offline reliable client is a member of its groups
	SeenMessages    int              // of a shard's deduplication window
	SeenAge         uint32           // seconds that they are in it at the most

	TraceEvery int // of so many messages one leaves a trace; 0 for none
	TraceBytes int // of a shard for traces
	TraceData  int // bytes of the data that a trace shows

	Budget int // Lua instructions of a call; 0 leaves what the programs were made with
	Heavy  int // more Lua instructions of a message speak against its generation

	RecordBytes int // that a shard keeps of what clients have sent

	// Renew looks at a token that a connected client has brought, as core.Renewer
	// does; it runs on goroutines of the set. nil takes none.
	Renew func(ctx context.Context, h *core.Handshake, g *core.Grant) error

	Log *slog.Logger
	// Released is called when a shard has let a generation go: it is no longer
	// live there and holds no message. It runs on the shard's goroutine.
	Released func(generation uint32)

	pager *pager
	clerk *clerk
}

// shared is what the shards of a set count together.
type shared struct {
	messages atomic.Int64  // leased of core.Ring.Messages
	memory   *arena.Budget // leased of core.Ring.Bytes
	entries  *arena.Budget // without a bound of its own: the messages bound it
}

func newShared(opt Options) *shared {
	return &shared{
		memory:  arena.NewBudget(opt.Ring.Bytes.Load),
		entries: arena.NewBudget(func() int64 { return math.MaxInt64 }),
	}
}

// Shard is one event loop. Everything in it but the inbox and the stack of
// returned batches belongs to its goroutine.
type Shard struct {
	index int
	opt   Options
	seed  maphash.Seed
	poll  *poller
	inbox inbox

	sessions     slab
	dir          directory
	wheel        wheel
	flights      flights
	delays       delays
	publications publications
	count        Counts
	told         map[string]uint64 // errors that senders were told, by code
	untraced     int               // messages until the next that may get a trace; below 1 for none
	tracer       tracer
	pulse        *pulse // nil while nobody watches
	program      *core.Program
	canary       canary
	talkers      int // sessions with talks
	recorder     *traffic.Recorder
	retiring     []*core.Program // not live any more, with messages still held
	samples      *core.Samples   // where the scripts note what they do; nil while nobody asks

	// What is kept.
	boxes    map[string]*mailbox
	boxList  []*mailbox
	arena    *arena.Arena
	memory   *arena.Budget // of all shards' arenas
	entries  *arena.Pool[entry]
	bounds   bounds
	senders  senders
	seen     *seen
	seeds    *keySeeds
	added    uint64 // to seen, ever
	eras     []era
	segments tally
	lates    map[uint32]lateNote // by entry; one leads to the next
	sweep    sweep
	random   *rand.Rand

	// The log. filling is being filled, flying is being written, one of the latter
	// and spare is nil.
	filling, flying, spare *commit
	head                   uint32        // the segment that the last commit went to
	oldestHome             uint32        // of the mailboxes, as of the last round of sweep
	needed                 atomic.Uint32 // the oldest segment that the shard needs
	lastCommit             uint32        // tick
	failing                bool          // the last commit failed
	refusedAt              uint32        // tick at which it was logged that messages are refused
	relief                 relief
	safe                   stored // how well what the log has is kept, as of the last commit

	peers       []peer
	returned    stack     // batches that peers have unpacked
	blanks      *parcel   // those taken back ...
	blankCount  int       // ... how many ...
	leastBlanks int       // ... and the fewest of them since the last tick
	batches     []*parcel // from peers, not yet unpacked; oldest first

	// The turn.
	turn        uint32
	stamp       uint32 // of the message being given
	unixMillis  int64
	elapsed     int64    // milliseconds since the shard began
	stuck       bool     // a peer is too far behind: no socket is read
	consuming   *session // whose input consume is at: that buffer must stay as it is
	dirty       []*session
	doomed      []*session
	ready       []readyRef
	readyNow    []readyRef
	deliveries  []delivery
	receipts    []receipt
	given       int // messages given to mailboxes
	hungry      []*mailbox
	unread      []*mailbox // whose letters are asked for again at the next tick
	settled     []*mailbox // whose acknowledgements are not in the log yet
	untold      []untold
	passing     uint32       // the entry that is passed on ...
	passingLost record.Cause // ... and why it was lost meanwhile
	composed    arena.Ref    // the block of which envelope is the body; 0 for none
	recovering  arena.Ref    // the block of the record that is recovered

	// Buffers that every message uses again.
	buf        []byte // what a socket read returns
	frames     *frame.Reader
	deflater   *frame.Deflater
	parser     *wire.Parser
	frame      wire.Frame
	msg        *core.Message
	body       []byte // encoded envelope without its head
	text       []byte // a control message being composed
	reader     ruling.Reader
	targets    []core.Target   // of an unpacked entry
	parts      [][]core.Target // targets by shard
	ups        []core.Target   // those that are upstreams
	blankPosts                 // those to be used again
	gone       []mark
	tail       []byte // what dropOldest moves
	outbounds  []*outbound
	kept       int    // their bytes
	position   uint64 // where the next outbound begins; see outbound
	inputs     []*inbound
	keeping    keeping
	out        record.Letter
	envelope   []byte
	pagedBody  []byte
	acked      []wire.Range
	ranges     []record.Range
	gaps       []wire.Gap
	stateBuf   record.State
	read       record.Record

	pingTicks, idleTicks, stallTicks, ackTicks uint32

	complained uint32 // tick of the last complaint in the log; 0 for none
	unsaid     int    // complaints since then
	queued     int    // bytes not yet written to clients ...
	weighed    uint32 // ... at this tick; 0 if that was never asked for

	began       time.Time
	ticked      time.Time // when on_tick ran last
	turnTime    time.Duration
	turnLengths [turnBuckets]uint64
	pastStages  map[string]core.Tally
	pastScript  core.ScriptTally
	draining    *drain
	stopped     bool
}

// leaseShare is how many messages a shard leases from the bound of all at a time.
const leaseShare = 256

func newShard(index int, opt Options, seed maphash.Seed, all *shared, program *core.Program) (*Shard, error) {
	poll, err := newPoller()
	if err != nil {
		return nil, err
	}
	s := &Shard{
		index: index, opt: opt, seed: seed, poll: poll, program: program,
		dir:        newDirectory(),
		recorder:   traffic.NewRecorder(opt.RecordBytes, recordTick),
		buf:        make([]byte, readBytes),
		frames:     frame.NewReader(frame.Config{MaxMessage: opt.MaxMessage}),
		deflater:   frame.NewDeflater(),
		parser:     wire.NewParser(),
		msg:        &core.Message{},
		parts:      make([][]core.Target, opt.Shards),
		pastStages: map[string]core.Tally{},

		boxes:   map[string]*mailbox{},
		arena:   arena.New(all.memory),
		memory:  all.memory,
		entries: arena.NewPool[entry](all.entries),
		bounds:  bounds{ring: opt.Ring, shared: all, share: leaseShare},
		seen:    newSeen(opt.SeenMessages, opt.SeenAge),
		seeds:   newKeySeeds(),
		lates:   map[uint32]lateNote{},
		told:    map[string]uint64{},
		senders: senders{byName: map[string]uint32{}},
		random:  rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
		filling: &commit{number: 1}, spare: &commit{},
	}
	s.setTicks()
	program.Toll.Most = opt.Heavy
	s.tracer = newTracer(&s.opt, s.random)
	s.untraced = s.tracer.interval()
	s.tracer.passing = s.untraced
	for _, c := range []*commit{s.filling, s.spare} {
		c.Done = func(*journal.Batch) { s.inbox.post(&parcel{kind: parcelCommit, commit: c}) }
	}
	s.relief.Done = func(*journal.Batch) { s.inbox.post(&parcel{kind: parcelRelief}) }
	s.wheel.init()
	s.inbox.wake = poll.wake
	return s, nil
}

// seconds is this turn's time for the deduplication window.
func (s *Shard) seconds() uint32 { return uint32(s.unixMillis / 1000) }
