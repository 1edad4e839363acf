//go:build unix

package reload

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Nobody would open the other end of a pipe: whoever waited for that would read no
// file any more, and not end.
func TestAPipeInPlaceOfAFileIsAProblemAndNotWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "settings")
	must(t, os.WriteFile(path, []byte("one"), 0o600))
	r := readAlong(t, path, "zero", nil)
	r.want(r.changed, "one")
	must(t, syscall.Mkfifo(path+"~", 0o600))
	must(t, os.Rename(path+"~", path))
	// Whatever waits for a writer has one in the end, so that a failure ends, too.
	defer time.AfterFunc(20*time.Second, func() {
		if f, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
			_ = f.Close()
		}
	}).Stop()
	r.want(r.problems, path+": it is not a regular file")
	r.replace("two")
	r.want(r.changed, "two")
}
