package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/gateway"
	"github.com/stratix-gateway/stratix/core/server"
	_ "github.com/stratix-gateway/stratix/plugins/all" // the stages
)

type serveCmd struct {
	Listen   string `help:"Address for clients: HOST:PORT or unix:PATH; unix:PATH,mode=660 lets the group in." default:":8080" env:"STRATIX_LISTEN" group:"Where"`
	Admin    string `help:"Address for operators: loopback HOST:PORT, unix:PATH, or 'off'." default:"127.0.0.1:8081" env:"STRATIX_ADMIN" group:"Where"`
	Scripts  string `help:"Folder with main.lua; it is watched, and each save goes live." default:"scripts/routes" env:"STRATIX_SCRIPTS" group:"Where"`
	Settings string `help:"File with lines such as max-connections = 50000: the names of these flags, for what is not said by a flag or in the environment. It is watched; what can change applies at once." placeholder:"FILE" env:"STRATIX_SETTINGS" group:"Where"`
	Data     string `help:"Folder for what must survive a restart: kept messages, the last scripts that worked. One gateway uses it at a time." default:"data" env:"STRATIX_DATA" group:"Where"`

	MaxConnections   int           `help:"Connections in all." default:"100000" env:"STRATIX_MAX_CONNECTIONS" group:"Limits"`
	MaxPerAddress    int           `help:"Connections from one address (IPv6: one /64); 0 for no limit." default:"0" env:"STRATIX_MAX_PER_ADDRESS" group:"Limits"`
	MaxMessage       core.Bytes    `help:"Size of a client's message." default:"64KiB" env:"STRATIX_MAX_MESSAGE" group:"Limits"`
	HandshakeTimeout time.Duration `help:"Time for a client to send its request." default:"10s" env:"STRATIX_HANDSHAKE_TIMEOUT" group:"Limits"`
	MessageTimeout   time.Duration `help:"Time for a message to arrive completely." default:"10s" env:"STRATIX_MESSAGE_TIMEOUT" group:"Limits"`
	PingEvery        time.Duration `help:"Silence after which a client is pinged." default:"30s" env:"STRATIX_PING_EVERY" group:"Limits"`
	IdleTimeout      time.Duration `help:"Silence after which a client is closed; a pong breaks it." default:"75s" env:"STRATIX_IDLE_TIMEOUT" group:"Limits"`
	QueueBytes       core.Bytes    `help:"What may wait for one client that reads slowly." default:"256KiB" env:"STRATIX_QUEUE_BYTES" group:"Limits"`
	QueuePolicy      string        `help:"When that is full: ${enum}." enum:"drop_oldest,reject,disconnect" default:"drop_oldest" env:"STRATIX_QUEUE_POLICY" group:"Limits"`
	Window           int           `help:"Messages that a client of stratix.v1 may leave unacknowledged." default:"512" env:"STRATIX_WINDOW" group:"Limits"`
	AckTimeout       time.Duration `help:"Time for such a client to acknowledge a message, after which it is closed." default:"30s" env:"STRATIX_ACK_TIMEOUT" group:"Limits"`
	SessionLifetime  time.Duration `help:"Time for which such a client stays in its groups, and is reached by its prefixes, while it is offline." default:"24h" env:"STRATIX_SESSION_LIFETIME" group:"Limits"`
	MaxSessions      int           `help:"ClientIDs that something is kept for; past it the one that was away longest is forgotten, if nothing waits for it." default:"1000000" env:"STRATIX_MAX_SESSIONS" group:"Limits"`
	DedupWindow      time.Duration `help:"Time for which a messageId that comes again is known." default:"10m" env:"STRATIX_DEDUP_WINDOW" group:"Limits"`
	DedupMessages    int           `help:"Deliveries that are known at the most, for that." default:"250000" env:"STRATIX_DEDUP_MESSAGES" group:"Limits"`
	Budget           int           `help:"Lua instructions for one message." default:"100000" env:"STRATIX_BUDGET" group:"Limits"`
	KvEntries        int           `help:"Values that scripts share with stratix.kv." default:"100000" env:"STRATIX_KV_ENTRIES" group:"Limits"`
	KvBytes          core.Bytes    `help:"Their keys and strings, and 64 bytes for each." default:"16MiB" env:"STRATIX_KV_BYTES" group:"Limits"`

	TLSCert        string   `name:"tls-cert" help:"PEM file with the certificate chain, leaf first: the public address speaks TLS then. It is read again when it changes." placeholder:"FILE" env:"STRATIX_TLS_CERT" group:"Clients"`
	TLSKey         string   `name:"tls-key" help:"PEM file with its key." placeholder:"FILE" env:"STRATIX_TLS_KEY" group:"Clients"`
	TrustedProxies []string `help:"Addresses and networks of proxies whose X-Forwarded-For is taken for true; 'unix' for whoever reaches a unix socket." placeholder:"CIDR" env:"STRATIX_TRUSTED_PROXIES" group:"Clients"`
	ProxyProtocol  bool     `help:"Connections from these proxies begin with a PROXY header, version 1 or 2." env:"STRATIX_PROXY_PROTOCOL" group:"Clients"`

	Origins        []string   `help:"Web origins that may connect, besides pages of this host, such as https://app.example.com; file:// for Electron, '*' for all." env:"STRATIX_ORIGINS" group:"Clients"`
	Keys           string     `help:"File with the keys of the HTTP API (stratix key new); without it and --api-jwks the admin address alone answers, and asks for none." placeholder:"FILE" env:"STRATIX_KEYS" group:"Clients"`
	APIJWKS        string     `name:"api-jwks" help:"Keys of those whose tokens (JWT) are taken in place of a key of the HTTP API: the https URL of a JWK set, or a file (PEM, JWK, JWK set)." placeholder:"URL|FILE" env:"STRATIX_API_JWKS" group:"Clients"`
	APIAudience    string     `name:"api-audience" help:"What aud must hold in these tokens. Choose what no token for a client has." placeholder:"TEXT" env:"STRATIX_API_AUDIENCE" group:"Clients"`
	APIIssuer      string     `name:"api-issuer" help:"What iss must be in these tokens." placeholder:"TEXT" env:"STRATIX_API_ISSUER" group:"Clients"`
	APIAlgorithms  []string   `name:"api-algorithms" help:"What they may be signed with." default:"RS256,ES256,EdDSA" env:"STRATIX_API_ALGORITHMS" group:"Clients"`
	APIScopePrefix string     `name:"api-scope-prefix" help:"What stands in front of publish, read and admin in their claim scope." default:"stratix:" env:"STRATIX_API_SCOPE_PREFIX" group:"Clients"`
	PublicPublish  bool       `help:"Who has a key or such a token may publish on the clients' address too: POST /v1/publish." env:"STRATIX_PUBLIC_PUBLISH" group:"Clients"`
	PublicMetrics  bool       `help:"/metrics on the clients' address too, without what names a client or the process." default:"true" negatable:"" env:"STRATIX_PUBLIC_METRICS" group:"Clients"`
	InsecureOpen   bool       `help:"It is meant that anybody who reaches the address may connect under any ClientID." env:"STRATIX_INSECURE_OPEN" group:"Clients"`
	Deflate        bool       `help:"Agree to permessage-deflate." default:"true" negatable:"" env:"STRATIX_DEFLATE" group:"Clients"`
	DeflateAbove   core.Bytes `help:"Compress messages from this size on." default:"1KiB" env:"STRATIX_DEFLATE_ABOVE" group:"Clients"`

	Gate                 string        `help:"How far a save must come before it goes live: ${enum}. Each is with those before." enum:"load,test,shadow" default:"shadow" env:"STRATIX_GATE" group:"Scripts"`
	ShadowMessages       int           `help:"Messages of late that a shadow run takes, at the most." default:"10000" env:"STRATIX_SHADOW_MESSAGES" group:"Scripts"`
	ShadowErrors         share         `help:"Part of these that may fail without having failed before." default:"1%" env:"STRATIX_SHADOW_ERRORS" group:"Scripts"`
	RecordBytes          core.Bytes    `help:"Memory for what clients have sent of late, in all: for shadow runs and replays. 0 for none." default:"2MiB" env:"STRATIX_RECORD_BYTES" group:"Scripts"`
	Canary               share         `help:"Part of the clients that have a save before the others, for --rollback-window; 0% for none." default:"0%" env:"STRATIX_CANARY" group:"Scripts"`
	RollbackWindow       time.Duration `help:"Time for which a save is on trial: where it fails, what was live before comes back. 0 for no trials." default:"30s" env:"STRATIX_ROLLBACK_WINDOW" group:"Scripts"`
	RollbackErrors       share         `help:"Part of the messages that may fail meanwhile, above what failed before." default:"5%" env:"STRATIX_ROLLBACK_ERRORS" group:"Scripts"`
	RollbackClients      int           `help:"Clients for whom that must be so; 1 lets each of them have a save taken back. Of fewer that send anything, all." default:"3" env:"STRATIX_ROLLBACK_CLIENTS" group:"Scripts"`
	RollbackInstructions share         `help:"Part of --budget that one message in 100 may take meanwhile." default:"50%" env:"STRATIX_ROLLBACK_INSTRUCTIONS" group:"Scripts"`

	Shards       int           `help:"Event loops; 0 for one a processor." default:"0" env:"STRATIX_SHARDS" group:"Running"`
	Transport    string        `help:"How sockets are served: ${enum}. 'auto' is epoll where there is one." enum:"auto,epoll,goroutine" default:"auto" env:"STRATIX_TRANSPORT" group:"Running"`
	ScriptEnv    []string      `help:"Environment variables that scripts may read with stratix.env, by their names; what they hold is never logged." placeholder:"NAME" env:"STRATIX_SCRIPT_ENV" group:"Running"`
	DrainTimeout time.Duration `help:"Time to let the clients go after SIGTERM." default:"10s" env:"STRATIX_DRAIN_TIMEOUT" group:"Running"`
	Summary      time.Duration `help:"Period of the summary line in the log; 0 for none." default:"30s" env:"STRATIX_SUMMARY" group:"Running"`
	ExplainRate  int           `help:"One message in so many leaves a trace for stratix explain; 1 for all, 0 for none." default:"64" env:"STRATIX_EXPLAIN_RATE" group:"Running"`
	ExplainBytes core.Bytes    `help:"Memory for traces in all, at least 64 KiB for each event loop." default:"1MiB" env:"STRATIX_EXPLAIN_BYTES" group:"Running"`
	ExplainData  core.Bytes    `help:"Bytes of a message's data that a trace shows; 0 for none, only sizes and the names of changed members." default:"0" env:"STRATIX_EXPLAIN_DATA" group:"Running"`
	LogFormat    string        `help:"${enum}." enum:"text,json" default:"text" env:"STRATIX_LOG_FORMAT" group:"Running"`
	LogLevel     string        `help:"${enum}." enum:"debug,info,warn,error" default:"info" env:"STRATIX_LOG_LEVEL" group:"Running"`

	said *said // how it was said; set while the command line is read
}

// Help is shown by stratix serve --help.
func (serveCmd) Help() string {
	return `Serves WebSocket clients at /ws?clientId=..., and /healthz, /readyz and (without --no-public-metrics) /metrics beside it.
The admin address has /v1/status, POST /v1/reload, /v1/messages/ID, /v1/tail, /v1/profile and more, for the other commands.

Examples:
  stratix serve
  stratix serve --listen 127.0.0.1:9000 --scripts /etc/stratix/routes --data /var/lib/stratix
  stratix serve --script-env ORDERS_URL,API_KEY
  stratix serve --settings /etc/stratix/settings
  STRATIX_LOG_FORMAT=json stratix serve --admin unix:/run/stratix/admin.sock
  stratix key new --name ci --scope publish,read --keys /etc/stratix/keys && stratix serve --keys /etc/stratix/keys
  stratix serve --api-jwks https://issuer.example.com/jwks.json --api-issuer https://issuer.example.com/ --api-audience stratix-api

A flag wins over the environment, and that over the settings file. stratix settings shows where each value comes from. The file:
  # /etc/stratix/settings
  max-connections = 50000
  origins = https://app.example.com, file://
  log-level = debug

Signals: SIGHUP reads the settings file, the certificate, the keys (of the API, of tokens) and the scripts again; what needs a restart is logged. SIGTERM and SIGINT let the clients go and exit with 0;
a second one ends at once, with 130.`
}

func (c *serveCmd) Run() error {
	level := new(slog.LevelVar)
	log := c.logger(os.Stderr, level)
	opt, err := c.options(log)
	if err != nil {
		return c.said.blame(err)
	}
	opt.LevelVar, opt.Settings = level, c.settings()
	if opt.Transport == server.Epoll {
		leaveOne(opt.Shards)
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP) // from the first moment on it does not end the process
	g, err := gateway.Open(opt)
	if err != nil {
		return orInit(c.Scripts, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	stopOnSignal(stop, log)
	go reloadOnHangup(hangup, g)
	return g.Run(ctx)
}

// leaveOne gives the scheduler one processor more than there are event loops. A
// loop that waits in epoll keeps its processor for up to 10 ms, and with all of
// them in use so long a handshake would wait to be noticed. GOMAXPROCS in the
// environment is left as it is.
func leaveOne(shards int) {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), shards+1))
	}
}

// stopOnSignal calls stop at the first SIGTERM or SIGINT and ends the process
// at the second.
func stopOnSignal(stop func(), log *slog.Logger) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-signals
		stop()
		log.Warn("second signal: ending at once", "signal", (<-signals).String())
		os.Exit(130)
	}()
}

// reloadOnHangup reads everything that can change again at each SIGHUP.
func reloadOnHangup(hangup <-chan os.Signal, g *gateway.Gateway) {
	for range hangup {
		_ = g.ReloadEverything("signal") // logged there
	}
}

// logger writes to w what is of level, which is set to what c says, or above.
func (c *serveCmd) logger(w io.Writer, level *slog.LevelVar) *slog.Logger {
	level.Set(c.level())
	opt := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opt))
	}
	return slog.New(slog.NewTextHandler(w, opt))
}

func (c *serveCmd) level() (level slog.Level) {
	_ = level.UnmarshalText([]byte(c.LogLevel)) // one of the enum
	return level
}

// badVariable says which of the names cannot be one of an environment variable.
func badVariable(names []string) error {
	for _, name := range names {
		if name == "" || strings.ContainsAny(name, "= \t\x00") {
			return errors.New("--script-env takes names of environment variables, without values: NAME,OTHER")
		}
	}
	return nil
}
