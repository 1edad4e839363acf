package reload

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"
)

// Folder is a scripts folder to follow.
type Folder struct {
	Dir string
	// Debounce is how long the folder must be quiet before it is read; 0 is 20 ms.
	Debounce time.Duration
	// Poll is how often it is read without any event, since network file systems
	// send none; 0 is 3 s.
	Poll time.Duration
	Log  *slog.Logger

	blind bool // for tests: no events, polling only
}

const (
	defaultDebounce = 20 * time.Millisecond
	defaultPoll     = 3 * time.Second
)

// patience is how many debounces a folder gets that is never quiet, or whose
// state looks like a save half done.
const patience = 10

// Watch calls apply for each content that differs from the one before, the
// first time from last, until ctx ends; then it returns nil. It begins with
// what changed since last was read. When a problem that was told is over, apply
// is called too, be the content another one or not.
//
// Events are hints only: after each burst of them the folder is read, and the
// content decides. A folder or a Main that is not there, a folder that cannot
// be read, a Main that is empty and a file that was emptied look like a save
// half done: they are believed after ten debounces. An emptied file is applied
// then. The others are told to problem, each once until it is over or another
// one takes its place, and nothing is applied. While there is a Hold, for MaxHold at
// the most, nothing is applied and no problem is told. Both functions run on
// Watch's goroutine; what changes while they do is seen after them.
func (f *Folder) Watch(ctx context.Context, last Snapshot, apply func(Snapshot), problem func(error)) error {
	dir, err := filepath.Abs(f.Dir)
	if err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	w := &watch{
		dir: f.Dir, debounce: f.Debounce, last: last, apply: apply, problem: problem, log: f.Log,
	}
	if w.debounce <= 0 {
		w.debounce = defaultDebounce
	}
	every := f.Poll
	if every <= 0 {
		every = defaultPoll
	}
	var hints <-chan struct{} // stays nil without a notifier: polling does everything
	if !f.blind {
		n, err := newNotifier(dir, f.Log)
		if err != nil {
			f.Log.Warn("the scripts folder is polled only", "dir", f.Dir, "every", every, "error", err)
		} else {
			defer n.close()
			w.notifier, hints = n, n.hints
		}
	}
	w.run(ctx, every, hints)
	return nil
}

// watch is one run of Folder.Watch.
type watch struct {
	dir      string
	debounce time.Duration
	notifier *notifier // nil: polling only
	last     Snapshot  // as applied
	apply    func(Snapshot)
	problem  func(error)
	log      *slog.Logger

	held      time.Time // since when there is a Hold; zero for none
	overheld  bool      // for too long
	told      string    // the problem that was told; "" for none
	unsettled time.Time // since when the folder looks half saved; zero when it does not
	doubt     string    // in what way
}

func (w *watch) run(ctx context.Context, every time.Duration, hints <-chan struct{}) {
	lookAgain(ctx, every, w.debounce, hints, w.look)
}

// lookAgain calls look at the beginning, when nothing was hinted at for a debounce
// and at least after ten of them, a debounce after a look that wants another one,
// and from time to time. It returns when ctx ends.
func lookAgain(ctx context.Context, every, debounce time.Duration, hints <-chan struct{}, look func(now time.Time) (again bool)) {
	poll := time.NewTicker(every)
	defer poll.Stop()
	due := time.NewTimer(0)
	defer due.Stop()
	pending, since := true, time.Now()
	postpone := func() {
		now := time.Now()
		if !pending {
			pending, since = true, now
		}
		due.Reset(min(debounce, since.Add(patience*debounce).Sub(now)))
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-hints:
			postpone()
		case <-poll.C:
			if !pending {
				pending, since = true, time.Now()
				due.Reset(0)
			}
		case <-due.C:
			pending = false
			if again := look(time.Now()); again {
				postpone()
			}
		}
	}
}

// look reads the folder and acts on it. It reports whether to look again soon.
func (w *watch) look(now time.Time) (again bool) {
	next, err := read(w.dir, w.found)
	if w.onHold(now) {
		w.unsettled = time.Time{}
		return false // its removal is an event, and polling sees it too
	}
	if _, ok := next.Files[Main]; err == nil && !ok {
		err = fmt.Errorf("reload: %s is missing in %s", Main, w.dir)
	}
	switch {
	case err == nil && !emptied(w.last, next):
		w.unsettled = time.Time{}
	case w.unsettled.IsZero() || fmt.Sprint(err) != w.doubt:
		w.unsettled, w.doubt = now, fmt.Sprint(err)
		return true
	case now.Sub(w.unsettled) < patience*w.debounce:
		return true
	}
	if err != nil {
		w.tell(err)
		return false
	}
	over := w.told != ""
	w.told = ""
	if over || next.Hash != w.last.Hash {
		w.last = next
		w.apply(next)
	}
	return false
}

func (w *watch) found(folders []string) {
	if w.notifier != nil {
		w.notifier.follow(folders)
	}
}

// tell reports a problem that is not the one told last.
func (w *watch) tell(err error) {
	if text := err.Error(); text != w.told {
		w.told = text
		w.problem(err)
	}
}

// emptied reports whether a file that held something is empty now, or Main is:
// many editors truncate a file before they write it.
func emptied(last, next Snapshot) bool {
	for name, content := range next.Files {
		if len(content) == 0 && (len(last.Files[name]) > 0 || name == Main && last.Hash != next.Hash) {
			return true
		}
	}
	return false
}
