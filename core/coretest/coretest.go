// Package coretest is what the author of a plugin tests with: sessions and
// messages without a gateway, a stage opened as the gateway opens it, and a
// ceiling for its allocations. Only tests import it.
package coretest

import (
	"bytes"
	"context"
	"io/fs"
	"log/slog"
	"net/netip"
	"sync"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

// Session is the session of a client that connected from 127.0.0.1.
func Session(id string) *core.Session {
	return &core.Session{ID: id, Remote: netip.AddrFrom4([4]byte{127, 0, 0, 1})}
}

// Message is a message of the client from with data, a JSON value, as its
// payload. Its messageId is "msg-001", its time the first second of 2026, and
// it names no target.
func Message(from, data string) *core.Message {
	return &core.Message{
		From: Session(from),
		ID:   []byte(`"msg-001"`),
		Data: []byte(data),
		Size: len(data),
		Time: 1767225600000,
	}
}

// Env is what a gateway of one shard lends to a stage: files stand for the
// scripts folder, the log goes to the output of the test, the Ring has the
// default bounds, and Disk accepts all settings. A test that wants to see them
// puts a Disk of its own there and opens with OpenIn.
func Env(t testing.TB, files map[string]string) *core.Env {
	var mu sync.Mutex
	states := map[string]any{}
	return &core.Env{
		Shards: 1,
		Ring:   core.NewRing(),
		Disk:   func(core.DiskSettings) error { return nil },
		Log:    slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
		ReadFile: func(name string) ([]byte, error) {
			text, ok := files[name]
			if !ok {
				return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
			}
			return []byte(text), nil
		},
		State: func(name string, make func() any) any {
			mu.Lock()
			defer mu.Unlock()
			state, ok := states[name]
			if !ok {
				state = make()
				states[name] = state
			}
			return state
		},
	}
}

// Open opens a stage of a registered plugin with the values that a script gives
// to it, for shard 0, and starts it. It is stopped when the test ends.
func Open(t testing.TB, plugin string, values map[string]any, files map[string]string) core.Stage {
	t.Helper()
	return OpenIn(t, Env(t, files), plugin, values)
}

// OpenIn is Open with what env lends, so that a test sees what the stage does
// with it.
func OpenIn(t testing.TB, env *core.Env, plugin string, values map[string]any) core.Stage {
	t.Helper()
	opened, err := open(t, env, plugin, values)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	stage := opened
	if s, ok := opened.(core.Sharded); ok {
		stage = s.ForShard(0)
	}
	if s, ok := opened.(core.Starter); ok {
		if err := s.Start(t.Context()); err != nil {
			t.Fatalf("start stage.%s: %v", plugin, err)
		}
	}
	if s, ok := opened.(core.Stopper); ok {
		t.Cleanup(func() {
			if err := s.Stop(context.WithoutCancel(t.Context())); err != nil {
				t.Errorf("stop stage.%s: %v", plugin, err)
			}
		})
	}
	return stage
}

// Refusal is the error with which the plugin refuses to open with these values,
// at the place "main.lua:1". The test fails when the plugin accepts them.
func Refusal(t testing.TB, plugin string, values map[string]any, files map[string]string) error {
	t.Helper()
	_, err := open(t, Env(t, files), plugin, values)
	if err == nil {
		t.Fatalf("stage.%s opens with %v, want an error", plugin, values)
	}
	return err
}

func open(t testing.TB, env *core.Env, plugin string, values map[string]any) (core.Stage, error) {
	t.Helper()
	p, ok := core.Lookup(plugin)
	if !ok {
		t.Fatalf("no plugin %q is registered: does the test import its package?", plugin)
	}
	stage, err := p.Open(core.Config{Stage: plugin, Pos: "main.lua:1", Values: values}, env)
	if err == nil && stage == nil {
		t.Fatalf("stage.%s opened neither a stage nor an error", plugin)
	}
	return stage, err
}

// RunStage hands m to the stage and returns its verdict. The test fails when
// the stage returns an error or no verdict, ends a message without saying why,
// or writes into the bytes that m came with.
func RunStage(t testing.TB, stage core.Stage, m *core.Message) core.Verdict {
	t.Helper()
	lent := [][]byte{m.ID, m.Data, m.Headers, m.To}
	before := make([][]byte, len(lent))
	for i, b := range lent {
		before[i] = bytes.Clone(b)
	}
	v, err := stage.Handle(m)
	switch {
	case err != nil:
		t.Fatalf("handle: %v", err)
	case v > core.Hold:
		t.Fatalf("handle: %d is no verdict", uint8(v))
	case v == core.Drop && m.Effects.Code == "":
		t.Error("handle: dropped without a code; use Message.Reject or Message.DropFor")
	}
	for i, b := range lent {
		if !bytes.Equal(b, before[i]) {
			t.Errorf("handle: wrote into the message's bytes: %q became %q", before[i], b)
		}
	}
	return v
}

// AllocCeiling fails the test when f allocates more than n times a run, on
// average and after a first run to warm up. No parallel test may run beside it.
// Under the race detector, which allocates by itself, f only runs.
func AllocCeiling(t testing.TB, n float64, f func()) {
	t.Helper()
	if raceDetector {
		f()
		return
	}
	if got := testing.AllocsPerRun(200, f); got > n {
		t.Errorf("%v allocations a run, want at most %v", got, n)
	}
}
