package core

import (
	"fmt"
	"log/slog"
	"sort"
	"sync"
)

// Plugin is a kind of stage. Its name is its folder, its package, the word in
// Lua (stage.<name>) and the metric label.
type Plugin struct {
	Name string
	// Doc is one sentence for operators.
	Doc string
	// Settings points to the zero value of the struct that Open decodes its
	// Config into. The checks of keys and the editor annotations come from its
	// fields: `lua:"name"` and `doc:"..."`.
	Settings any
	// Open validates the configuration and builds the stage, once a generation.
	// It acquires nothing (see Starter) and may run in a check.
	Open func(Config, *Env) (Stage, error)
}

// Env is what the gateway lends to a stage.
type Env struct {
	// Shards is how many shards run.
	Shards int
	// Log is the gateway's log.
	Log *slog.Logger
	// ReadFile reads a file of the scripts folder as the generation has it.
	ReadFile func(name string) ([]byte, error)
	// Ring is the bounds of what the gateway keeps; in a check and in a test they
	// bound nothing of a gateway's, or it is nil.
	Ring *Ring
	// Disk changes the settings of the gateway's log; nil in a check. It returns
	// an error when the gateway has no data folder.
	Disk func(DiskSettings) error
	// State returns the gateway's state of this name, made at its first use. It
	// outlives generations; make runs at most once a name.
	State func(name string, make func() any) any
}

// Reporter is a value of Env.State that has something to tell in /metrics. Report
// calls counter and gauge with names such as stratix_x_total{limit="a"}: those of
// one metric have the same begin. It runs on the goroutine of a scrape.
type Reporter interface {
	Report(counter func(name string, v uint64), gauge func(name string, v float64))
}

var registry struct {
	sync.Mutex
	plugins map[string]Plugin
}

// Register makes a plugin known, from init. It panics when the name is taken.
func Register(p Plugin) {
	registry.Lock()
	defer registry.Unlock()
	if registry.plugins == nil {
		registry.plugins = map[string]Plugin{}
	}
	if _, taken := registry.plugins[p.Name]; taken || p.Name == "" || p.Open == nil {
		panic(fmt.Sprintf("core: register plugin %q: the name is empty or taken, or Open is nil", p.Name))
	}
	registry.plugins[p.Name] = p
}

// Lookup finds a plugin by its name.
func Lookup(name string) (Plugin, bool) {
	registry.Lock()
	defer registry.Unlock()
	p, ok := registry.plugins[name]
	return p, ok
}

// Plugins returns all plugins, ordered by name.
func Plugins() []Plugin {
	registry.Lock()
	defer registry.Unlock()
	all := make([]Plugin, 0, len(registry.plugins))
	for _, p := range registry.plugins {
		all = append(all, p)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}
