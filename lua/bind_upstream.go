package lua

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/upstream"
	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
)

// newUpstream is upstream "name": it returns the function that takes the table.
func (in *instance) newUpstream(L *glua.LState) int {
	if !in.loading {
		L.RaiseError("upstream can only be called while the scripts load")
	}
	name := argString(L, 1, "upstream", `a name, as in upstream "orders" { url = "..." }`)
	if why := upstream.CheckName(name); why != "" {
		L.RaiseError("upstream: the name %.80q %s", name, why)
	}
	if at := in.upstreamAt(name); at >= 0 {
		L.RaiseError("upstream %q is there already, at %s", name, in.upstreams[at].pos)
	}
	if len(in.upstreams) == upstream.Max {
		L.RaiseError("scripts may have %d upstreams", upstream.Max)
	}
	s := &spec{name: name, pos: in.vm.where()}
	in.upstreams = append(in.upstreams, s)
	L.Push(L.NewFunction(func(L *glua.LState) int {
		what := fmt.Sprintf("upstream %q", name)
		t, ok := L.Get(1).(*glua.LTable)
		switch {
		case !in.loading || s.values != nil:
			L.RaiseError("%s has its settings already", what)
		case !ok:
			L.RaiseError("%s takes a table of settings, not a %s", what, L.Get(1).Type())
		}
		values, ok := in.setting(L, what, t, 0).(map[string]any)
		if !ok {
			L.RaiseError("%s takes settings by name, as in %s { url = \"...\" }", what, what)
		}
		s.values = values
		return 0
	}))
	return 1
}

func (in *instance) upstreamAt(name string) int {
	return slices.IndexFunc(in.upstreams, func(s *spec) bool { return s.name == name })
}

func (in *instance) hasUpstream(name string) bool { return in.upstreamAt(name) >= 0 }

// noUpstream says that there is none of this name.
func (in *instance) noUpstream(name string) string {
	names := make([]string, len(in.upstreams))
	for i, s := range in.upstreams {
		names[i] = s.name
	}
	return fmt.Sprintf("unknown upstream %q%s", name, didYouMean(name, names))
}

// openEnded are the upstreams that were named and got no settings.
func (in *instance) openEnded() (problems Problems) {
	for _, s := range in.upstreams {
		if s.values == nil {
			problems = append(problems, Problem{s.pos, fmt.Sprintf("upstream %q has no settings: write upstream %q { url = \"...\" }", s.name, s.name)})
		}
	}
	return problems
}

// openUpstreams checks the upstreams that the scripts have named, and that no other
// name is posted to.
func (l *load) openUpstreams(in *instance) (*upstream.Set, error) {
	var descs []upstream.Desc
	var problems Problems
	for _, s := range in.upstreams {
		d, err := l.upstream(s)
		if err != nil {
			problems = append(problems, upstreamProblems(s, err)...)
			continue
		}
		descs = append(descs, d)
	}
	if problems = append(problems, l.strayUpstreams(in)...); problems != nil {
		return nil, problems
	}
	return l.shared.upstreams.NewSet(descs), nil
}

func (l *load) upstream(s *spec) (upstream.Desc, error) {
	c := core.Config{What: fmt.Sprintf("upstream %q", s.name), Pos: s.pos, Values: s.values, KeyPos: l.upstreamKeyPos(s)}
	settings, err := upstream.Read(c)
	d := upstream.Desc{Name: s.name, Settings: settings}
	if err != nil || settings.SecretEnv == "" {
		return d, err
	}
	value, allowed := l.shared.environment[settings.SecretEnv]
	if !allowed {
		return d, c.Errorf("secret_env", "the environment variable %s is not one that scripts may read: name it with --script-env %s", settings.SecretEnv, settings.SecretEnv)
	}
	if text, set := value.(glua.LString); set {
		d.Secret = string(text)
	}
	return d, nil
}

// upstreamProblems makes Problems of an error that may have several lines, each
// with its place.
func upstreamProblems(s *spec, err error) (problems Problems) {
	for _, line := range strings.Split(err.Error(), "\n") {
		pos, text := splitPosition(line)
		if pos == "" {
			pos = s.pos
		}
		problems = append(problems, Problem{pos, text})
	}
	return problems
}

// strayUpstreams finds the names that are written out in msg:to_upstream("name")
// and are none of an upstream. Others are found when they are called.
func (l *load) strayUpstreams(in *instance) (problems Problems) {
	for _, file := range l.scriptFiles() {
		eachCall(reflect.ValueOf(parsed(file, l.src[file])), func(call *ast.FuncCallExpr) {
			if call.Method != "to_upstream" || len(call.Args) == 0 {
				return
			}
			if name, ok := call.Args[0].(*ast.StringExpr); ok && !in.hasUpstream(name.Value) {
				problems = append(problems, Problem{position(file, call.Line()), in.noUpstream(name.Value)})
			}
		})
	}
	return problems
}

// sameUpstreams checks that main.lua named the same upstreams again.
func sameUpstreams(first, again []*spec) error {
	for i := range max(len(first), len(again)) {
		if i < len(first) && i < len(again) && reflect.DeepEqual(first[i], again[i]) {
			continue
		}
		odd := append(slices.Clone(again[min(i, len(again)):]), first[min(i, len(first)):]...)[0]
		return Problems{{odd.pos, fmt.Sprintf("upstream %q is another one each time main.lua runs; each shard runs it once, and all must agree", odd.name)}}
	}
	return nil
}

// upstreamLife lets the gateway start and stop a generation's upstreams like one
// of its stages. No message reaches it.
type upstreamLife struct{ *upstream.Set }

// Handle is never called: the pipeline does not have it.
func (upstreamLife) Handle(*core.Message) (core.Verdict, error) { return core.Next, nil }

// withUpstreams adds the generation's upstreams, if it has any, to what starts and
// stops with it.
func withUpstreams(stages []core.OpenStage, set *upstream.Set, specs []*spec) []core.OpenStage {
	if len(specs) == 0 {
		return stages
	}
	return append(slices.Clip(stages), core.OpenStage{Name: "upstreams", Pos: specs[0].pos, Stage: upstreamLife{set}, Life: new(core.Life)})
}
