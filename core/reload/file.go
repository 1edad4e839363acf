package reload

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/stratix-gateway/stratix/core/file"
)

// File is one small file to follow.
type File struct {
	Path string
	// Debounce and Poll are those of Folder.
	Debounce, Poll time.Duration
	Log            *slog.Logger

	blind bool // for tests: no events, polling only
}

// Watch calls changed for each content that differs from the one before, the first
// time from last, until ctx ends; then it returns nil. Events of the file's folder
// are hints only, as those of Folder.Watch. A file that is not there, cannot be read,
// or was emptied looks like a save half done, and is believed after ten debounces:
// what was emptied is changed then, the others are told to problem, once until they
// are over; then changed is called, be the content another one or not. Both functions
// run on Watch's goroutine.
func (f *File) Watch(ctx context.Context, last []byte, changed func([]byte), problem func(error)) error {
	path, err := filepath.Abs(f.Path)
	if err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	w := &fileWatch{path: f.Path, debounce: f.Debounce, last: last, changed: changed, problem: problem}
	if w.debounce <= 0 {
		w.debounce = defaultDebounce
	}
	every := f.Poll
	if every <= 0 {
		every = defaultPoll
	}
	var hints <-chan struct{} // stays nil without a notifier: polling does everything
	if !f.blind {
		n, err := newNotifier(filepath.Dir(path), f.Log)
		if err != nil {
			f.Log.Warn("a file is polled only", "file", f.Path, "every", every, "error", err)
		} else {
			defer n.close()
			hints = n.hints
			w.follow = func() { n.follow(foldersOf(path)) }
		}
	}
	lookAgain(ctx, every, w.debounce, hints, w.look)
	return nil
}

// foldersOf are the real paths of the folders where a change of the file shows: its
// own, and where it is a link, the one of what it leads to.
func foldersOf(path string) (folders []string) {
	for _, p := range []string{filepath.Dir(path), path} {
		resolved, err := filepath.EvalSymlinks(p)
		if err != nil {
			continue
		}
		if p == path {
			resolved = filepath.Dir(resolved)
		}
		if len(folders) == 0 || folders[0] != resolved {
			folders = append(folders, resolved)
		}
	}
	return folders
}

// fileWatch is one run of File.Watch.
type fileWatch struct {
	path     string
	debounce time.Duration
	follow   func() // watches the file's folders; nil: polling only
	last     []byte // as told
	changed  func([]byte)
	problem  func(error)

	told      string    // the problem that was told; "" for none
	unsettled time.Time // since when the file looks half saved; zero when it does not
}

// look reads the file and acts on it. It reports whether to look again soon.
func (w *fileWatch) look(now time.Time) (again bool) {
	if w.follow != nil {
		w.follow() // before the reading: what changes after it gives an event
	}
	text, _, err := file.Read(w.path)
	switch {
	case err == nil && (len(text) > 0 || len(w.last) == 0):
		w.unsettled = time.Time{}
	case w.unsettled.IsZero():
		w.unsettled = now
		return true
	case now.Sub(w.unsettled) < patience*w.debounce:
		return true
	}
	if err != nil {
		if t := err.Error(); t != w.told {
			w.told = t
			w.problem(err)
		}
		return false
	}
	over := w.told != ""
	w.told = ""
	if over || !bytes.Equal(text, w.last) {
		w.last = text
		w.changed(text)
	}
	return false
}
