package disk_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/coretest"
	_ "github.com/stratix-gateway/stratix/plugins/disk"
)

type values = map[string]any

// gateway lends a log, and notes the settings that stages give to it.
type gateway struct {
	*core.Env
	given  []core.DiskSettings
	broken error // of Disk
}

func newGateway(t *testing.T) *gateway {
	g := &gateway{Env: coretest.Env(t, nil)}
	g.Disk = func(s core.DiskSettings) error {
		if g.broken != nil {
			return g.broken
		}
		g.given = append(g.given, s)
		return nil
	}
	return g
}

// open opens a stage without starting it.
func (g *gateway) open(t *testing.T, v values) stage {
	t.Helper()
	p, _ := core.Lookup("disk")
	s, err := p.Open(core.Config{Stage: "disk", Values: v}, g.Env)
	if err != nil {
		t.Fatal(err)
	}
	return s.(stage)
}

type stage interface {
	core.Stage
	core.Starter
	core.Stopper
}

func start(t *testing.T, s stage) {
	t.Helper()
	if err := s.Start(t.Context()); err != nil {
		t.Fatalf("start: %v", err)
	}
}

func stop(t *testing.T, s stage) {
	t.Helper()
	if err := s.Stop(t.Context()); err != nil {
		t.Fatalf("stop: %v", err)
	}
}

func TestMessagesAreMarkedForTheDisk(t *testing.T) {
	s := coretest.Open(t, "disk", values{}, nil)
	f := func(before, choice, want core.Storage) {
		t.Helper()
		m := coretest.Message("ann", `1`)
		m.Storage, m.StorageChoice = before, choice
		if v := coretest.RunStage(t, s, m); v != core.Next {
			t.Errorf("got the verdict %v", v)
		}
		if m.Storage != want || m.StorageChoice != choice || m.Effects.Routed() {
			t.Errorf("kept in %q with the choice %q before: got %q, want %q", before, choice, m.Storage, want)
		}
	}
	f(core.StorageUnset, core.StorageUnset, core.StorageDisk)
	f(core.StorageMemory, core.StorageUnset, core.StorageDisk)
	f(core.StorageDisk, core.StorageUnset, core.StorageDisk)
	f(core.StorageUnset, core.StorageNone, core.StorageNone)
	f(core.StorageUnset, core.StorageMemory, core.StorageMemory)
	f(core.StorageUnset, core.StorageDisk, core.StorageDisk)
}

func TestHandleDoesNotAllocate(t *testing.T) {
	s := coretest.Open(t, "disk", values{}, nil)
	m := coretest.Message("ann", `1`)
	coretest.AllocCeiling(t, 0, func() { _, _ = s.Handle(m) })
}

func TestTheLogGetsTheSettings(t *testing.T) {
	f := func(v values, want core.DiskSettings) {
		t.Helper()
		g := newGateway(t)
		coretest.OpenIn(t, g.Env, "disk", v)
		if len(g.given) != 1 || g.given[0] != want {
			t.Errorf("%v:\n got %+v\nwant %+v", v, g.given, want)
		}
	}
	with := func(change func(*core.DiskSettings)) core.DiskSettings {
		s := core.DefaultDiskSettings()
		change(&s)
		return s
	}
	f(values{}, core.DefaultDiskSettings())
	f(values{"sync": "commit"}, core.DefaultDiskSettings())
	f(values{"sync": "os"}, with(func(s *core.DiskSettings) { s.Sync = core.SyncOS }))
	f(values{"sync": "interval"}, with(func(s *core.DiskSettings) { s.Sync = core.SyncInterval }))
	f(values{"sync": "interval", "interval": "1ms"},
		with(func(s *core.DiskSettings) { s.Sync, s.Interval = core.SyncInterval, time.Millisecond }))
	f(values{"sync": "interval", "interval": "1h"},
		with(func(s *core.DiskSettings) { s.Sync, s.Interval = core.SyncInterval, time.Hour }))
	f(values{"segment": "1MiB"}, with(func(s *core.DiskSettings) { s.Segment = 1 << 20 }))
	f(values{"segment": "1GiB", "retain_bytes": 0.0, "retain_age": "0s"},
		with(func(s *core.DiskSettings) { s.Segment, s.RetainBytes, s.RetainAge = 1<<30, 0, 0 }))
	f(values{"retain_bytes": "2TiB", "retain_age": "48h"},
		with(func(s *core.DiskSettings) { s.RetainBytes, s.RetainAge = 2<<40, 48*time.Hour }))
}

func TestSettingsAreRefused(t *testing.T) {
	f := func(v values, want string) {
		t.Helper()
		err := coretest.Refusal(t, "disk", v, nil)
		if got, want := err.Error(), "main.lua:1: stage.disk: "+want; got != want {
			t.Errorf("%v:\n got %s\nwant %s", v, got, want)
		}
	}
	f(values{"snyc": "os"}, `unknown key "snyc"; did you mean "sync"?`)
	f(values{"sync": "comit"}, `sync: expected "commit", "interval" or "os", got "comit"; did you mean "commit"?`)
	f(values{"sync": "Commit"}, `sync: expected "commit", "interval" or "os", got "Commit"; did you mean "commit"?`)
	f(values{"sync": "never"}, `sync: expected "commit", "interval" or "os", got "never"`)
	f(values{"sync": ""}, `sync: expected "commit", "interval" or "os", got ""`)
	f(values{"sync": true}, `sync: expected a string, got true`)
	f(values{"interval": "1s"}, `interval: works with sync = "interval" only, and sync is "commit"`)
	f(values{"sync": "os", "interval": "5s"}, `interval: works with sync = "interval" only, and sync is "os"`)
	f(values{"sync": "interval", "interval": 1.0}, `interval: expected a duration such as "30s" or "5m", got the number 1: a duration names its unit; did you mean "1s"?`)
	f(values{"sync": "interval", "interval": "0s"}, `interval: expected 1ms to 1h0m0s, got 0s`)
	f(values{"sync": "interval", "interval": "999us"}, `interval: expected 1ms to 1h0m0s, got 999µs`)
	f(values{"sync": "interval", "interval": "61m"}, `interval: expected 1ms to 1h0m0s, got 1h1m0s`)
	f(values{"segment": 1048575.0}, `segment: expected 1MiB to 1GiB, got 1048575B`)
	f(values{"segment": 1073741825.0}, `segment: expected 1MiB to 1GiB, got 1073741825B`)
	f(values{"retain_bytes": -1.0}, `retain_bytes: expected a size such as "512MiB" or a number of bytes, got the number -1`)
	f(values{"retain_age": "-1h"}, `retain_age: expected a duration such as "30s" or "5m", got the string "-1h"`)
}

func TestAnErrorOfTheLogIsThatOfTheStart(t *testing.T) {
	g := newGateway(t)
	start(t, g.open(t, values{}))
	g.broken = errors.New("no data folder")
	if err := g.open(t, values{"sync": "os"}).Start(t.Context()); !errors.Is(err, g.broken) {
		t.Errorf("got %v", err)
	}
	// What did not start is not what is gone back to.
	g.broken = nil
	refused := g.open(t, values{"sync": "interval"})
	start(t, refused)
	stop(t, refused)
	if got, want := g.syncs(), "commit interval commit"; got != want {
		t.Errorf("the log got %q, want %q", got, want)
	}
}

func TestAnErrorOfTheLogIsThatOfTheStop(t *testing.T) {
	g := newGateway(t)
	start(t, g.open(t, values{}))
	refused := g.open(t, values{"sync": "os"})
	start(t, refused)
	g.broken = errors.New("log is closed")
	if err := refused.Stop(t.Context()); !errors.Is(err, g.broken) {
		t.Errorf("got %v", err)
	}
}

func TestACheckOpensButDoesNotStart(t *testing.T) {
	g := newGateway(t)
	g.Disk, g.State = nil, nil
	s := g.open(t, values{})
	if err := s.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "no log") {
		t.Errorf("got %v", err)
	}
}

// syncs are the settings that the log got so far, by their Sync.
func (g *gateway) syncs() string {
	words := map[core.Sync]string{core.SyncCommit: "commit", core.SyncInterval: "interval", core.SyncOS: "os"}
	var out []string
	for _, s := range g.given {
		out = append(out, words[s.Sync])
	}
	return strings.Join(out, " ")
}

func TestAReplacedStageTakesNothingWithIt(t *testing.T) {
	g := newGateway(t)
	first, second, third := g.open(t, values{}), g.open(t, values{"sync": "interval"}), g.open(t, values{"sync": "os"})
	start(t, first)
	start(t, second)
	start(t, third)
	stop(t, second)
	stop(t, first)
	stop(t, third)
	if got, want := g.syncs(), "commit interval os"; got != want {
		t.Errorf("the log got %q, want %q", got, want)
	}
}

func TestARefusedGenerationLeavesTheLogAsItWas(t *testing.T) {
	g := newGateway(t)
	live := g.open(t, values{"sync": "interval"})
	start(t, g.open(t, values{}))
	start(t, live)
	refused := g.open(t, values{"sync": "os"})
	start(t, refused)
	stop(t, refused)
	if got, want := g.syncs(), "commit interval os interval"; got != want {
		t.Errorf("the log got %q, want %q", got, want)
	}
}

func TestAStageThatIsNotStartedStopsQuietly(t *testing.T) {
	g := newGateway(t)
	start(t, g.open(t, values{}))
	stop(t, g.open(t, values{"sync": "os"}))
	if got := g.syncs(); got != "commit" {
		t.Errorf("the log got %q", got)
	}
}

func TestTheReadmeIsTrue(t *testing.T) {
	g := newGateway(t)
	for _, source := range coretest.Fences(t, "README.md", "lua") {
		if strings.Contains(source, "pipeline") {
			continue // plugins/all loads these
		}
		for _, s := range coretest.Stages(t, source) {
			coretest.OpenIn(t, g.Env, s.Name, s.Values)
		}
	}
	if got, want := g.syncs(), "commit interval"; got != want {
		t.Errorf("the log got %q, want %q", got, want)
	}
	if len(g.given) > 0 && g.given[0] != core.DefaultDiskSettings() {
		t.Errorf("the first example sets %+v", g.given[0])
	}
}

func TestACanarysSettingsWaitUntilItIsLiveForAll(t *testing.T) {
	g := newGateway(t)
	live, canary, refused := g.open(t, values{"sync": "os"}), g.open(t, values{"sync": "interval"}), g.open(t, values{})
	start(t, live)
	for _, s := range []stage{refused, canary} {
		if err := s.Start(core.ForCanary(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	stop(t, refused)
	if got, want := g.given[len(g.given)-1].Sync, core.SyncOS; got != want {
		t.Errorf("the log has %v, want %v", got, want)
	}
	for range 2 { // a stage that it shares with what is live governs already
		if err := canary.(core.Governor).Govern(); err != nil {
			t.Fatal(err)
		}
	}
	stop(t, live)
	if got, want := g.syncs(), "os os os interval"; got != want {
		t.Errorf("the log got %q, want %q", got, want)
	}
	g.broken = errors.New("no data folder")
	if err := g.open(t, values{}).Start(core.ForCanary(t.Context())); !errors.Is(err, g.broken) {
		t.Errorf("without a data folder a canary starts with %v", err)
	}
}
