package gateway

import (
	"time"

	"github.com/stratix-gateway/stratix/core/server"
	"github.com/stratix-gateway/stratix/core/shard"
)

// opt is what the gateway goes by at this moment. Who needs several of them to be of
// one state keeps it.
func (g *Gateway) opt() *Options { return g.options.Load() }

// shardOptions is what the shards need of the gateway's options.
func (g *Gateway) shardOptions(o *Options) shard.Options {
	each := func(n int) int { return max(1, (n+o.Shards-1)/o.Shards) }
	return shard.Options{
		Shards:       o.Shards,
		MaxMessage:   o.MaxMessage,
		PingEvery:    o.PingEvery,
		IdleTimeout:  o.IdleTimeout,
		StallTimeout: o.StallTimeout,
		QueueBytes:   o.QueueBytes,
		QueuePolicy:  o.QueuePolicy,
		DeflateAbove: o.DeflateAbove,
		Ring:         g.ring,
		Journal:      g.journal,
		Window:       o.Window,
		AckTimeout:   o.AckTimeout,
		Sessions:     each(o.Sessions),
		SeenMessages: each(o.SeenMessages),
		SeenAge:      uint32(o.SeenAge / time.Second),
		RecordBytes:  o.RecordBytes / o.Shards,

		SessionLifetime: int64(o.SessionLifetime / time.Second),

		TraceEvery: o.TraceEvery,
		TraceBytes: max(o.TraceBytes/o.Shards, MinTraces),
		TraceData:  o.TraceData,

		Budget: o.Budget,
		Heavy:  o.heavy(),

		Renew: g.renew,

		Log:      g.log,
		Released: g.scripts.released,
	}
}

// serverOptions is what the HTTP server needs of them.
func (g *Gateway) serverOptions(o *Options) server.Options {
	return server.Options{
		MaxConnections:   o.MaxConnections,
		MaxPerAddress:    o.MaxPerAddress,
		HandshakeTimeout: o.HandshakeTimeout,
		Origins:          o.Origins,
		Certificate:      o.Certificate,
		Proxies:          o.Proxies,
		ProxyProtocol:    o.ProxyProtocol,
		Deflate:          o.Deflate,
		Transport:        o.Transport,
		Admit:            g.admit,
		Attach:           func(c server.Client) { g.shards.Attach(client(c)) },
		Pump:             func(c server.Client) { g.shards.Pump(c.Conn, client(c)) },
		Ready:            g.ready.Load,
		Metrics:          g.writeMetrics,
		Status:           func() any { return g.status() },
		Reload:           g.reloadFor,
		Settings:         func() any { return g.settingsReport() },
		Message:          func(id, client string, data bool) any { return g.explain(id, client, data) },
		Tail:             g.tail,
		Live:             g.console,
		Profile:          g.profile,
		Generations:      func() any { return g.Generations() },
		Generation:       func(name string) (any, error) { return g.generationFiles(name) },
		RollBack:         g.RollBack,
		Traffic:          g.traffic,
		Directory:        g.directory(),
		Publish:          g.publish,
		MaxMessage:       o.MaxMessage,
		Keys:             g.keyring(),
		Tokens:           g.tokens(),
		PublicPublish:    o.PublicPublish,
		PublicMetrics:    o.PublicMetrics,
		Log:              g.log,
	}
}
