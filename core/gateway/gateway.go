// Package gateway assembles a running gateway: where scripts come from, the
// shards that serve clients, the HTTP server in front, and what operators see.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/apikey"
	"github.com/stratix-gateway/stratix/core/apitoken"
	"github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/kv"
	"github.com/stratix-gateway/stratix/core/metric"
	"github.com/stratix-gateway/stratix/core/server"
	"github.com/stratix-gateway/stratix/core/shard"
	"github.com/stratix-gateway/stratix/core/upstream"
)

// Options are everything that a gateway is started with.
type Options struct {
	Version string
	Listen  string     // public address
	Admin   string     // operators' address: loopback, or unix:PATH; "" for none
	Scripts string     // folder
	Data    string     // folder; "" keeps nothing on disk
	Files   journal.FS // file layer of the log; nil for the real one
	Load    Loader
	Test    Tester // nil: there are no tests
	Gate    Gate
	Budget  int // Lua instructions of a message; what Load takes

	ShadowMessages       int           // that a shadow run looks at, at the most
	ShadowErrors         float64       // part of them that may newly fail
	RecordBytes          int           // for what clients have sent of late
	Canary               float64       // part of the clients that have a generation first; 0 for none
	RollbackWindow       time.Duration // for which a generation is on trial; 0 for no trials
	RollbackErrors       float64       // part of the messages that may fail, above that of the generation before
	RollbackInstructions float64       // part of Budget that one message in 100 may take
	RollbackClients      int           // for so many clients something must fail, or be heavy; core.MostClients at the most

	Shards           int
	Transport        string // server.Epoll or server.Goroutine
	MaxConnections   int
	MaxPerAddress    int
	MaxMessage       int
	HandshakeTimeout time.Duration
	StallTimeout     time.Duration
	PingEvery        time.Duration
	IdleTimeout      time.Duration
	DrainTimeout     time.Duration
	QueueBytes       int
	QueuePolicy      shard.Policy
	Window           int           // messages that a reliable client may leave unacknowledged
	AckTimeout       time.Duration // for an acknowledgement
	Sessions         int           // ClientIDs that something is kept for
	SessionLifetime  time.Duration // for which an offline reliable client is in its groups
	SeenMessages     int           // of the deduplication window
	SeenAge          time.Duration // that they are in it at the most
	TraceEvery       int           // of so many messages one leaves a trace; 0 for none
	TraceBytes       int           // for traces in all
	TraceData        int           // bytes of the data that a trace shows
	Deflate          bool
	DeflateAbove     int
	Origins          []string
	Certificate      *server.Certificate // nil for none
	Proxies          server.Proxies
	ProxyProtocol    bool
	KV               kv.Limits        // of the values that scripts share
	Keys             *apikey.File     // of the API; nil for none
	Tokens           *apitoken.Tokens // of the API; nil for none
	PublicPublish    bool             // with a key or a token, also on the public address
	PublicMetrics    bool             // on the public address
	InsecureOpen     bool             // the operator knows that anybody may connect
	Summary          time.Duration    // period of the summary line; 0 for none
	Log              *slog.Logger
	Level            slog.Level     // of Log ...
	LevelVar         *slog.LevelVar // ... which is set where it changes; nil: it does not

	Settings Settings // what of all this the operator has said, and may say anew
}

// Gateway is one running gateway. Open makes it, Run serves until told to stop.
type Gateway struct {
	options   atomic.Pointer[Options] // as of now; what it points to is never written
	settings  settings
	log       *slog.Logger
	dir       string // the scripts folder, absolute
	env       *core.Env
	states    *states // that env lends
	ring      *core.Ring
	kv        *kv.Store        // of the scripts
	metrics   *metric.Registry // of the scripts
	upstreams *upstream.Registry
	journal   *journal.Journal // nil without a data folder
	shards    *shard.Set
	server    *server.Server
	public    net.Listener
	admin     net.Listener
	started   time.Time
	ready     atomic.Bool
	ending    context.Context // ends when the shutdown begins ...
	end       context.CancelFunc

	admitters atomic.Pointer[[]core.Admitter] // of the live generation
	scripts   scripts
	consoles  consoles

	run       sync.Mutex // guards what follows: a reload need not wait for the recovery
	sync      core.Sync  // of the journal
	recovered bool       // the journal runs

	certificateError atomic.Pointer[string] // of the last look at its files
	keysFailing      atomic.Bool            // Options.Keys could not be read at the last look

	keys      sync.Mutex // guards what follows, and is held while Options.Keys is read
	keysError string     // the last, while it lasts
}

// Open loads the scripts, starts the shards and listens. Nothing is served
// until Run.
func Open(opt Options) (*Gateway, error) {
	g := &Gateway{log: opt.Log, started: time.Now()}
	g.ending, g.end = context.WithCancel(context.Background())
	g.ring = core.NewRing()
	g.kv, g.metrics = kv.New(opt.KV), metric.NewRegistry(opt.Shards)
	g.upstreams = upstream.NewRegistry(opt.Log)
	g.states = newStates(map[string]any{kv.State: g.kv, metric.State: g.metrics, upstream.State: g.upstreams})
	g.env = &core.Env{Shards: opt.Shards, Log: opt.Log, Ring: g.ring, Disk: g.configureDisk,
		State: g.states.get}
	var err error
	if g.dir, err = filepath.Abs(opt.Scripts); err != nil {
		return nil, fmt.Errorf("scripts folder: %w", err)
	}
	if opt.Data != "" {
		if opt.Data, err = filepath.Abs(opt.Data); err != nil {
			return nil, fmt.Errorf("data folder: %w", err)
		}
		if err := os.MkdirAll(opt.Data, 0o750); err != nil {
			return nil, fmt.Errorf("data folder: %w", err)
		}
	}
	g.options.Store(&opt)
	g.settings.begin(opt.Settings)
	// Listening comes first: a port in use is said before anything is started.
	if g.public, err = server.Listen(opt.Listen); err != nil {
		return nil, err
	}
	if opt.Admin != "" {
		if g.admin, err = server.ListenAdmin(opt.Admin); err != nil {
			return nil, errors.Join(err, g.public.Close())
		}
	}
	if err := g.start(); err != nil {
		g.closeListeners()
		g.upstreams.Close(context.Background()) // nobody has posted anything
		return nil, errors.Join(err, g.closeJournal())
	}
	return g, nil
}

func (g *Gateway) start() error {
	if err := g.openJournal(); err != nil {
		return err
	}
	gen, err := g.firstGeneration()
	if err != nil {
		return err
	}
	g.shards, err = shard.New(g.shardOptions(g.opt()), gen)
	if err != nil {
		return err
	}
	g.server = server.New(g.serverOptions(g.opt()))
	return nil
}

// Addr is the public address that the gateway listens on.
func (g *Gateway) Addr() net.Addr { return g.public.Addr() }

// AdminAddr is the operators' address, or nil.
func (g *Gateway) AdminAddr() net.Addr {
	if g.admin == nil {
		return nil
	}
	return g.admin.Addr()
}

// Run serves until ctx ends, then shuts down: not ready first, a goodbye to
// every client, their connections closed one after the other, and everything
// given back. It returns nil when all that fitted into DrainTimeout.
func (g *Gateway) Run(ctx context.Context) error {
	failed := make(chan error, 4)
	var background sync.WaitGroup
	watch, stopWatching := context.WithCancel(context.Background())
	defer stopWatching()

	err := g.startTokens(watch)
	background.Go(func() { failed <- g.server.ServePublic(g.public) })
	if g.admin != nil {
		background.Go(func() { failed <- g.server.ServeAdmin(g.admin) })
	}
	err = errors.Join(err, g.recover())
	g.shards.Run()
	if err == nil {
		background.Go(func() {
			if err := g.watchScripts(watch); err != nil {
				failed <- err
			}
		})
		background.Go(func() { g.summarize(watch) })
		background.Go(func() { g.trim(watch) })
		background.Go(func() { g.watchKeys(watch) })
		background.Go(func() { g.release(watch) })
		background.Go(func() { g.watchCertificate(watch) })
		background.Go(func() { g.watchSettings(watch) })

		g.ready.Store(true)
		g.announce()
		select {
		case <-ctx.Done():
		case err = <-failed:
		}
	}
	g.end() // consoles say that the gateway drains; and tails would hold up the HTTP server
	g.ready.Store(false)
	stopWatching()
	err = errors.Join(err, g.shutdown())
	background.Wait()
	g.stopTokens()
	return err
}

// shutdown lets the clients go and stops everything.
func (g *Gateway) shutdown() error {
	began := time.Now()
	within := g.opt().DrainTimeout
	g.log.Info("shutting down: saying goodbye to all clients", "within", within.String())
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	// The clients are told to go over half of the time; who is left near its end
	// is cut off.
	err := g.shards.Drain(ctx, within/2, within*4/5)
	err = errors.Join(err, g.server.Shutdown(ctx))
	g.scripts.freeze()
	g.closeUpstreams(ctx)
	g.shards.Stop()
	err = errors.Join(err, g.scripts.close(), g.closeJournal())
	if err != nil {
		g.log.Error("shut down, not cleanly", "took", time.Since(began).String(), "error", err)
		return fmt.Errorf("shutdown: %w", err)
	}
	g.log.Info("shut down", "took", time.Since(began).String())
	return nil
}

func (g *Gateway) closeListeners() {
	_ = g.public.Close()
	if g.admin != nil {
		_ = g.admin.Close()
	}
}
