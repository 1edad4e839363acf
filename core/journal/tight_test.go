package journal_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/journal/faults"
)

func TestASmallDiskIsUsedToItsEndAndGivesUpWhatNobodyNeeds(t *testing.T) {
	disk := faults.NewSmall(journal.OS(), 150<<10)
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
	if !errors.Is(err, journal.ErrFull) || n < 30 { // of 32 that would fit beside the reserve without any frames
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
	hasRoom(t, j)
}

func TestAFullDiskTakesWhatFreesRoomAndRecovers(t *testing.T) {
	disk := faults.NewSmall(journal.OS(), 150<<10)
	set := core.DefaultDiskSettings()
	set.Segment = 1 << 20 // larger than the disk
	dir := t.TempDir()
	j, err := journal.Open(journal.Options{Dir: dir, FS: disk, Settings: set, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Replay(func(journal.Position, int64, []byte) error { return nil }, nil); err != nil {
		t.Fatal(err)
	}
	j.Start()
	submit := func(size int, frees uint32) *journal.Batch {
		b := &journal.Batch{Buf: journal.AppendRecord(nil, []byte(strings.Repeat("x", size))), Frees: frees}
		done := make(chan struct{})
		b.Done = func(*journal.Batch) { close(done) }
		j.Submit(b)
		<-done
		return b
	}
	for err = nil; err == nil; {
		err = submit(1000, 0).Err
	}
	if !errors.Is(err, journal.ErrFull) {
		t.Fatal(err)
	}
	first := j.Stats().Head
	state := submit(3000, first)
	if state.Err != nil || state.Base.Segment <= first {
		t.Fatalf("what frees room is at %v: %v", state.Base, state.Err)
	}
	if err := submit(1000, 0).Err; !errors.Is(err, journal.ErrFull) {
		t.Fatalf("the reserve is not for everybody: %v", err)
	}
	if !j.Stats().Full {
		t.Error("the disk is still full")
	}
	j.Release(state.Base.Segment)
	for tries := 0; submit(1000, 0).Err != nil; tries++ {
		if tries == 1000 {
			t.Fatalf("it does not recover: %+v", j.Stats())
		}
	}
	hasRoom(t, j)
	for _, name := range []string{"reserve.1", "reserve.2"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() < j.Reserve() {
			t.Errorf("%s is not there again: %v", name, err)
		}
	}
	if err := j.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	kept := 0
	j, err = journal.Open(journal.Options{Dir: dir, Settings: set, Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		_, err = j.Replay(func(_ journal.Position, _ int64, b []byte) error {
			if len(b) == 3000 {
				kept++
			}
			return nil
		}, nil)
	}
	if err != nil || kept != 1 {
		t.Errorf("read again, the state is there %d times: %v", kept, err)
	}
	_ = j.Close(context.Background())
}

// hasRoom waits until the journal has found that there is room again.
func hasRoom(t *testing.T, j *journal.Journal) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		st := j.Stats()
		if !st.Full && st.Deleted > 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("got %+v", st)
		}
	}
}
