package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/apikey"
	"github.com/stratix-gateway/stratix/core/gateway"
	"github.com/stratix-gateway/stratix/core/server"
	"github.com/stratix-gateway/stratix/core/shard"
	"github.com/stratix-gateway/stratix/core/trace"
)

// Validate rejects what could only go wrong later, with all that is wrong in the
// settings file.
func (c *serveCmd) Validate() error { return c.said.blame(c.validate(c.said.unread())) }

// validate says all that is wrong, a line each: of each flag the first thing only,
// and nothing of those in bad, which have no value.
func (c *serveCmd) validate(bad map[string]bool) error {
	var errs []error
	wrong := func(is bool, text string) {
		names := flagName.FindAllStringSubmatch(text, -1)
		for _, name := range names {
			is = is && !bad[name[1]]
		}
		if is {
			bad[names[0][1]] = true
			errs = append(errs, errors.New(text))
		}
	}
	for _, rule := range c.rules() {
		wrong(rule.broken, rule.text)
	}
	for _, o := range c.badOrigins() {
		errs = append(errs, fmt.Errorf("--origins: %q is not an origin: write scheme://host or scheme://host:port without a path, file://, null or *", o))
	}
	if err := badVariable(c.ScriptEnv); err != nil {
		errs = append(errs, err)
	}
	if _, err := server.ParseProxies(c.TrustedProxies); err != nil && !bad["trusted-proxies"] {
		errs = append(errs, fmt.Errorf("--trusted-proxies: %w", err))
	}
	return errors.Join(errs...)
}

// rule is something that must not be; text says so, and names the flag that is to
// blame first.
type rule struct {
	broken bool
	text   string
}

// tooShort is the rule of a time that has to be a second at least.
func tooShort(name string, is time.Duration) rule {
	return rule{is < time.Second, fmt.Sprintf("--%s must be at least 1s: %v was given", name, is)}
}

func (c *serveCmd) rules() []rule {
	return []rule{
		{c.MaxConnections <= 0, "--max-connections must be positive"},
		{c.MaxMessage <= 0, "--max-message must be positive"},
		{c.HandshakeTimeout <= 0, "--handshake-timeout must be positive"},
		tooShort("message-timeout", c.MessageTimeout),
		tooShort("ping-every", c.PingEvery),
		tooShort("idle-timeout", c.IdleTimeout),
		{c.QueueBytes <= 0, "--queue-bytes must be positive"},
		{c.Budget <= 0, "--budget must be positive"},
		{c.DrainTimeout <= 0, "--drain-timeout must be positive"},
		{c.Window <= 0, "--window must be positive"},
		tooShort("ack-timeout", c.AckTimeout),
		{c.SessionLifetime <= 0, "--session-lifetime must be positive"},
		{c.MaxSessions <= 0, "--max-sessions must be positive"},
		{c.DedupWindow <= 0, "--dedup-window must be positive"},
		{c.DedupMessages <= 0, "--dedup-messages must be positive"},
		{c.KvEntries <= 0, "--kv-entries must be positive"},
		{c.KvBytes <= 0, "--kv-bytes must be positive"},
		{c.Summary != 0 && c.Summary < time.Second, fmt.Sprintf("--summary must be at least 1s, or 0 for none: %v was given", c.Summary)},
		{strings.HasPrefix(c.Keys, apikey.Prefix), "--keys takes the name of the file that stratix key new has made, and this looks like a key itself"},
		{c.Listen == "", "--listen must not be empty: it would be a random port on every address; write HOST:PORT or unix:PATH"},
		{c.Admin == "", "--admin must not be empty: write HOST:PORT, unix:PATH or off"},
		{(c.TLSCert == "") != (c.TLSKey == ""), "--tls-cert and --tls-key go together"},
		{c.ProxyProtocol && len(c.TrustedProxies) == 0, "--proxy-protocol needs --trusted-proxies: anybody else could claim any address"},
		{c.Canary > 0 && c.RollbackWindow == 0, "--canary needs a --rollback-window: that is how long the share of the clients has a save before the others"},
		{c.PublicPublish && c.Keys == "" && c.APIJWKS == "", "--public-publish needs --keys FILE or --api-jwks: without keys anybody could publish as anybody"},
		{c.APIJWKS != "" && c.APIAudience == "", "--api-jwks needs --api-audience: what aud holds in tokens for the API, and in none for a client; else each token of that issuer could open the API"},
		{c.APIJWKS == "" && (c.APIAudience != "" || c.APIIssuer != ""), "--api-audience and --api-issuer need --api-jwks URL|FILE: without keys no token can be checked"},
		{strings.Contains(c.APIJWKS, "://") && c.secretAlgorithm() != "", "--api-algorithms: " + c.secretAlgorithm() + " is for a shared secret, and a key set with an address holds none: take it out, or give --api-jwks a file"},
		{c.ShadowMessages < 0 || c.ShadowMessages > 1_000_000, "--shadow-messages must be between 0 and 1000000"},
		{c.RecordBytes > 1<<30, "--record-bytes must be at most 1GiB"},
		{c.RollbackWindow < 0, "--rollback-window must not be negative"},
		{c.RollbackClients < 1 || c.RollbackClients > core.MostClients, fmt.Sprintf("--rollback-clients must be between 1 and %d", core.MostClients)},
		{c.Shards < 0 || c.Shards > 1024, "--shards must be between 0 and 1024"},
		{c.MaxPerAddress < 0, "--max-per-address must not be negative"},
		{c.Window > 1<<16, "--window must be at most 65536"},
		{c.DedupWindow > 24*time.Hour, "--dedup-window must be at most 24h"},
		{c.DedupMessages > 1<<26, "--dedup-messages must be at most 67108864"},
		{c.MaxMessage > 16<<20, "--max-message must be at most 16MiB"},
		{c.QueueBytes < c.MaxMessage, "--queue-bytes must be at least --max-message: the largest message has to fit"},
		{c.QueueBytes > 1<<30, "--queue-bytes must be at most 1GiB"},
		{c.IdleTimeout <= c.PingEvery, "--idle-timeout must be longer than --ping-every, else clients that only listen are closed"},
		{c.ExplainRate < 0 || c.ExplainRate > 1<<30, "--explain-rate must be between 0 and 1073741824"},
		{c.ExplainRate > 0 && (c.ExplainBytes < gateway.MinTraces || c.ExplainBytes > 256<<20), "--explain-bytes must be between 64KiB and 256MiB; --explain-rate 0 keeps no traces"},
		{c.ExplainData < 0 || c.ExplainData > trace.MaxPreview, fmt.Sprintf("--explain-data must be at most %d", trace.MaxPreview)},
		{c.Transport == server.Epoll && !shard.HasPoller, "--transport epoll: this platform has no epoll"},
	}
}

// secretAlgorithm is the first algorithm that wants a shared secret; "" for none.
func (c *serveCmd) secretAlgorithm() string {
	for _, a := range c.APIAlgorithms {
		if strings.HasPrefix(a, "HS") {
			return a
		}
	}
	return ""
}

// badOrigins returns what no browser would send.
func (c *serveCmd) badOrigins() (bad []string) {
	for _, o := range c.Origins {
		u, err := url.Parse(o)
		named := err == nil && u.Scheme != "" && u.Path == "" && u.RawQuery == "" && u.Fragment == "" && u.User == nil &&
			(u.Host != "" || u.Scheme == "file" && o == "file://") && !strings.Contains(o, "*")
		if !named && o != "*" && o != "null" {
			bad = append(bad, o)
		}
	}
	return bad
}
