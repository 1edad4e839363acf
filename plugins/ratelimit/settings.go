package ratelimit

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

// Bounds on the settings.
const (
	minRate    = 0.001 // a second
	maxRate    = 100_000
	maxBurst   = 1_000_000
	maxDelay   = 30 * time.Second
	minBuckets = 1000
	maxBuckets = 1_000_000
	maxClasses = 100
)

type settings struct {
	Name            string        `lua:"name" doc:"What the buckets are kept under from one save to the next, and the label in metrics; by default what per says, or the key."`
	Rate            float64       `lua:"rate" doc:"Messages a second, 0.001 to 100000."`
	Burst           int           `lua:"burst" doc:"How many messages may come at once, 1 to 1000000; as many as in a second by default."`
	Per             string        `lua:"per" doc:"Who has a bucket: client (the default), address (IPv6: its /64), prefix, or key."`
	Prefix          any           `lua:"prefix" doc:"With per = prefix: the prefix, or a list of them, whose clients share a bucket; the longest wins, and others pass."`
	PrefixLength    int           `lua:"prefix_length" doc:"With per = prefix: clients whose IDs begin with the same so many bytes share a bucket."`
	Key             string        `lua:"key" doc:"With per = key: the path of the key, such as data.room; without it the key is what a script says with msg:limit_key."`
	Over            string        `lua:"over" doc:"What happens to a message without a token: reject (the default), delay, or disconnect."`
	MaxDelay        time.Duration `lua:"max_delay" doc:"With over = delay: how long a message waits for its token at the most, up to 30s; 2s by default."`
	MaxDelayed      int64         `lua:"max_delayed" doc:"With over = delay: how many messages wait at the same time; 10000 by default."`
	MaxDelayedBytes core.Bytes    `lua:"max_delayed_bytes" doc:"With over = delay: how many bytes they have; 64MiB by default."`
	ConnectRate     float64       `lua:"connect_rate" doc:"Connections a second from one address (IPv6: its /64), 0.001 to 100000; more are refused with 429."`
	ConnectBurst    int           `lua:"connect_burst" doc:"How many connections may come at once, 1 to 1000000; as many as in a second by default."`
	MaxBuckets      int           `lua:"max_buckets" doc:"How many buckets there are at the most, 1000 to 1000000; 100000 by default."`
}

func defaults() settings {
	return settings{
		Per: "client", Over: "reject", MaxDelay: 2 * time.Second, MaxDelayed: 10_000, MaxDelayedBytes: 64 << 20, MaxBuckets: 100_000,
	}
}

// The words of the settings.
var (
	pers  = []string{"client", "address", "prefix", "key"}
	overs = []string{"reject", "delay", "disconnect"}
)

func open(c core.Config, env *core.Env) (core.Stage, error) {
	s := stage{settings: defaults()}
	if err := c.Decode(&s.settings); err != nil {
		return nil, err
	}
	if err := s.check(c); err != nil {
		return nil, err
	}
	if err := s.checkPer(c); err != nil {
		return nil, err
	}
	s.setPaces()
	s.limits = limitsOf(env)
	s.limit = s.limits.open(s.limitName(), env.Shards, &s.settings)
	s.buckets, s.most = s.limit.all, s.MaxBuckets
	return &s, nil
}

// check says what is wrong with a setting, or with two of them.
func (s *settings) check(c core.Config) error {
	given := func(key string) bool { _, ok := c.Values[key]; return ok }
	for _, r := range []struct {
		rateKey, burstKey string
		rate              float64
		burst             int
	}{{"rate", "burst", s.Rate, s.Burst}, {"connect_rate", "connect_burst", s.ConnectRate, s.ConnectBurst}} {
		switch {
		case given(r.rateKey) && (r.rate < minRate || r.rate > maxRate):
			return c.Errorf(r.rateKey, "expected %v to %d a second, got %v", minRate, maxRate, r.rate)
		case given(r.burstKey) && (r.burst < 1 || r.burst > maxBurst):
			return c.Errorf(r.burstKey, "expected 1 to %d, got %d", maxBurst, r.burst)
		case given(r.burstKey) && !given(r.rateKey):
			return c.Errorf(r.burstKey, "works with %s only", r.rateKey)
		}
	}
	if !given("rate") {
		for _, key := range []string{"per", "over"} {
			if given(key) {
				return c.Errorf(key, "works with rate only")
			}
		}
		if !given("connect_rate") {
			return c.Errorf("", "neither rate nor connect_rate is given: try rate = 100, burst = 200")
		}
	}
	if !slices.Contains(overs, s.Over) {
		return c.Errorf("over", `expected "reject", "delay" or "disconnect", got %.40q%s`, s.Over, hint(s.Over, overs))
	}
	for _, key := range []string{"max_delay", "max_delayed", "max_delayed_bytes"} {
		if given(key) && s.Over != "delay" {
			return c.Errorf(key, `works with over = "delay" only, and over is %q`, s.Over)
		}
	}
	switch {
	case given("name") && core.CheckName(s.Name, 64) != "":
		return c.Errorf("name", "%s", core.CheckName(s.Name, 64))
	case s.MaxDelay < time.Millisecond || s.MaxDelay > maxDelay:
		return c.Errorf("max_delay", "expected 1ms to %v, got %v", maxDelay, s.MaxDelay)
	case s.MaxDelayed < 1:
		return c.Errorf("max_delayed", "expected at least 1, got %d", s.MaxDelayed)
	case s.MaxDelayedBytes < 1:
		return c.Errorf("max_delayed_bytes", "expected at least 1B, got %v", s.MaxDelayedBytes)
	case s.MaxBuckets < minBuckets || s.MaxBuckets > maxBuckets:
		return c.Errorf("max_buckets", "expected %d to %d, got %d", minBuckets, maxBuckets, s.MaxBuckets)
	}
	return nil
}

// checkPer reads per and what goes with it.
func (s *stage) checkPer(c core.Config) error {
	at := slices.Index(pers, s.Per)
	if at < 0 {
		return c.Errorf("per", `expected "client", "address", "prefix" or "key", got %.40q%s`, s.Per, hint(s.Per, pers))
	}
	s.per = per(at)
	_, prefix := c.Values["prefix"]
	_, length := c.Values["prefix_length"]
	_, key := c.Values["key"]
	switch {
	case prefix && s.per != perPrefix:
		return c.Errorf("prefix", `works with per = "prefix" only, and per is %q`, s.Per)
	case length && s.per != perPrefix:
		return c.Errorf("prefix_length", `works with per = "prefix" only, and per is %q`, s.Per)
	case key && s.per != perKey:
		return c.Errorf("key", `works with per = "key" only, and per is %q`, s.Per)
	case s.per == perPrefix && prefix == length:
		return c.Errorf("", `per = "prefix" needs either prefix or prefix_length: try prefix = "desk-"`)
	case length && (s.PrefixLength < 1 || s.PrefixLength > core.MaxClientID):
		return c.Errorf("prefix_length", "expected 1 to %d bytes, got %d", core.MaxClientID, s.PrefixLength)
	}
	var err error
	if prefix {
		if s.classes, err = classes(s.Prefix); err != nil {
			return c.Errorf("prefix", "%w", err)
		}
	}
	if key {
		if s.path, err = parsePath(s.Key); err != nil {
			return c.Errorf("key", "%w", err)
		}
	}
	return nil
}

// hint names the word that was probably meant, if any.
func hint(word string, known []string) string {
	if near := core.Nearest(word, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// setPaces makes what messages and connections are counted with.
func (s *stage) setPaces() {
	s.over = over(slices.Index(overs, s.Over))
	if s.over == overDelay {
		s.patience = s.MaxDelay.Milliseconds()
	}
	if s.Rate > 0 {
		s.pace = newPace(s.Rate, cmp.Or(s.Burst, second(s.Rate)), s.patience)
	}
	if s.ConnectRate > 0 {
		s.doors = newPace(s.ConnectRate, cmp.Or(s.ConnectBurst, second(s.ConnectRate)), 0)
	}
}

// limitName is what the buckets are kept under from one save to the next.
func (s *settings) limitName() string {
	if s.Rate == 0 {
		return cmp.Or(s.Name, "connect")
	}
	return cmp.Or(s.Name, s.Key, s.Per)
}

// second is how many come in a second, at least one.
func second(rate float64) int { return max(1, int(math.Ceil(rate))) }
