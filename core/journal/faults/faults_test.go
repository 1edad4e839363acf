package faults_test

import (
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/journal/faults"
)

type rig struct {
	*testing.T
	dir string
	*faults.FS
}

func newRig(t *testing.T) *rig {
	r := &rig{t, t.TempDir(), faults.New(journal.OS())}
	if err := r.Lose(true); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) create() journal.File {
	r.Helper()
	f, err := r.Create(filepath.Join(r.dir, "file"))
	r.must(err)
	return f
}

func (r *rig) reopen() journal.File {
	r.Helper()
	f, err := r.Open(filepath.Join(r.dir, "file"))
	r.must(err)
	return f
}

func (r *rig) write(f journal.File, text string, off int64) {
	r.Helper()
	_, err := f.WriteAt([]byte(text), off)
	r.must(err)
}

func (r *rig) holds(f journal.File, want string) {
	r.Helper()
	got, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	if size, _ := f.Size(); err != nil || string(got) != want || size != int64(len(want)) {
		r.Fatalf("the file holds %q (%d), %v, want %q", got, size, err, want)
	}
}

func (r *rig) crash() {
	r.Crash()
	r.Restart()
}

func TestUnsyncedWritesAreReadAndForgotten(t *testing.T) {
	r := newRig(t)
	f := r.create()
	r.write(f, "synced", 0)
	r.must(f.Datasync())
	r.must(r.SyncDir(r.dir))
	r.write(f, "not ", 3)
	r.must(f.Truncate(10))
	r.must(f.Truncate(12))
	r.holds(f, "synnot \x00\x00\x00\x00\x00")
	r.must(f.Truncate(5))
	r.holds(f, "synno")
	r.holds(r.reopen(), "synno")
	r.crash()
	if _, err := f.WriteAt([]byte("x"), 0); !errors.Is(err, faults.ErrCrashed) {
		t.Errorf("a file of the life before: %v", err)
	}
	r.holds(r.reopen(), "synced")
}

func TestAFileLastsWhenItsFolderIsSynced(t *testing.T) {
	r := newRig(t)
	f := r.create()
	r.write(f, "a", 0)
	r.must(f.Datasync())
	if names, err := r.List(r.dir); err != nil || !slices.Equal(names, []string{"file"}) {
		t.Fatal(names, err)
	}
	r.crash()
	if names, err := r.List(r.dir); err != nil || len(names) > 0 {
		t.Fatal(names, err)
	}
	f = r.create()
	r.write(f, "a", 0)
	r.must(f.Datasync())
	r.write(f, "b", 1)
	r.must(r.SyncDir(r.dir))
	r.must(f.Close())
	r.holds(r.reopen(), "ab")
	r.crash()
	r.holds(r.reopen(), "a")
}

func TestARemovedFileIsGoneWhenItsFolderIsSynced(t *testing.T) {
	r := newRig(t)
	f := r.create()
	r.write(f, "a", 0)
	r.must(f.Datasync())
	r.must(r.SyncDir(r.dir))
	r.must(f.Close())
	name := filepath.Join(r.dir, "file")
	r.must(r.Remove(name))
	if _, err := r.Open(name); !errors.Is(err, syscall.ENOENT) {
		t.Fatal(err)
	}
	r.crash()
	r.holds(r.reopen(), "a")
	r.must(r.Remove(name))
	r.must(r.SyncDir(r.dir))
	r.crash()
	if names, err := r.List(r.dir); err != nil || len(names) > 0 {
		t.Fatal(names, err)
	}
}

func TestASyncThatFailedLosesWhatALaterOneClaimsToKeep(t *testing.T) {
	r := newRig(t)
	f := r.create()
	r.must(r.SyncDir(r.dir))
	r.write(f, "good", 0)
	r.must(f.Datasync())
	r.write(f, "lost", 4)
	r.FailSyncs(1)
	if err := f.Datasync(); !errors.Is(err, faults.ErrSync) {
		t.Fatal(err)
	}
	r.must(f.Datasync())
	r.write(f, "more", 8)
	r.must(f.Datasync())
	r.holds(f, "goodlostmore")
	if got := r.AfterFailedSync(); len(got) != 3 || !strings.HasSuffix(got[0], "is synced") || !strings.HasSuffix(got[1], "is written") {
		t.Error(got)
	}
	r.crash()
	r.holds(r.reopen(), "good\x00\x00\x00\x00more")
}

func TestSwitchesMakeWritesFail(t *testing.T) {
	r := newRig(t)
	f := r.create()
	check := func(text string, wantN int, want error) {
		t.Helper()
		if n, err := f.WriteAt([]byte(text), 0); n != wantN || !errors.Is(err, want) {
			t.Errorf("%q: %d, %v, want %d, %v", text, n, err, wantN, want)
		}
	}
	r.Room(6)
	check("abcd", 4, nil)
	check("efgh", 2, syscall.ENOSPC)
	check("i", 0, syscall.ENOSPC)
	r.Room(-1)
	check("jklmnopq", 8, nil)
	r.Full(true)
	check("r", 0, syscall.ENOSPC)
	if err := f.Allocate(100); !errors.Is(err, syscall.ENOSPC) {
		t.Error(err)
	}
	r.Full(false)
	r.must(f.Allocate(9))
	r.ShortWrites(1)
	check("stuv", 2, io.ErrShortWrite)
	check("w", 1, nil)
	r.holds(f, "wtlmnopq\x00")
}

func TestLoseOffWritesEverything(t *testing.T) {
	r := newRig(t)
	r.write(r.create(), "kept", 0)
	r.must(r.Lose(false))
	r.crash()
	r.holds(r.reopen(), "kept")
	f := r.reopen()
	r.write(f, "S", 0)
	r.crash()
	r.holds(r.reopen(), "Sept")
}

func TestACrashComesAfterSomeSteps(t *testing.T) {
	r := newRig(t)
	r.CrashAfter(2)
	f := r.create()
	r.write(f, "a", 0)
	if err := f.Datasync(); !errors.Is(err, faults.ErrCrashed) {
		t.Fatal(err)
	}
	if _, err := r.List(r.dir); !errors.Is(err, faults.ErrCrashed) {
		t.Fatal(err)
	}
	if got := r.CrashAfter(-1); got != 2 {
		t.Errorf("%d steps", got)
	}
}
