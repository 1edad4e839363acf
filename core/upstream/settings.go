// Package upstream posts messages to services over HTTP. Shards leave posts in
// the queues of an Upstream without waiting for it; its workers make batches of
// them, try again where that helps, and give every post back with what came of
// it. The Registry has the upstreams of the generations in use.
package upstream

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

// Settings are the keys of upstream "name" { ... }.
type Settings struct {
	URL           string            `lua:"url,required" doc:"Where to post: http:// or https://; certificates are verified, redirects are not followed."`
	Timeout       time.Duration     `lua:"timeout" doc:"For one post with its reply, up to 5m; 5s by default."`
	Batch         int               `lua:"batch" doc:"Messages of one post, up to 1000; 100 by default. A post has at most 1MiB, or one message."`
	Linger        time.Duration     `lua:"linger" doc:"How long a message waits for others to fill its batch, up to 10s; 5ms by default."`
	Queue         int               `lua:"queue" doc:"Messages that may wait, those being posted included; 10000 by default. Senders of more get upstream_full."`
	QueueBytes    core.Bytes        `lua:"queue_bytes" doc:"Bytes that may wait; 16MiB by default."`
	Retries       int               `lua:"retries" doc:"How often a post is tried again after 5xx, 408, 429, a timeout or a broken connection; 8 by default."`
	Backoff       time.Duration     `lua:"backoff" doc:"The longest pause before the first retry; it doubles with each, and a random part of it is waited; 200ms by default."`
	MaxBackoff    time.Duration     `lua:"max_backoff" doc:"What it doubles up to; 30s by default. A Retry-After may be longer, up to 10m."`
	Breaker       int               `lua:"breaker" doc:"After so many failed posts in a row only one at a time is tried, every cooldown; 5 by default, 0 for never."`
	Cooldown      time.Duration     `lua:"cooldown" doc:"The pause before each of these; 5s by default."`
	Concurrency   int               `lua:"concurrency" doc:"Posts at the same time, up to 64; 4 by default. All messages of one sender take the same way, in their order."`
	SecretEnv     string            `lua:"secret_env" doc:"The environment variable with the key of the signature; --script-env has to name it."`
	Headers       map[string]string `lua:"headers" doc:"Further headers of each post."`
	Events        []string          `lua:"events" doc:"connect and disconnect: clients that come and go are posted too."`
	DeadLetter    string            `lua:"dead_letter" doc:"Where messages go that were given up: client:ID, group:NAME or prefix:BEGINNING. Without it they are counted and logged."`
	AllowInternal bool              `lua:"allow_link_local" doc:"Allows link-local addresses and those of the metadata services of clouds; false by default."`
}

// The events that an upstream may ask for.
const (
	eventConnect    = "connect"
	eventDisconnect = "disconnect"
)

const (
	maxName    = 64 // bytes
	maxHeaders = 32
	maxPost    = 1 << 20 // bytes of a post with several messages
	maxReply   = 1 << 20
	postCost   = 128 // bytes that a post takes beside its Body
)

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]*$`)

// CheckName says why name cannot be an upstream's; "" means that it can.
func CheckName(name string) string {
	if len(name) > maxName || !nameForm.MatchString(name) {
		return fmt.Sprintf("is not 1 to %d of a-z, 0-9, '_', '-' and '.', beginning with a letter or a digit", maxName)
	}
	return ""
}

// Read reads the settings that a script gave. The error names every problem with
// its place, one a line.
func Read(c core.Config) (Settings, error) {
	s := Settings{
		Timeout: 5 * time.Second, Batch: 100, Linger: 5 * time.Millisecond, Queue: 10_000, QueueBytes: 16 << 20,
		Retries: 8, Backoff: 200 * time.Millisecond, MaxBackoff: 30 * time.Second,
		Breaker: 5, Cooldown: 5 * time.Second, Concurrency: 4,
	}
	if err := c.Decode(&s); err != nil {
		return s, err
	}
	var errs []error
	bad := func(key, format string, args ...any) { errs = append(errs, c.Errorf(key, format, args...)) }
	within := func(key string, v, low, high int) {
		if v < low || v > high {
			bad(key, "%d is not between %d and %d", v, low, high)
		}
	}
	span := func(key string, v, low, high time.Duration) {
		if v < low || v > high {
			bad(key, "%v is not between %v and %v", v, low, high)
		}
	}
	if why := s.checkURL(); why != "" {
		bad("url", "%s", why)
	}
	span("timeout", s.Timeout, 10*time.Millisecond, 5*time.Minute)
	within("batch", s.Batch, 1, 1000)
	span("linger", s.Linger, 0, 10*time.Second)
	within("queue", s.Queue, 1, 1_000_000)
	if s.QueueBytes < 64<<10 || s.QueueBytes > 1<<30 {
		bad("queue_bytes", "it is not between 64KiB and 1GiB")
	}
	within("retries", s.Retries, 0, 1000)
	span("backoff", s.Backoff, time.Millisecond, time.Hour)
	span("max_backoff", s.MaxBackoff, s.Backoff, time.Hour)
	within("breaker", s.Breaker, 0, 1000)
	span("cooldown", s.Cooldown, 10*time.Millisecond, time.Hour)
	within("concurrency", s.Concurrency, 1, 64)
	for _, e := range s.Events {
		if e != eventConnect && e != eventDisconnect {
			bad("events", "unknown event %q: there are connect and disconnect", e)
		}
	}
	if _, err := s.deadLetter(); err != nil {
		bad("dead_letter", "%w", err)
	}
	if why := checkHeaders(s.Headers); why != "" {
		bad("headers", "%s", why)
	}
	return s, errors.Join(errs...)
}

// checkURL says why the URL cannot be posted to; "" means that it can. What a
// name resolves to is checked when it is dialled.
func (s *Settings) checkURL() string {
	u, err := url.Parse(s.URL)
	switch {
	case err != nil:
		return "it cannot be read as a URL" // the error would show what may be a secret
	case u.Scheme != "http" && u.Scheme != "https":
		return "it does not begin with http:// or https://"
	case u.Hostname() == "":
		return "it names no host"
	case u.User != nil:
		return "it holds a name or a password: put credentials into headers"
	case u.Fragment != "":
		return "it has a fragment (#), which is never sent"
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil && !s.AllowInternal {
		return blocked(addr)
	}
	return ""
}

// shownURL is the URL without its query, which may hold a secret.
func (s *Settings) shownURL() string {
	before, _, cut := strings.Cut(s.URL, "?")
	if cut {
		return before + "?..."
	}
	return before
}

// deadLetter is where messages go that were given up; its Kind is 0 for nowhere.
func (s *Settings) deadLetter() (core.Target, error) {
	if s.DeadLetter == "" {
		return core.Target{}, nil
	}
	word, name, _ := strings.Cut(s.DeadLetter, ":")
	for _, kind := range []core.TargetKind{core.ToClient, core.ToPrefix, core.ToGroup} {
		if word != kind.String() {
			continue
		}
		if why := core.CheckName(name, core.MaxClientID); why != "" { // a group's is as long
			return core.Target{}, fmt.Errorf("the %s %.40q %s", word, name, why)
		}
		return core.Target{Kind: kind, Name: name}, nil
	}
	return core.Target{}, fmt.Errorf("%.80q is none of client:ID, group:NAME and prefix:BEGINNING", s.DeadLetter)
}

// ownHeaders are set by the gateway, or by the connection.
var ownHeaders = []string{"host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection", "te", "trailer", "upgrade", "expect"}

// headerName is what RFC 9110 calls a token.
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// checkHeaders never shows a value: it may be a secret.
func checkHeaders(headers map[string]string) string {
	if len(headers) > maxHeaders {
		return fmt.Sprintf("%d headers are more than %d", len(headers), maxHeaders)
	}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		lower := strings.ToLower(name)
		switch {
		case !headerName.MatchString(name) || len(name) > maxName:
			return fmt.Sprintf("%.40q cannot be the name of a header", name)
		case slices.Contains(ownHeaders, lower) || strings.HasPrefix(lower, "stratix-"):
			return name + " is set by the gateway itself"
		case strings.ContainsFunc(headers[name], func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
			return "the value of " + name + " holds control characters"
		}
	}
	return ""
}

// wants reports whether the upstream asks for an event.
func (s *Settings) wants(event string) bool { return slices.Contains(s.Events, event) }
