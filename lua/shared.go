package lua

import (
	"crypto/sha256"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"sync"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/kv"
	"github.com/stratix-gateway/stratix/core/metric"
	"github.com/stratix-gateway/stratix/core/upstream"
	"github.com/stratix-gateway/stratix/core/words"
	glua "github.com/yuin/gopher-lua"
)

// shared is what the VMs of one generation share, beside compiled code.
type shared struct {
	kv      *kv.Store   // the gateway's
	metrics *metric.Set // what this generation declares
	// upstreams is where this generation's belong.
	upstreams *upstream.Registry
	// environment has the variables that scripts may read; LNil is one that is
	// not set. It does not change.
	environment map[string]glua.LValue

	// Each shard's main.lua asks for the same word lists and expressions.
	mu       sync.Mutex // guards what follows
	lists    map[[sha256.Size]byte]*words.Matcher
	patterns map[string]*expression
}

func newShared(opt Options) *shared {
	s := &shared{
		environment: map[string]glua.LValue{},
		lists:       map[[sha256.Size]byte]*words.Matcher{},
		patterns:    map[string]*expression{},
	}
	s.kv = lent(opt.Env, kv.State, func() *kv.Store { return kv.New(kv.Limits{}) })
	s.metrics = lent(opt.Env, metric.State, func() *metric.Registry { return metric.NewRegistry(opt.Shards) }).NewSet()
	s.upstreams = lent(opt.Env, upstream.State, func() *upstream.Registry { return upstream.NewRegistry(slog.New(slog.DiscardHandler)) })
	for _, name := range opt.ScriptEnv {
		s.environment[name] = glua.LNil
		if value, set := os.LookupEnv(name); set {
			s.environment[name] = glua.LString(value)
		}
	}
	return s
}

// lent is the gateway's state of this name; without a gateway one of its own.
func lent[T any](env *core.Env, name string, make func() T) T {
	if env == nil || env.State == nil {
		return make()
	}
	return env.State(name, func() any { return make() }).(T)
}

// metricsLife lets the gateway start and stop a generation's metrics like one of
// its stages. No message reaches it.
type metricsLife struct{ *metric.Set }

// Handle is never called: the pipeline does not have it.
func (metricsLife) Handle(*core.Message) (core.Verdict, error) { return core.Next, nil }

// withMetrics adds the generation's metrics, if it has any, to what starts and
// stops with it.
func (l *load) withMetrics(stages []core.OpenStage) []core.OpenStage {
	if l.shared.metrics.Empty() {
		return stages
	}
	return append(slices.Clip(stages), core.OpenStage{Name: "metric", Pos: mainFile, Stage: metricsLife{l.shared.metrics}, Life: new(core.Life)})
}

// expression is a compiled regular expression.
type expression struct {
	*regexp.Regexp
	steps int // of its program
	cost  int // instructions for each byte of a text
}

// onlyWhileLoading raises an error when what is called belongs into main.lua or
// a module, outside of the functions that handle messages.
func (in *instance) onlyWhileLoading(L *glua.LState, name string) {
	if !in.loading {
		L.RaiseError("%s can only be called while the scripts load; keep its result in a local outside of the function", name)
	}
}

// object is a value of Go as scripts see it.
func (in *instance) object(meta *glua.LTable, value any) *glua.LUserData {
	object := in.vm.L.NewUserData()
	object.Value, object.Metatable = value, meta
	return object
}

// receiver is the object that a verb was called on; example shows the call.
func receiver[T any](L *glua.LState, example string) T {
	if object, ok := L.Get(1).(*glua.LUserData); ok {
		if value, ok := object.Value.(T); ok {
			return value
		}
	}
	L.RaiseError("a verb needs its object and a colon, as in %s", example)
	panic("unreachable")
}

// options is argument n, a table that has the known keys only, or nil.
func options(L *glua.LState, n int, name string, known ...string) *glua.LTable {
	t, ok := L.Get(n).(*glua.LTable)
	if !ok {
		if L.Get(n) != glua.LNil {
			L.RaiseError("%s takes a table of options, not a %s", name, L.Get(n).Type())
		}
		return nil
	}
	for key, _ := t.Next(glua.LNil); key != glua.LNil; key, _ = t.Next(key) {
		if s, ok := key.(glua.LString); !ok || !slices.Contains(known, string(s)) {
			L.RaiseError("%s: unknown option %q%s", name, key.String(), didYouMean(key.String(), known))
		}
	}
	return t
}

// flagOption is an option that is true or false, false when it is absent.
func flagOption(L *glua.LState, t *glua.LTable, name, key string) bool {
	if t == nil {
		return false
	}
	v := t.RawGetString(key)
	if b, ok := v.(glua.LBool); ok || v == glua.LNil {
		return bool(b)
	}
	L.RaiseError("%s: %s is true or false, not a %s", name, key, v.Type())
	return false
}
