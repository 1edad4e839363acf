package reload

import (
	"log/slog"
	"path/filepath"
	"slices"

	"github.com/fsnotify/fsnotify"
)

// notifier receives the events of a folder, of the folders that its files come
// from, and of its parent, where it is deleted, created and swapped.
type notifier struct {
	*fsnotify.Watcher
	top, parent string
	// narrow says that of the parent's events only those about top matter.
	narrow bool
	log    *slog.Logger
	failed bool // one warning is enough
}

// newNotifier watches the parent of dir, an absolute path.
func newNotifier(dir string, log *slog.Logger) (*notifier, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	parent := filepath.Dir(dir)
	if real, err := filepath.EvalSymlinks(parent); err == nil {
		parent = real
	}
	return &notifier{Watcher: w, top: filepath.Join(parent, filepath.Base(dir)), parent: parent, log: log}, nil
}

func (n *notifier) close() { _ = n.Watcher.Close() }

// follow watches exactly these folders, and the parent. It adds all of them
// again each time: the one behind a path may be another than before.
func (n *notifier) follow(folders []string) {
	n.narrow = !slices.Contains(folders, n.parent)
	if n.narrow {
		folders = append(folders, n.parent)
	}
	for _, folder := range folders {
		// A folder that has gone meanwhile has sent an event to the one above.
		if err := n.Add(folder); err != nil && !n.failed {
			n.failed = true
			n.log.Warn("a scripts folder is polled only", "dir", folder, "error", err)
		}
	}
	for _, watched := range n.WatchList() {
		if !slices.Contains(folders, watched) {
			_ = n.Remove(watched) // fails if it has gone, which is as good
		}
	}
}

// concerns reports whether an event may be a change of the content.
func (n *notifier) concerns(ev fsnotify.Event) bool {
	if ev.Op&^fsnotify.Chmod == 0 {
		return false
	}
	return !n.narrow || filepath.Dir(ev.Name) != n.parent || ev.Name == n.top
}
