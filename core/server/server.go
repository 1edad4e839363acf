// Package server speaks HTTP. The public listener upgrades WebSocket clients,
// hands each of them over to whoever serves it from there, and answers scrapes
// and probes; the admin listener serves the operators' API. Neither knows what
// a message is.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/apikey"
	"github.com/stratix-gateway/stratix/core/profile"
	"github.com/valyala/fasthttp"
)

// The values of Options.Transport.
const (
	Epoll     = "epoll"     // clients are handed over as descriptors, through Attach
	Goroutine = "goroutine" // a goroutine stays with each client, in Pump
)

// Reliable is the subprotocol of clients that acknowledge what they get.
const Reliable = "stratix.v1"

// Plain is the subprotocol of the others. Nobody needs to offer it but a browser
// that offers its token as one: it wants one of its offers to be selected.
const Plain = "stratix.plain"

const (
	headerBytes   = 12 << 10         // the request line and all headers: a token and 4 KiB
	bodyBytes     = 4 << 10          // no request but a publication may have a larger body
	idleTimeout   = 30 * time.Second // of an HTTP connection between requests
	answerTimeout = 30 * time.Second // for writing one response
	workerIdle    = time.Second      // before a goroutine of the HTTP side ends
	requestGrace  = time.Second      // for ending a request when the Server shuts down
)

// Options say what a Server does. All functions are required and may run on
// many goroutines at once; of Attach and Pump the one that Transport names is
// enough.
type Options struct {
	// MaxConnections and MaxPerAddress bound the upgraded connections that have
	// not left; 0 is no bound. An address is an IPv4 address or an IPv6 /64.
	// Clients of a unix socket have no address and count in all only.
	// As many again, but at least 64, may come from one address that are not
	// upgraded, if MaxPerAddress is a bound.
	MaxConnections, MaxPerAddress int
	// Certificate makes the public side speak TLS; nil for plain HTTP. Its clients
	// are pumped.
	Certificate *Certificate
	// Proxies may say whom they speak for: in X-Forwarded-For, and if ProxyProtocol
	// is set they must, in a PROXY header. The bound on connections of one address
	// that are not upgraded does not hold for them.
	Proxies       Proxies
	ProxyProtocol bool
	// HandshakeTimeout bounds reading one request; it must be positive.
	HandshakeTimeout time.Duration
	// Origins are allowed values of the Origin header, such as
	// "https://app.example.com" or "file://", besides the own host. "*" allows all.
	Origins []string
	// Deflate agrees to permessage-deflate, without context takeover.
	Deflate bool
	// Transport is Epoll or Goroutine.
	Transport string

	// Admit decides on a client before its upgrade and says in the Grant what it is
	// admitted with. Its error refuses the client: a *core.Denial says how. It may
	// block until ctx ends. nil admits everybody.
	Admit func(ctx context.Context, h *core.Handshake, g *core.Grant) error
	// Attach takes a client over and returns at once.
	Attach func(c Client)
	// Pump serves a client and returns when the connection is done. The Server
	// closes c.Conn then.
	Pump func(c Client)

	// Ready reports whether new clients are welcome.
	Ready func() bool
	// Metrics writes Prometheus text; admin is false where strangers can read it.
	Metrics func(w io.Writer, admin bool)
	// Status returns what GET /v1/status shows, encoded as JSON.
	Status func() any
	// Reload reads again what can change, the scripts through the gate of this name if
	// it is not "", and returns what was rejected.
	Reload func(gate string) error
	// Settings returns what GET /v1/settings shows, encoded as JSON.
	Settings func() any
	// Message returns what is known of the messages with this id, of a client or
	// of all if it is "", encoded as JSON. Only with data it may show previews of it.
	Message func(id, client string, data bool) any
	// Tail follows the messages that match the query; data is that of Message. An
	// error says what is wrong with the query, or wraps ErrBusy.
	Tail func(query url.Values, data bool) (Stream, error)
	// Live streams how the gateway is, a line a period, as the query has it. Errors
	// are those of Tail.
	Live func(query url.Values) (Stream, error)
	// Generations lists what is and was live; Generation returns the files of one,
	// by its number, its hash, or the word live. Both are encoded as JSON.
	Generations func() any
	Generation  func(name string) (any, error)
	// RollBack makes a former generation live: the one with this number or hash, or
	// the last good one for "".
	RollBack func(to string) error
	// Traffic is what clients have sent of late, as the query chooses it.
	Traffic func(query url.Values) (Stream, error)
	// Directory is about clients and groups.
	Directory Directory
	// Publish runs what is published through the pipeline. It returns the status and
	// the outcome, which is encoded as JSON; an error is a Problem.
	Publish func(Publication) (status int, outcome any, err error)
	// MaxMessage bounds one message, in bytes.
	MaxMessage int
	// Keys are those of the API. Tokens says what a token (JWT) in place of one is good
	// for; it may block until ctx ends, and its error is a *core.Denial. nil for none.
	Keys   Keyring
	Tokens func(ctx context.Context, text string) (apikey.Holder, error)
	// PublicPublish lets those who have a key publish on the public address, too.
	PublicPublish bool
	// PublicMetrics answers /metrics on the public address; else nothing is there.
	PublicMetrics bool
	// Profile samples the scripts until ctx ends and returns the report. One call
	// runs at a time.
	Profile func(ctx context.Context, format profile.Format) ([]byte, error)
	Log     *slog.Logger
}

// Client is an upgraded connection on its way to its shard; the receiver owns
// everything in it.
type Client struct {
	ID      string     // the ClientID, checked
	Remote  netip.Addr // invalid for clients of a unix socket
	Deflate bool       // permessage-deflate was agreed, without context takeover
	// Reliable says that the subprotocol Reliable was agreed.
	Reliable bool
	FD       int         // a duplicated, non-blocking descriptor; -1 where Conn is used
	Conn     net.Conn    // nil where FD is used
	Socket   net.Conn    // the socket under Conn
	Early    []byte      // bytes that came behind the handshake, to be read first; or nil
	Place    *Place      // the connection's place in the counts
	Grant    *core.Grant // what it was admitted with; nil for nothing
}

// Server serves any number of public and admin listeners. New makes one.
type Server struct {
	options       atomic.Pointer[Options] // as of now; what it points to is never written
	public, admin *fasthttp.Server
	api           fasthttp.RequestHandler // of the admin listeners
	upgrader      websocket.FastHTTPUpgrader
	counts        counts
	strangers     waiting // of the public listeners
	operators     waiting // of the admin listeners
	duplicate     func(net.Conn) (int, error)
	tls           *tls.Config // nil for none

	upgraded     atomic.Uint64
	refused      [refusals]atomic.Uint64
	complaint    [refusals]throttle
	suspicion    throttle
	turned       [2]throttle     // requests to the API that are refused: on the public side, on the admin side
	profiling    atomic.Bool     // Options.Profile runs
	admitting    context.Context // of Options.Admit: ends when Shutdown begins ...
	endAdmitting context.CancelFunc
	publishing   atomic.Int64 // bytes of the bodies at Options.Publish

	// handshakes counts the admitted clients whose hijack handler has not ended.
	handshakes sync.WaitGroup

	mu        sync.Mutex // guards what follows
	listeners []net.Listener
	shut      bool
}

// New makes a Server.
func New(opt Options) *Server {
	s := &Server{duplicate: duplicate}
	s.options.Store(&opt)
	s.admitting, s.endAdmitting = context.WithCancel(context.Background())
	s.bound(&opt)
	for _, w := range []*waiting{&s.strangers, &s.operators} { // descriptors may be short for both
		w.refused, w.log = &s.refused, opt.Log
	}
	s.operators.counts.bound(maxOperators, 0)
	s.strangers.trust = func(ip netip.Addr) bool { return s.opt().Proxies.trust(ip) }
	if opt.Certificate != nil {
		s.tls, s.strangers.mute = opt.Certificate.config(), true
	}
	s.upgrader = websocket.FastHTTPUpgrader{
		CheckOrigin:       func(*fasthttp.RequestCtx) bool { return true }, // it is checked before
		EnableCompression: true,                                            // whoever offers it: upgrade has a look before
		Subprotocols:      []string{Reliable, Plain},
		Error:             s.handshakeError,
		// The library's connection is thrown away right after the handshake:
		// the smallest buffer for reading, and none for writing.
		ReadBufferSize:  1,
		WriteBufferPool: new(sync.Pool),
	}
	s.api = s.newRouter().Handler
	s.public, s.admin = s.http(s.servePublic, false), s.http(s.serveAdmin, true)
	return s
}

func (s *Server) http(handler fasthttp.RequestHandler, admin bool) *fasthttp.Server {
	return &fasthttp.Server{
		Handler:      s.answering(handler),
		ErrorHandler: badRequest,
		Logger:       quiet{s.opt().Log},
		// Those who made way need a moment to end.
		Concurrency:           2 * maxHandshakes,
		ReadBufferSize:        headerBytes,
		ReadTimeout:           s.opt().HandshakeTimeout,
		WriteTimeout:          answerTimeout,
		IdleTimeout:           idleTimeout,
		MaxIdleWorkerDuration: workerIdle,
		MaxRequestBodySize:    bodyBytes,
		HeaderReceived:        s.room(admin),
		NoDefaultServerHeader: true,
		NoDefaultContentType:  true,
		// Whoever has sent nothing yet has no buffers.
		ReduceMemoryUsage:            true,
		DisablePreParseMultipartForm: true,
		SecureErrorLogMessage:        true,
	}
}

// ServePublic serves clients, scrapes and probes until Shutdown, then returns
// nil. It closes ln.
func (s *Server) ServePublic(ln net.Listener) error {
	return s.serve(s.public, &s.strangers, ln, s.wrap)
}

// wrap is what a connection of the public side becomes.
func (s *Server) wrap(c net.Conn) net.Conn {
	if opt := s.opt(); opt.ProxyProtocol && opt.Proxies.trust(remote(c.RemoteAddr())) {
		c = behind(c)
	}
	if s.tls != nil {
		c = &secure{tls.Server(c, s.tls)}
	}
	return c
}

// ServeAdmin serves the operators' API until Shutdown, then returns nil. It
// closes ln, which must be a unix socket or on a loopback address: without keys and
// tokens the API asks for no credentials.
func (s *Server) ServeAdmin(ln net.Listener) error {
	if err := checkPrivate(ln.Addr()); err != nil {
		return errors.Join(fmt.Errorf("serve admin on %s: %w", ln.Addr(), err), ln.Close())
	}
	return s.serve(s.admin, &s.operators, ln, nil)
}

func (s *Server) serve(h *fasthttp.Server, w *waiting, ln net.Listener, wrap func(net.Conn) net.Conn) error {
	s.mu.Lock()
	if s.shut {
		s.mu.Unlock()
		return ln.Close()
	}
	s.listeners = append(s.listeners, ln)
	s.mu.Unlock()
	if err := h.Serve(&listener{Listener: ln, waiting: w, handshakes: &s.handshakes, wrap: wrap, log: s.opt().Log}); err != nil {
		return fmt.Errorf("serve on %s: %w", ln.Addr(), err)
	}
	return nil
}

// Shutdown closes the listeners, ends idle HTTP connections, and waits for the
// requests in progress and for Attach and Pump to return: no client is handed
// over after a nil error. Otherwise it returns the error of ctx. A public
// connection whose request has not ended after a second is closed.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.shut = true
	s.endAdmitting()
	for _, ln := range s.listeners {
		_ = ln.Close()
	}
	s.mu.Unlock()

	defer time.AfterFunc(requestGrace, s.strangers.cut).Stop()
	var errs [2]error
	var both sync.WaitGroup
	both.Go(func() { errs[0] = s.public.ShutdownWithContext(ctx) })
	both.Go(func() { errs[1] = s.admin.ShutdownWithContext(ctx) })
	both.Wait()
	for _, err := range errs {
		if err != nil && !errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("shut down: %w", err)
		}
	}

	done := make(chan struct{})
	go func() {
		s.handshakes.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("shut down: %w", ctx.Err())
	}
}
