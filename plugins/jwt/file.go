package jwt

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

const (
	maxFile   = 1 << 20         // bytes of a key file
	pollEvery = 2 * time.Second // whether a key file has changed
)

// fixed are keys that do not change while their stage lives.
type fixed struct{ all keys }

func (f fixed) start(context.Context) error { return nil }
func (f fixed) stop()                       {}
func (f fixed) refresh()                    {}

func (f fixed) find(_ context.Context, id, algorithm string) ([]any, error) {
	return f.all.find(id, algorithm), nil
}

// openFile is a key file: one of the scripts folder is read now, and a change of
// it makes another generation; one elsewhere is read when the stage starts, since
// a check may run where it is not.
func openFile(c core.Config, env *core.Env, s *settings) (source, error) {
	if filepath.IsAbs(s.KeyFile) {
		return &file{name: s.KeyFile, algorithms: s.Algorithms, log: env.Log, soon: make(chan struct{}, 1)}, nil
	}
	text, err := env.ReadFile(s.KeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, c.Errorf("key_file", "%.200q is not in the scripts folder, of which *.lua, *.json and *.txt are read; a file elsewhere needs an absolute path", s.KeyFile)
	}
	if err != nil {
		return nil, c.Errorf("key_file", "%w", err)
	}
	all, err := parseKeys(text, s.Algorithms)
	if err != nil {
		return nil, c.Errorf("key_file", "%s: %w", s.KeyFile, err)
	}
	return fixed{all}, nil
}

// file is a key file outside of the scripts folder. It is looked at every two
// seconds; one that cannot be used leaves the keys as they are.
type file struct {
	name       string
	algorithms []string
	log        *slog.Logger

	keys atomic.Pointer[keys]
	soon chan struct{} // somebody wants it looked at
	end  context.CancelFunc
	done sync.WaitGroup
}

func (f *file) start(context.Context) error {
	all, hash, err := f.read()
	if err != nil {
		return fmt.Errorf("key_file %s: %w", f.name, err)
	}
	f.keys.Store(&all)
	ctx, cancel := context.WithCancel(context.Background())
	f.end = cancel
	f.done.Go(func() { f.follow(ctx, hash) })
	return nil
}

func (f *file) stop() {
	if f.end != nil {
		f.end()
		f.done.Wait()
	}
}

func (f *file) refresh() {
	select {
	case f.soon <- struct{}{}:
	default: // it is about to be looked at
	}
}

func (f *file) find(_ context.Context, id, algorithm string) ([]any, error) {
	all := f.keys.Load()
	if all == nil {
		return nil, errors.New("the key file has not been read")
	}
	return all.find(id, algorithm), nil
}

// follow reads the file again and again until ctx ends.
func (f *file) follow(ctx context.Context, hash [32]byte) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	failed := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-f.soon:
		}
		all, now, err := f.read()
		switch {
		case err != nil && err.Error() != failed:
			failed = err.Error()
			f.log.Error("the key file cannot be used: the keys from before stay", "file", f.name, "error", err)
		case err != nil:
		case now != hash:
			hash, failed = now, ""
			f.keys.Store(&all)
			f.log.Info("the key file was read again", "file", f.name, "keys", len(all))
		case failed != "":
			failed = ""
			f.log.Info("the key file is as it was", "file", f.name)
		}
	}
}

// read returns what the file holds, and a hash of it.
func (f *file) read() (keys, [32]byte, error) {
	none := [32]byte{}
	info, err := os.Stat(f.name)
	if err != nil {
		return nil, none, bare(err)
	}
	if !info.Mode().IsRegular() {
		return nil, none, errors.New("it is not a regular file")
	}
	in, err := os.Open(f.name)
	if err != nil {
		return nil, none, bare(err)
	}
	text, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err := errors.Join(err, in.Close()); err != nil {
		return nil, none, bare(err)
	}
	if len(text) > maxFile {
		return nil, none, fmt.Errorf("it is larger than %v", core.Bytes(maxFile))
	}
	all, err := parseKeys(text, f.algorithms)
	return all, sha256.Sum256(text), err
}

// bare takes the name of the file off an error: it stands before it already.
func bare(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
