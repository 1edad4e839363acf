// Package ring is stage.ring: it has messages kept in memory until their
// recipients have them, and bounds what is kept.
package ring

import (
	"fmt"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/wire"
)

// Bounds on the settings.
const (
	minBytes = 64 << 10 // memory is taken in pieces of this size
	maxTTL   = wire.MaxTTL * time.Second
)

func init() {
	core.Register(core.Plugin{
		Name:     "ring",
		Doc:      "Keeps messages in memory until their recipients have them, and bounds what the gateway keeps.",
		Settings: &settings{},
		Open:     open,
	})
}

type settings struct {
	Messages       int64         `lua:"messages" doc:"How many messages the gateway keeps, counted once a recipient; 1000000 by default."`
	Bytes          core.Bytes    `lua:"bytes" doc:"How much memory they take; 512MiB by default."`
	ClientMessages int64         `lua:"client_messages" doc:"How many messages are kept for one client; 100000 by default."`
	ClientBytes    core.Bytes    `lua:"client_bytes" doc:"How many bytes are kept for one client, in memory or on disk; 64MiB by default."`
	SenderMessages int64         `lua:"sender_messages" doc:"How many messages of one sender are kept, on each of the gateway's event loops; 250000 by default."`
	TTL            time.Duration `lua:"ttl" doc:"How long a message without a ttl of its own waits, in whole seconds, at most 720h; 24h by default."`
	Overflow       string        `lua:"overflow" doc:"What happens without room: reject (the default), drop_oldest, conflate or disconnect."`
	Key            string        `lua:"key" doc:"The path of what a payload is the latest state of, such as data.symbol; with overflow = conflate only."`
}

// defaults are the settings that a script leaves out. Their bounds are those of
// a gateway without the stage.
func defaults() settings {
	return settings{
		Messages: core.DefaultRingMessages, Bytes: core.DefaultRingBytes,
		ClientMessages: core.DefaultClientMessages, ClientBytes: core.DefaultClientBytes,
		SenderMessages: core.DefaultSenderMessages, TTL: core.DefaultTTL, Overflow: core.OverflowReject.String(),
	}
}

func open(c core.Config, env *core.Env) (core.Stage, error) {
	s := stage{env: env, settings: defaults()}
	if err := c.Decode(&s.settings); err != nil {
		return nil, err
	}
	switch {
	case s.Messages < 1:
		return nil, c.Errorf("messages", "expected at least 1, got %d", s.Messages)
	case s.Bytes < minBytes:
		return nil, c.Errorf("bytes", "expected at least %v, got %v", core.Bytes(minBytes), s.Bytes)
	case s.ClientMessages < 1:
		return nil, c.Errorf("client_messages", "expected at least 1, got %d", s.ClientMessages)
	case s.ClientBytes < 1:
		return nil, c.Errorf("client_bytes", "expected at least 1B, got %v", s.ClientBytes)
	case s.SenderMessages < 1:
		return nil, c.Errorf("sender_messages", "expected at least 1, got %d", s.SenderMessages)
	case s.TTL < time.Second || s.TTL > maxTTL || s.TTL%time.Second != 0:
		return nil, c.Errorf("ttl", "expected whole seconds from 1s to 720h, got %v", s.TTL)
	}
	var ok bool
	if s.policy, ok = core.ParseOverflow(s.Overflow); !ok {
		return nil, c.Errorf("overflow", `expected "reject", "drop_oldest", "conflate" or "disconnect", got %.40q%s`, s.Overflow, hint(s.Overflow))
	}
	_, given := c.Values["key"]
	switch {
	case given && s.policy != core.OverflowConflate:
		return nil, c.Errorf("key", `works with overflow = "conflate" only, and overflow is %q`, s.Overflow)
	case !given && s.policy == core.OverflowConflate:
		return nil, c.Errorf("", `overflow = "conflate" needs a key: try key = "data.symbol"`)
	case given:
		var err error
		if s.path, err = pathInPayload(s.Key); err != nil {
			return nil, c.Errorf("key", "%w", err)
		}
	}
	return &s, nil
}

// hint names the policy that was probably meant, if any.
func hint(word string) string {
	var known []string
	for o := core.OverflowReject; o <= core.OverflowDisconnect; o++ {
		known = append(known, o.String())
	}
	if near := core.Nearest(word, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// stage marks messages. It is the same on all shards: nothing in it changes
// after Open.
type stage struct {
	settings
	env    *core.Env
	policy core.Overflow
	path   string // of the conflate key in the payload, as gjson takes it
}

// Handle marks m, and gives it the policy where it has none yet. The key is a
// part of m.Data, and valid as long as that is.
func (s *stage) Handle(m *core.Message) (core.Verdict, error) {
	m.KeepIn(core.StorageMemory)
	if m.Overflow != core.OverflowUnset {
		return core.Next, nil
	}
	m.Overflow = s.policy
	if s.policy == core.OverflowConflate {
		m.ConflateKey = conflateKey(m.Data, s.path)
		if m.ConflateKey == nil {
			m.Overflow = core.OverflowReject
		}
	}
	return core.Next, nil
}
