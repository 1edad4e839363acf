package main

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"

	"github.com/stratix-gateway/stratix/core/apikey"
	"github.com/stratix-gateway/stratix/core/apitoken"
	"github.com/stratix-gateway/stratix/core/gateway"
	"github.com/stratix-gateway/stratix/core/kv"
	"github.com/stratix-gateway/stratix/core/server"
	"github.com/stratix-gateway/stratix/core/shard"
)

// options are the gateway's. Files that it needs at the start are read; what is wrong
// with them is said of all.
func (c *serveCmd) options(log *slog.Logger) (gateway.Options, error) {
	opt := gateway.Options{
		Version: version,
		Listen:  c.Listen, Admin: c.Admin, Scripts: c.Scripts, Data: c.Data,
		RecordBytes: int(c.RecordBytes), Shards: c.Shards, Transport: c.Transport,
		HandshakeTimeout: c.HandshakeTimeout, TraceBytes: int(c.ExplainBytes),
		InsecureOpen: c.InsecureOpen, Log: log,
	}
	if err := c.change(&opt); err != nil {
		return gateway.Options{}, err
	}
	var err error
	var errs []error
	if c.TLSCert != "" {
		if opt.Certificate, err = server.LoadCertificate(c.TLSCert, c.TLSKey); err != nil {
			errs = append(errs, fmt.Errorf("--tls-cert: %w", err))
		}
	}
	if c.Keys != "" {
		if opt.Keys, err = apikey.Open(c.Keys); err != nil {
			errs = append(errs, fmt.Errorf("--keys: %w", err))
		}
	}
	if c.APIJWKS != "" {
		if opt.Tokens, err = apitoken.New(c.tokens(), log); err != nil {
			errs = append(errs, fmt.Errorf("--api-jwks: %w", err))
		}
	}
	if errs != nil {
		return gateway.Options{}, errors.Join(errs...)
	}
	if opt.Admin == "off" {
		opt.Admin = ""
	}
	if opt.Shards == 0 {
		opt.Shards = runtime.GOMAXPROCS(0)
	}
	if opt.Transport == "auto" {
		opt.Transport = server.Goroutine
		if shard.HasPoller {
			opt.Transport = server.Epoll
		}
	}
	return opt, nil
}

// tokens are whose tokens open the API.
func (c *serveCmd) tokens() apitoken.Settings {
	return apitoken.Settings{
		Keys: c.APIJWKS, Algorithms: c.APIAlgorithms, Audience: c.APIAudience, Issuer: c.APIIssuer, ScopePrefix: c.APIScopePrefix,
	}
}

// without is c but for the files that a process with the settings of now has read, and
// looks after: what is wrong with one of them by now is told there.
func (c serveCmd) without(now *serveCmd) *serveCmd {
	if c.TLSCert == now.TLSCert && c.TLSKey == now.TLSKey {
		c.TLSCert, c.TLSKey = "", ""
	}
	if c.Keys == now.Keys {
		c.Keys = ""
	}
	if reflect.DeepEqual(c.tokens(), now.tokens()) {
		c.APIJWKS = ""
	}
	return &c
}

// change sets those options that can change while the gateway runs: the settings
// that restarts does not name.
func (c *serveCmd) change(opt *gateway.Options) (err error) {
	if opt.QueuePolicy, err = shard.ParsePolicy(c.QueuePolicy); err != nil {
		return err
	}
	if opt.Proxies, err = server.ParseProxies(c.TrustedProxies); err != nil {
		return fmt.Errorf("--trusted-proxies: %w", err)
	}
	opt.ProxyProtocol, opt.Origins = c.ProxyProtocol, c.Origins
	opt.PublicPublish, opt.PublicMetrics = c.PublicPublish, c.PublicMetrics
	opt.Deflate, opt.DeflateAbove = c.Deflate, int(c.DeflateAbove)
	opt.MaxConnections, opt.MaxPerAddress = c.MaxConnections, c.MaxPerAddress
	opt.MaxMessage, opt.StallTimeout = int(c.MaxMessage), c.MessageTimeout
	opt.PingEvery, opt.IdleTimeout, opt.DrainTimeout = c.PingEvery, c.IdleTimeout, c.DrainTimeout
	opt.QueueBytes = int(c.QueueBytes)
	opt.Window, opt.AckTimeout, opt.Sessions, opt.SessionLifetime = c.Window, c.AckTimeout, c.MaxSessions, c.SessionLifetime
	opt.SeenMessages, opt.SeenAge = c.DedupMessages, c.DedupWindow
	opt.KV = kv.Limits{Entries: c.KvEntries, Bytes: int(c.KvBytes)}
	opt.Budget, opt.Load, opt.Test = c.Budget, loader(c.Budget, c.ScriptEnv), tester(c.Budget, c.ScriptEnv)
	opt.Gate, _ = gateway.ParseGate(c.Gate) // one of the enum
	opt.ShadowMessages, opt.ShadowErrors = c.ShadowMessages, float64(c.ShadowErrors)
	opt.Canary, opt.RollbackWindow = float64(c.Canary), c.RollbackWindow
	opt.RollbackErrors, opt.RollbackInstructions = float64(c.RollbackErrors), float64(c.RollbackInstructions)
	opt.RollbackClients = c.RollbackClients
	opt.TraceEvery, opt.TraceData = c.ExplainRate, int(c.ExplainData)
	opt.Summary, opt.Level = c.Summary, c.level()
	return nil
}

// restarts are the settings that cannot change while the gateway runs, and why. A
// test holds that all others do something in change.
var restarts = map[string]string{
	"listen":            "the address is open",
	"admin":             "the address is open",
	"scripts":           "the folder is watched, and what it holds goes live; another one does not",
	"settings":          "the file is watched; another one is not",
	"data":              "the log in it is open",
	"handshake-timeout": "the HTTP server has it from its start",
	"tls-cert":          "the file is watched; another one is not",
	"tls-key":           "the file is watched; another one is not",
	"keys":              "the file is watched; another one is not",
	"api-jwks":          "its keys are looked after; those of another one are not",
	"api-audience":      "who may use the API is settled at the start",
	"api-issuer":        "who may use the API is settled at the start",
	"api-algorithms":    "who may use the API is settled at the start",
	"api-scope-prefix":  "who may use the API is settled at the start",
	"insecure-open":     "it is looked at when the gateway starts",
	"record-bytes":      "the memory is taken at the start",
	"explain-bytes":     "the memory is taken at the start",
	"shards":            "clients belong to them by their number",
	"transport":         "open connections are served by it",
	"script-env":        "which variables scripts see is settled at the start",
	"log-format":        "who reads the log expects one format",
}
