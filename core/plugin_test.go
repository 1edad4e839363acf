package core_test

import (
	"slices"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

func openNothing(core.Config, *core.Env) (core.Stage, error) { return verdict(core.Next), nil }

func init() {
	core.Register(core.Plugin{Name: "second", Doc: "b", Open: openNothing})
	core.Register(core.Plugin{Name: "first", Doc: "a", Open: openNothing})
}

func TestARegisteredPluginIsFoundByItsName(t *testing.T) {
	f := func(name, wantDoc string, want bool) {
		t.Helper()
		p, ok := core.Lookup(name)
		if ok != want || p.Doc != wantDoc {
			t.Errorf("lookup %q: got %q, %v, want %q, %v", name, p.Doc, ok, wantDoc, want)
		}
	}
	f("first", "a", true)
	f("second", "b", true)
	f("third", "", false)
	f("", "", false)
}

func TestPluginsAreListedByName(t *testing.T) {
	var names []string
	for _, p := range core.Plugins() {
		names = append(names, p.Name)
	}
	if want := []string{"first", "second"}; !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
}

func TestRegisterPanicsOnAPluginItCannotTake(t *testing.T) {
	f := func(p core.Plugin) {
		t.Helper()
		known := len(core.Plugins())
		defer func() {
			if recover() == nil {
				t.Errorf("plugin %q: no panic", p.Name)
			}
			if len(core.Plugins()) != known {
				t.Errorf("plugin %q: registered all the same", p.Name)
			}
		}()
		core.Register(p)
	}
	f(core.Plugin{Name: "first", Open: openNothing})
	f(core.Plugin{Name: "", Open: openNothing})
	f(core.Plugin{Name: "unopened"})
}
