// Package ratelimit is stage.ratelimit: it bounds how many messages come, and how
// many clients connect, in a time.
package ratelimit

import (
	"context"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

func init() {
	core.Register(core.Plugin{
		Name:     "ratelimit",
		Doc:      "Bounds the rate of messages by client, address, prefix or key, and that of connections by address.",
		Settings: &settings{},
		Open:     open,
	})
}

// over is what happens to a message without a token.
type over uint8

const (
	overReject over = iota
	overDelay
	overDisconnect
)

// What senders are told.
const (
	code       = "rate_limited"
	tooMany    = "too many messages in too short a time"
	tooOften   = "too many connections from this address in too short a time"
	statusCode = 429
)

// stage counts messages. The one that Open returns may run on all shards; those
// of ForShard count clients, in buckets that belong to their shard.
type stage struct {
	settings
	per      per
	over     over
	classes  []string
	path     path
	pace     pace  // of messages; with a rate only
	doors    pace  // of connections; with a connect_rate only
	patience int64 // milliseconds that a message waits at the most

	limits  *limits
	limit   *limit
	buckets *store // of limit
	most    int    // buckets there
}

// ForShard returns the stage with the buckets of a shard's own clients.
func (s *stage) ForShard(shard int) core.Stage {
	if s.per != perClient || shard >= len(s.limit.shards) {
		return s
	}
	own := *s
	own.buckets = s.limit.shards[shard]
	own.most = (s.MaxBuckets + len(s.limit.shards) - 1) / len(s.limit.shards)
	return &own
}

// KeptAs is the name of the limit.
func (s *stage) KeptAs() string { return s.limit.name }

// Start counts the stage as a user of its buckets, and bounds what it delays.
func (s *stage) Start(context.Context) error {
	s.limits.start(s.limit, &s.settings)
	return nil
}

// Stop lets go of them.
func (s *stage) Stop(context.Context) error {
	s.limits.stop(s.limit)
	return nil
}

// Handle takes a token for m. The time is the message's, so that tests of scripts
// and rehearsals have a clock of their own.
func (s *stage) Handle(m *core.Message) (core.Verdict, error) {
	if s.Rate == 0 {
		return core.Next, nil
	}
	hash := s.hashOf(m)
	if hash == 0 {
		return core.Next, nil
	}
	wait, ok := s.buckets.take(hash, m.Time, &s.pace, 0, s.most)
	if ok {
		return core.Next, nil
	}
	return s.exceeded(m, hash, wait), nil
}

// exceeded answers m, whose token is there in wait milliseconds.
func (s *stage) exceeded(m *core.Message, hash uint64, wait int64) core.Verdict {
	if s.over == overDelay && s.limit.room.Enter(m) {
		var ok bool
		if wait, ok = s.buckets.take(hash, m.Time, &s.pace, s.patience, s.most); ok {
			s.limit.delayed.Add(1)
			return m.Delay(m.Time + wait)
		}
		m.LeaveRoom()
	}
	m.Effects.RetryAfter = max(1, wait)
	if s.over == overDisconnect {
		s.limit.disconnected.Add(1)
		return m.Disconnect(code, tooMany)
	}
	s.limit.rejected.Add(1)
	return m.Reject(code, tooMany)
}

// Admit takes a token for a connection from an address.
func (s *stage) Admit(_ context.Context, h *core.Handshake, _ *core.Grant) error {
	if s.ConnectRate == 0 {
		return nil
	}
	hash := s.limit.address(h.Remote)
	if hash == 0 {
		return nil
	}
	wait, ok := s.limit.doors.take(hash, h.Now.UnixMilli(), &s.doors, 0, s.MaxBuckets)
	if ok {
		return nil
	}
	s.limit.refused.Add(1)
	return &core.Denial{Status: statusCode, Code: code, Text: tooOften, RetryAfter: time.Duration(wait) * time.Millisecond}
}
