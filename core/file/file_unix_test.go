//go:build unix

package file

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func write(t *testing.T, mode fs.FileMode, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := errors.Join(os.WriteFile(path, []byte(text), mode), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadReturnsWhatAFileHoldsAndItsMode(t *testing.T) {
	f := func(text string, mode fs.FileMode) {
		t.Helper()
		path := write(t, mode, text)
		got, gotMode, err := Read(path)
		if err != nil || string(got) != text || gotMode != mode {
			t.Errorf("%d bytes with mode %v, %v; want %d with %v", len(got), gotMode, err, len(text), mode)
		}
	}
	f("", 0o600)
	f("one\ntwo", 0o644)
	f(strings.Repeat("x", Max), 0o600)
}

func TestWhatIsNoSmallFileIsNamed(t *testing.T) {
	f := func(path, want string) {
		t.Helper()
		if text, _, err := Read(path); err == nil || err.Error() != path+": "+want || text != nil {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
	dir := t.TempDir()
	f(dir, "it is not a regular file")
	f(os.DevNull, "it is not a regular file")
	f(filepath.Join(dir, "none"), "no such file or directory")
	f(write(t, 0o600, strings.Repeat("x", Max+1)), "it holds more than 1048576 bytes")
	if _, _, err := Read(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
}

func TestAPipeIsNotWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	// Whoever waits for a writer has one in the end, so that a failure ends, too.
	defer time.AfterFunc(20*time.Second, func() {
		if f, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
			_ = f.Close()
		}
	}).Stop()
	if _, _, err := Read(path); err == nil || err.Error() != path+": it is not a regular file" {
		t.Error(err)
	}
}
