package reload

import (
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/fsnotify/fsnotify"
)

// notifier turns the file system's events into hints: about a folder, the
// folders that its files come from, and its parent, where it is deleted,
// created and swapped.
type notifier struct {
	// hints holds one if anything happened since it was last received.
	hints chan struct{}

	watcher     *fsnotify.Watcher
	ended       sync.WaitGroup
	top, parent string
	narrow      atomic.Bool // of the parent's events only those about top matter
	log         *slog.Logger
	warned      bool // one warning is enough; used by follow only
}

// newNotifier makes a notifier for dir, an absolute path. It watches nothing
// before the first follow.
func newNotifier(dir string, log *slog.Logger) (*notifier, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	parent := filepath.Dir(dir)
	if resolved, err := filepath.EvalSymlinks(parent); err == nil {
		parent = resolved
	}
	n := &notifier{
		hints: make(chan struct{}, 1), watcher: w, log: log,
		top: filepath.Join(parent, filepath.Base(dir)), parent: parent,
	}
	n.ended.Go(n.receive)
	return n, nil
}

func (n *notifier) close() {
	_ = n.watcher.Close()
	n.ended.Wait()
}

// receive takes events from the watcher at any time, on a goroutine of its own:
// the watcher holds its lock while it waits for someone to take an error, and
// follow needs that lock.
func (n *notifier) receive() {
	for {
		select {
		case ev, ok := <-n.watcher.Events:
			if !ok {
				return
			}
			if n.concerns(ev) {
				n.hint()
			}
		case _, ok := <-n.watcher.Errors: // such as an overflow: some events are lost
			if !ok {
				return
			}
			n.hint()
		}
	}
}

func (n *notifier) hint() {
	select {
	case n.hints <- struct{}{}:
	default:
	}
}

// concerns reports whether an event may be a change of the content.
func (n *notifier) concerns(ev fsnotify.Event) bool {
	if ev.Op&^fsnotify.Chmod == 0 {
		return false
	}
	return !n.narrow.Load() || filepath.Dir(ev.Name) != n.parent || ev.Name == n.top
}

// follow watches exactly these folders, which are real paths, and the parent.
// It begins afresh each time: after renames, the folder behind a path may be
// another than before, and the watcher would confuse them.
func (n *notifier) follow(folders []string) {
	narrow := !slices.Contains(folders, n.parent)
	n.narrow.Store(narrow)
	if narrow {
		folders = append(folders, n.parent)
	}
	for _, watched := range n.watcher.WatchList() {
		_ = n.watcher.Remove(watched) // fails if it has gone, which is as good
	}
	for _, folder := range folders {
		err := n.watcher.Add(folder)
		// One that has gone meanwhile gave an event to the folder above.
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !n.warned {
			n.warned = true
			n.log.Warn("a folder is polled only", "dir", folder, "error", err)
		}
	}
}
