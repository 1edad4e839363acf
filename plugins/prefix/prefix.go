// Package prefix is stage.prefix: it routes a message by the prefix of its
// sender's ClientID.
package prefix

import (
	"hash/maphash"
	"math/bits"

	"github.com/stratix-gateway/stratix/core"
)

const (
	defaultCache = 4096    // entries a shard
	maxCache     = 1 << 20 // entries a shard
)

func init() {
	core.Register(core.Plugin{
		Name:     "prefix",
		Doc:      "Routes a message by the prefix of its sender's ClientID; the longest prefix wins.",
		Settings: &settings{},
		Open:     open,
	})
}

type settings struct {
	File     string         `lua:"file" doc:"The routes file, in the scripts folder: a JSON object from prefix to target."`
	Routes   map[string]any `lua:"routes" doc:"The routes themselves, from prefix to target, in place of a file."`
	Override bool           `lua:"override" doc:"Routes every message, also one that names a target or was routed by a stage before."`
	Cache    int            `lua:"cache" doc:"How many senders each shard remembers the route of; 0 means 4096."`
}

func open(c core.Config, env *core.Env) (core.Stage, error) {
	var s settings
	if err := c.Decode(&s); err != nil {
		return nil, err
	}
	if s.Cache < 0 || s.Cache > maxCache {
		return nil, c.Errorf("cache", "expected 0 to %d entries, got %d", maxCache, s.Cache)
	}
	routes, err := s.routes(c, env)
	if err != nil {
		return nil, err
	}
	if s.Cache == 0 {
		s.Cache = defaultCache
	}
	return &stage{index: newIndex(routes), override: s.Override, entries: s.Cache}, nil
}

func (s *settings) routes(c core.Config, env *core.Env) ([]route, error) {
	switch {
	case s.File != "" && s.Routes != nil:
		return nil, c.Errorf("", "file and routes are both given: keep one of them")
	case s.Routes != nil:
		routes, err := fromTable(s.Routes)
		if err != nil {
			return nil, c.Errorf("routes", "%w", err)
		}
		return routes, nil
	case s.File == "":
		return nil, c.Errorf("", `neither file nor routes is given: try file = "routes.json"`)
	}
	text, err := env.ReadFile(s.File)
	if err != nil {
		return nil, c.Errorf("file", "%w", err)
	}
	routes, err := fromJSON(s.File, text)
	if err != nil {
		return nil, c.Errorf("file", "%w", err)
	}
	return routes, nil
}

// stage routes by index. The one that Open returns has no cache and may run
// anywhere; those of ForShard have one and belong to their shard.
type stage struct {
	index    index
	override bool
	entries  int // of each shard's cache
	cache    cache
}

// ForShard returns the stage with a cache of its own. The number of entries is
// rounded up to a power of two.
func (s *stage) ForShard(int) core.Stage {
	own := *s
	own.cache = cache{seed: maphash.MakeSeed(), slots: make([]slot, 1<<bits.Len(uint(s.entries-1)))}
	return &own
}

// Routes are all of them, in the order of their prefixes.
func (s *stage) Routes() []core.Route {
	all := make([]core.Route, len(s.index))
	for i, r := range s.index {
		all[i] = core.Route{Prefix: r.prefix, Targets: r.targets}
	}
	return all
}

// Handle adds the targets of the sender's route, or leaves m alone where it is
// routed already or no prefix matches.
func (s *stage) Handle(m *core.Message) (core.Verdict, error) {
	e := &m.Effects
	if !s.override && (len(m.To) > 0 || e.Routed()) {
		return core.Next, nil
	}
	at := s.find(m.From.ID)
	if at < 0 {
		return core.Next, nil
	}
	if s.override {
		clear(e.Targets)
		clear(e.Replies)
		e.Targets, e.Replies, e.Own = e.Targets[:0], e.Replies[:0], false
	}
	e.Targets = append(e.Targets, s.index[at].targets...)
	return core.Next, nil
}

// find returns the place of id's route in the index, or -1.
func (s *stage) find(id string) int32 {
	slot := s.cache.slot(id)
	if slot == nil {
		return s.index.find(id)
	}
	if !slot.holds(id) {
		slot.keep(id, s.index.find(id))
	}
	return slot.route
}
