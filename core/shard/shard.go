package shard

import (
	"hash/maphash"
	"log/slog"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/frame"
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
	Log          *slog.Logger
	// Released is called when a shard has let a generation go: it is no longer
	// live there and holds no message. It runs on the shard's goroutine.
	Released func(generation uint32)
}

// Shard is one event loop. Everything in it but the inbox and the stack of
// returned batches belongs to its goroutine.
type Shard struct {
	index int
	opt   Options
	seed  maphash.Seed
	poll  *poller
	inbox inbox

	sessions slab
	dir      directory
	wheel    wheel
	flights  flights
	count    Counts
	program  *core.Program
	retiring []*core.Program // not live any more, with messages still held

	peers      []peer
	returned   stack     // batches that peers have unpacked
	blanks     *parcel   // those taken back ...
	batches    []*parcel // from peers, not yet unpacked; oldest first
	blankCount int       // ... and how many

	// The turn.
	turn       uint32
	stamp      uint32 // of the message being given
	unixMillis int64
	stuck      bool     // a peer is too far behind: no socket is read
	consuming  *session // whose input consume is at: that buffer must stay as it is
	dirty      []*session
	doomed     []*session
	ready      []readyRef
	readyNow   []readyRef
	deliveries []delivery
	receipts   []receipt

	// Buffers that every message uses again.
	buf       []byte // what a socket read returns
	frames    *frame.Reader
	deflater  *frame.Deflater
	parser    *wire.Parser
	frame     wire.Frame
	msg       *core.Message
	body      []byte          // encoded envelope without its head
	text      []byte          // a control message being composed
	names     []byte          // unescaped names of the targets
	own       []core.Target   // the client's own targets
	targets   []core.Target   // of an unpacked entry
	parts     [][]core.Target // targets by shard
	groups    []string        // of a type 8 or 9 frame
	gone      []mark
	tail      []byte // what dropOldest moves
	outbounds []*outbound
	kept      int    // their bytes
	position  uint64 // where the next outbound begins; see outbound
	inputs    []*inbound

	pingTicks, idleTicks, stallTicks uint32

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

func newShard(index int, opt Options, seed maphash.Seed, program *core.Program) (*Shard, error) {
	poll, err := newPoller()
	if err != nil {
		return nil, err
	}
	s := &Shard{
		index: index, opt: opt, seed: seed, poll: poll, program: program,
		dir:        newDirectory(),
		buf:        make([]byte, readBytes),
		frames:     frame.NewReader(frame.Config{MaxMessage: opt.MaxMessage}),
		deflater:   frame.NewDeflater(),
		parser:     wire.NewParser(),
		msg:        &core.Message{},
		parts:      make([][]core.Target, opt.Shards),
		pingTicks:  ticks(opt.PingEvery),
		idleTicks:  ticks(opt.IdleTimeout),
		stallTicks: ticks(opt.StallTimeout),
		pastStages: map[string]core.Tally{},
	}
	s.wheel.init()
	s.inbox.wake = poll.wake
	return s, nil
}
