package token

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stratix-gateway/stratix/core/file"
)

// pollEvery is how often a key file is looked at.
const pollEvery = 2 * time.Second

// File is a key file. It is looked at every two seconds; one that cannot be used
// leaves the keys as they are.
type File struct {
	Name string
	// Accept says what is wrong with its keys.
	Accept func(Keys) error
	// Guarded wants a file that none but its owner may write, nor read if there is a
	// secret in it.
	Guarded bool
	// ForGroup makes what only the file's group may do with it a warning: root:stratix
	// with mode 640 is a common way to give a service its files.
	ForGroup bool
	Log      *slog.Logger

	keys    atomic.Pointer[Keys]
	failing atomic.Bool // the last look has failed
	end     context.CancelFunc
	done    sync.WaitGroup

	mu     sync.Mutex // guards what follows, and is held while the file is read
	hash   [32]byte   // of the file that the keys are of
	failed string     // the last error, while it lasts
	warned string     // the last warning
}

// Start reads the file, and looks at it from then on.
func (f *File) Start(context.Context) error {
	if err := f.Check(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.end = cancel
	f.done.Go(func() { f.follow(ctx) })
	return nil
}

// Check reads the file for the first time. Its error names it.
func (f *File) Check() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	all, hash, err := f.read()
	if err != nil {
		return err
	}
	f.hash = hash
	f.keys.Store(&all)
	return nil
}

// Stop ends the looking after it.
func (f *File) Stop() {
	if f.end != nil {
		f.end()
		f.done.Wait()
	}
}

// Find returns the keys with this kid.
func (f *File) Find(_ context.Context, id, algorithm string) ([]any, error) {
	all := f.keys.Load()
	if all == nil {
		return nil, errors.New("the key file has not been read")
	}
	return all.find(id, algorithm), nil
}

// follow reads the file again and again until ctx ends.
func (f *File) follow(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.Reload()
		}
	}
}

// Reload reads the file now.
func (f *File) Reload() {
	f.mu.Lock()
	defer f.mu.Unlock()
	all, hash, err := f.read()
	f.failing.Store(err != nil)
	switch {
	case err != nil && err.Error() != f.failed:
		f.failed = err.Error()
		f.Log.Error("the key file cannot be used: the keys from before stay", "error", err)
	case err != nil:
	case hash != f.hash:
		f.hash, f.failed = hash, ""
		f.keys.Store(&all)
		f.Log.Info("the key file was read again", "file", f.Name, "keys", len(all))
	case f.failed != "":
		f.failed = ""
		f.Log.Info("the key file is as it was", "file", f.Name)
	}
}

// read returns what the file holds, and a hash of it. Its error names the file.
func (f *File) read() (Keys, [32]byte, error) {
	text, mode, err := file.Read(f.Name)
	if err != nil {
		return nil, [32]byte{}, err
	}
	all, err := Parse(text)
	if err == nil && f.Guarded {
		err = f.guard(mode, all.secret())
	}
	if err == nil {
		err = f.Accept(all)
	}
	if err != nil {
		return nil, [32]byte{}, fmt.Errorf("%s: %w", f.Name, err)
	}
	return all, sha256.Sum256(text), nil
}

// guard is guard, with ForGroup. The caller holds mu.
func (f *File) guard(mode fs.FileMode, secret bool) error {
	wrong := guard(mode, secret)
	if wrong == nil || !f.ForGroup || guard(mode&^0o070, secret) != nil {
		return wrong
	}
	if text := wrong.Error(); text != f.warned {
		f.warned = text
		f.Log.Warn("the key file is open to its group: see that nobody else is in it", "file", f.Name, "problem", text)
	}
	return nil
}

// guard refuses a file that others could write, or read a secret in.
func guard(mode fs.FileMode, secret bool) error {
	switch {
	case runtime.GOOS == "windows":
	case mode.Perm()&0o022 != 0:
		return fmt.Errorf("it has mode %04o, and others may write it: chmod 600", mode.Perm())
	case secret && mode.Perm()&0o077 != 0:
		return fmt.Errorf("it holds a secret and has mode %04o, and others may read it: chmod 600", mode.Perm())
	}
	return nil
}
