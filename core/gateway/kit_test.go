package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/reload"
)

// hooks allow everything, and let so many messages fail once a second as are owed.
type hooks struct {
	program *core.Program
	owed    *atomic.Uint64
}

func (hooks) Connect(*core.Conn) error                           { return nil }
func (hooks) Disconnect(*core.Session, string) error             { return nil }
func (hooks) MaySend(*core.Session, core.Target) (string, error) { return "", nil }
func (hooks) MayJoin(*core.Session, string) (string, error)      { return "", nil }

func (h hooks) Tick(int64) error {
	n := h.owed.Swap(0)
	h.program.Toll.Messages += n
	h.program.Toll.Failed += n
	if n > 0 {
		h.program.Toll.Failing.Add(1)
	}
	return nil
}

// made is what the main.lua of these tests holds: no Lua, but what the generation
// is like.
type made struct {
	Name             string
	Messages, Failed uint64 // that it has handled from the first moment on
	Warnings         []string
}

func (m made) String() string {
	b, _ := json.Marshal(m)
	return string(b)
}

// loader makes generations of what made says.
func loader(owed *atomic.Uint64) Loader {
	return func(snap reload.Snapshot, opt LoadOptions) (*core.Generation, error) {
		if opt.Step != nil {
			opt.Step("load")
		}
		var m made
		if err := json.Unmarshal(snap.Files[reload.Main], &m); err != nil {
			return nil, fmt.Errorf("main.lua:1: %w", err)
		}
		gen := &core.Generation{Number: opt.Number, Warnings: m.Warnings}
		for range opt.Env.Shards {
			p := &core.Program{Generation: opt.Number, Pipeline: core.NewPipeline(opt.Number, nil, nil)}
			p.Hooks = hooks{p, owed}
			gen.Programs = append(gen.Programs, p)
		}
		gen.Programs[0].Toll = core.Toll{Messages: m.Messages, Failed: m.Failed}
		if m.Failed > 0 {
			gen.Programs[0].Toll.Failing.Add(1)
		}
		return gen, nil
	}
}

// written is a log that a test reads.
type written struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// rig is a gateway whose scripts are not Lua.
type rig struct {
	*Gateway
	t    *testing.T
	log  *written
	owed *atomic.Uint64 // failures
	stop func()         // shuts down and waits; more calls do nothing
}

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// serve starts a gateway with first as its scripts.
func serve(t *testing.T, first made, adjust func(*Options)) *rig {
	t.Helper()
	log, owed := &written{}, new(atomic.Uint64)
	opt := Options{
		Listen: "127.0.0.1:0", Scripts: t.TempDir(), Load: loader(owed), Gate: GateTest, Budget: 100_000,
		RollbackWindow: time.Hour, RollbackErrors: 0.05, RollbackInstructions: 0.5,
		Shards: 2, Transport: "goroutine", MaxConnections: 10, MaxMessage: 1 << 16, QueueBytes: 1 << 20,
		HandshakeTimeout: time.Minute, StallTimeout: time.Minute, PingEvery: time.Minute, IdleTimeout: time.Hour,
		DrainTimeout: time.Minute, Window: 16, AckTimeout: time.Minute, Sessions: 100, SessionLifetime: time.Hour,
		SeenMessages: 100, SeenAge: time.Minute, TraceBytes: 1 << 20, Log: slog.New(slog.NewTextHandler(log, nil)),
	}
	if adjust != nil {
		adjust(&opt)
	}
	r := &rig{t: t, log: log, owed: owed}
	write(t, opt.Scripts, first)
	var err error
	if r.Gateway, err = Open(opt); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the gateway ended with: %v", err)
			}
		case <-time.After(patience):
			t.Error("the gateway does not end")
		}
		if t.Failed() {
			t.Logf("the gateway's log:\n%s", log)
		}
	})
	t.Cleanup(r.stop)
	r.wait("the gateway to be ready", func() bool { return r.ready.Load() })
	return r
}

func write(t *testing.T, dir string, m made) {
	t.Helper()
	name := filepath.Join(dir, reload.Main)
	if err := os.WriteFile(name+"~", []byte(m.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+"~", name); err != nil {
		t.Fatal(err)
	}
}

// save writes the scripts and has them taken through the gate.
func (r *rig) save(m made) error {
	r.t.Helper()
	write(r.t, r.opt().Scripts, m)
	return r.Reload("api")
}

// wait asks again and again until ok says so.
func (r *rig) wait(what string, ok func() bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// live is the name of what is live.
func (r *rig) live() string {
	files, err := r.generationFiles("live")
	if err != nil {
		r.t.Fatal(err)
	}
	var m made
	if err := json.Unmarshal(files.Files[reload.Main], &m); err != nil {
		r.t.Fatal(err)
	}
	return m.Name
}

// fail makes n more messages fail in what is live.
func (r *rig) fail(n uint64) { r.owed.Add(n) }
