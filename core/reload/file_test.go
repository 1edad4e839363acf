package reload

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core/file"
)

// reader is a running File.Watch.
type reader struct {
	t        *testing.T
	path     string
	changed  chan string
	problems chan string
}

func readAlong(t *testing.T, path, last string, change func(*File)) *reader {
	t.Helper()
	f := &File{Path: path, Poll: time.Hour, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(f)
	}
	r := &reader{t: t, path: path, changed: make(chan string, 100), problems: make(chan string, 100)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- f.Watch(ctx, []byte(last), func(b []byte) { r.changed <- string(b) }, func(err error) { r.problems <- err.Error() })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Watch ended with %v", err)
		}
	})
	return r
}

func (r *reader) want(from chan string, text string) {
	r.t.Helper()
	select {
	case got := <-from:
		if !strings.Contains(got, text) {
			r.t.Errorf("got %q, want %q", got, text)
		}
	case <-time.After(20 * time.Second):
		r.t.Fatalf("waited in vain for %q", text)
	}
}

// replace saves as an editor does that renames a new file over the old one.
func (r *reader) replace(text string) {
	r.t.Helper()
	must(r.t, os.WriteFile(r.path+"~", []byte(text), 0o644))
	must(r.t, os.Rename(r.path+"~", r.path))
}

func TestAFileIsReadWhenItChanges(t *testing.T) {
	f := func(name string, change func(*File)) {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "settings")
			must(t, os.WriteFile(path, []byte("one"), 0o644))
			r := readAlong(t, path, "zero", change)
			r.want(r.changed, "one")
			r.replace("two")
			r.want(r.changed, "two")
			must(t, os.Chmod(path, 0o600))
			must(t, os.WriteFile(filepath.Join(filepath.Dir(path), "other"), nil, 0o644))
			r.replace("two")
			r.replace("three") // the same again is no change: three is the next one
			r.want(r.changed, "three")
			must(t, os.Remove(path))
			r.want(r.problems, path+": no such file")
			r.replace("three")
			r.want(r.changed, "three")
			must(t, os.WriteFile(path, nil, 0o644))
			if got := <-r.changed; got != "" {
				t.Errorf("an emptied file is %q", got)
			}
			r.replace(strings.Repeat("x", file.Max+1))
			r.want(r.problems, "more than 1048576 bytes")
		})
	}
	f("events", nil)
	f("polling", func(f *File) { f.blind, f.Poll = true, 5*time.Millisecond })
}

// As Kubernetes changes what a volume holds.
func TestAFileBehindLinksIsFollowed(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"..1/settings": "one", "..2/settings": "two"})
	must(t, os.Symlink("..1", filepath.Join(dir, "..data")))
	path := filepath.Join(dir, "settings")
	must(t, os.Symlink("..data/settings", path))
	r := readAlong(t, path, "", nil)
	r.want(r.changed, "one")
	must(t, os.Symlink("..2", filepath.Join(dir, "..next")))
	must(t, os.Rename(filepath.Join(dir, "..next"), filepath.Join(dir, "..data")))
	r.want(r.changed, "two")
	must(t, os.WriteFile(filepath.Join(dir, "..2", "settings"), []byte("three"), 0o644))
	for got := ""; got != "three"; { // it is empty for a moment
		select {
		case got = <-r.changed:
		case <-time.After(20 * time.Second):
			t.Fatal("a change behind the links is not seen")
		}
	}
}
