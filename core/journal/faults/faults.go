// Package faults is a file layer for the journal that fails when told, and that
// forgets at a crash what was not synced. A kill keeps the system's cache, so
// that without it no test sees a sync that is missing.
package faults

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"github.com/stratix-gateway/stratix/core/journal"
)

// Errors that come from here and nowhere else.
var (
	ErrSync    = errors.New("faults: the sync was told to fail")
	ErrCrashed = errors.New("faults: crashed")
)

// FS is a file layer on top of another one. Its methods, and those of its files,
// may be called from any goroutine.
type FS struct {
	under journal.FS

	mu        sync.Mutex
	nodes     map[string]*node // by path: those in use, made or removed since the last crash
	lose      bool
	crashed   bool
	life      int      // grows with every crash: files of former lives are dead
	failSyncs int      // this many fail; -1 for all
	short     int      // this many writes stop half way
	full      bool     // nothing more is written
	noOpens   bool     // there are no descriptors
	room      int64    // bytes that may still be written
	until     int      // operations that change something until the crash; -1 for never
	steps     int      // of these so far
	misused   []string // see AfterFailedSync
}

// New makes a layer over under, which does nothing but pass on until it is told.
func New(under journal.FS) *FS {
	return &FS{
		under: under, nodes: map[string]*node{}, room: math.MaxInt64, until: -1,
	}
}

// Lose switches on that what is written, and which files there are, is kept in
// memory until it is synced. Switched off, all of it is written.
func (f *FS) Lose(on bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lose = on
	if on {
		return nil
	}
	var errs []error
	for name, n := range maps.Clone(f.nodes) {
		n.mark(synced)
		errs = append(errs, f.name(name, n))
	}
	return errors.Join(errs...)
}

// Crash forgets all that is not synced. Everything fails until Restart, and the
// files that are open now fail for ever. It is for tests within one process: a
// process that dies forgets by itself.
func (f *FS) Crash() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.crashed {
		f.crash()
	}
}

// CrashAfter crashes before the operation that changes something for the n+1st
// time from now. It returns how many there were so far.
func (f *FS) CrashAfter(n int) (steps int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.until = n
	return f.steps
}

// Restart lets everything work again, without any fault.
func (f *FS) Restart() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.crashed, f.full, f.noOpens = false, false, false
	f.failSyncs, f.short, f.room, f.until = 0, 0, math.MaxInt64, -1
}

// AfterFailedSync lists what was done to files whose sync had failed, other than
// to read or to cut them: nothing may be.
func (f *FS) AfterFailedSync() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.misused)
}

func (f *FS) crash() {
	f.crashed = true
	f.life++
	for _, n := range f.nodes {
		if n.real != nil {
			_ = n.real.Close()
		}
	}
	clear(f.nodes)
}

// step counts an operation that changes something; f.mu is held.
func (f *FS) step() error {
	if f.crashed {
		return ErrCrashed
	}
	if f.until == 0 {
		f.crash()
		return ErrCrashed
	}
	f.steps++
	f.until = max(f.until-1, -1)
	return nil
}

// Create makes a file, which lasts when its folder is synced.
func (f *FS) Create(name string) (journal.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.step(); err != nil {
		return nil, err
	}
	n := f.nodes[name]
	switch {
	case n != nil && !n.removed:
		return nil, fmt.Errorf("create %s: %w", name, syscall.EEXIST)
	case f.lose && n == nil:
		if old, err := f.under.Open(name); err == nil {
			_ = old.Close()
			return nil, fmt.Errorf("create %s: %w", name, syscall.EEXIST)
		}
		n = &node{}
	case f.lose: // it was removed and is made again before either is synced
		return nil, fmt.Errorf("create %s: not supported before the folder is synced", name)
	default:
		real, err := f.under.Create(name)
		if err != nil {
			return nil, err
		}
		n = &node{real: real}
	}
	f.nodes[name] = n
	return f.handle(name, n), nil
}

// Open opens a file.
func (f *FS) Open(name string) (journal.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.crashed {
		return nil, ErrCrashed
	}
	if f.noOpens {
		return nil, fmt.Errorf("open %s: %w", name, syscall.EMFILE)
	}
	n := f.nodes[name]
	if n == nil {
		real, err := f.under.Open(name)
		if err != nil {
			return nil, err
		}
		size, err := real.Size()
		if err != nil {
			return nil, err
		}
		n = &node{real: real, size: size}
		f.nodes[name] = n
	} else if n.removed {
		return nil, fmt.Errorf("open %s: %w", name, syscall.ENOENT)
	}
	return f.handle(name, n), nil
}

// Remove removes a file, which lasts when its folder is synced.
func (f *FS) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.step(); err != nil {
		return err
	}
	n := f.nodes[name]
	if n != nil && n.removed {
		return fmt.Errorf("remove %s: %w", name, syscall.ENOENT)
	}
	if !f.lose {
		if n != nil {
			delete(f.nodes, name)
			n.removed = true
			n.close()
		}
		return f.under.Remove(name)
	}
	if n == nil {
		real, err := f.under.Open(name)
		if err != nil {
			return err
		}
		n = &node{real: real} // there is no handle that closes it: SyncDir or a crash does
		f.nodes[name] = n
	}
	n.removed = true
	return nil
}

// SyncDir makes it last which files there are in dir.
func (f *FS) SyncDir(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.step(); err != nil {
		return err
	}
	for name, n := range maps.Clone(f.nodes) {
		if filepath.Dir(name) == filepath.Clean(dir) {
			if err := f.name(name, n); err != nil {
				return err
			}
		}
	}
	return f.under.SyncDir(dir)
}

// name does below what is to be done to the name of n.
func (f *FS) name(name string, n *node) error {
	switch {
	case n.removed:
		delete(f.nodes, name)
		if n.real == nil {
			return nil
		}
		n.close()
		return f.under.Remove(name)
	case n.real == nil:
		real, err := f.under.Create(name)
		if err != nil {
			return err
		}
		n.real = real
	}
	return n.apply()
}

// List lists the files in dir.
func (f *FS) List(dir string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.crashed {
		return nil, ErrCrashed
	}
	names, err := f.under.List(dir)
	if err != nil {
		return nil, err
	}
	return f.merge(dir, names), nil
}

// merge adds to names, which are those below, what is not yet known there.
func (f *FS) merge(dir string, names []string) []string {
	all := map[string]bool{}
	for _, name := range names {
		all[name] = true
	}
	for name, n := range f.nodes {
		if filepath.Dir(name) == filepath.Clean(dir) {
			all[filepath.Base(name)] = !n.removed
		}
	}
	maps.DeleteFunc(all, func(_ string, there bool) bool { return !there })
	return slices.Sorted(maps.Keys(all))
}
