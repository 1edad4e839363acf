package reload

import (
	"os"
	"path/filepath"
	"time"
)

// Hold is a file that keeps changes of the folder from being applied while it is
// there: whoever writes several files one after the other makes it first and removes
// it last. It is no part of the content, and Read does not mind it.
const Hold = ".stratix-hold"

// MaxHold is how long a Hold is minded: one that was forgotten must not keep saves
// from going live for ever.
const MaxHold = 10 * time.Minute

// onHold reports whether the folder is to be left alone. It is asked after the
// folder was read: a Hold that is gone by then was removed after the last write.
func (w *watch) onHold(now time.Time) bool {
	file := filepath.Join(w.dir, Hold)
	if _, err := os.Lstat(file); err != nil {
		w.held, w.overheld = time.Time{}, false
		return false
	}
	switch {
	case w.held.IsZero():
		w.held = now
		w.log.Info("saves wait: remove the file to make them live", "file", file, "at the latest after", MaxHold.String())
	case now.Sub(w.held) >= MaxHold:
		if !w.overheld {
			w.overheld = true
			w.log.Warn("saves go live all the same: the file is there for too long, remove it", "file", file, "after", MaxHold.String())
		}
		return false
	}
	return true
}
