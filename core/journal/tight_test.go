package journal_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/journal"
)

// smallFS is a disk with room for so many bytes, which files take as they are
// allocated or written.
type smallFS struct {
	journal.FS
	mu    sync.Mutex // guards what follows
	room  int64
	taken map[string]int64
}

type smallFile struct {
	journal.File
	fs   *smallFS
	name string
}

// grow lets a file be of at least size bytes, if there is room.
func (s *smallFS) grow(name string, size int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	more := size - s.taken[name]
	if more <= 0 {
		return nil
	}
	if more > s.room {
		return syscall.ENOSPC
	}
	s.room -= more
	s.taken[name] = size
	return nil
}

func (s *smallFS) Create(name string) (journal.File, error) {
	f, err := s.FS.Create(name)
	return smallFile{f, s, name}, err
}

func (s *smallFS) Remove(name string) error {
	err := s.FS.Remove(name)
	if err == nil {
		s.mu.Lock()
		s.room += s.taken[name]
		delete(s.taken, name)
		s.mu.Unlock()
	}
	return err
}

func (f smallFile) Allocate(size int64) error { return f.fs.grow(f.name, size) }

func (f smallFile) WriteAt(b []byte, off int64) (int, error) {
	if err := f.fs.grow(f.name, off+int64(len(b))); err != nil {
		return 0, err
	}
	return f.File.WriteAt(b, off)
}

func TestASmallDiskIsUsedToItsEndAndGivesUpWhatNobodyNeeds(t *testing.T) {
	disk := &smallFS{FS: journal.OS(), room: 150 << 10, taken: map[string]int64{}}
	set := core.DefaultDiskSettings() // an hour, and a gigabyte
	set.Segment = 64 << 10
	j, err := journal.Open(journal.Options{Dir: t.TempDir(), FS: disk, Settings: set, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close(context.Background())
	if _, err := j.Replay(func(journal.Position, int64, []byte) error { return nil }, nil); err != nil {
		t.Fatal(err)
	}
	j.Start()
	commit := func() error {
		done := make(chan error, 1)
		j.Submit(&journal.Batch{
			Buf:  journal.AppendRecord(nil, []byte(strings.Repeat("x", 4000))),
			Done: func(b *journal.Batch) { done <- b.Err },
		})
		return <-done
	}
	n := 0
	for ; err == nil && n < 100; n++ {
		err = commit()
	}
	if !errors.Is(err, journal.ErrFull) || n < 34 { // of 36 that would fit without any frames
		t.Fatalf("of 150 KiB, commit %d of 4,000 bytes ends with %v", n, err)
	}
	if err := commit(); err == nil {
		t.Fatal("something was given up that is needed")
	}
	j.Release(j.Stats().Head)
	for tries := 0; commit() != nil; tries++ {
		if tries == 100 {
			t.Fatalf("nothing is given up: %+v", j.Stats())
		}
	}
	if st := j.Stats(); st.Deleted == 0 || st.Full {
		t.Fatalf("got %+v", st)
	}
}
