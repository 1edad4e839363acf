package journal_test

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/journal"
)

func TestACrashForgetsNothingThatWasTold(t *testing.T) {
	r := newRig(t)
	r.lose()
	r.start()
	var want []string
	for n := range 30 {
		want = append(want, strings.Repeat(fmt.Sprint(n), 1500)) // rolls now and then
		r.mustCommit(want[n])
		if n%7 == 0 {
			r.crash()
			r.undamaged()
			r.holds(want...)
		}
	}
}

func TestWithoutSyncACrashForgets(t *testing.T) {
	r := newRig(t)
	r.set.Sync = core.SyncOS
	r.lose()
	r.start()
	r.mustCommit("told too early")
	r.crash()
	r.holds()
}

// TestWhatAKilledProcessHadWrittenLastsWhenItIsReplayed has a kill, which keeps
// what was written, and then a power failure, which keeps what is synced.
func TestWhatAKilledProcessHadWrittenLastsWhenItIsReplayed(t *testing.T) {
	r := newRig(t)
	r.set.Sync = core.SyncOS
	r.lose()
	r.start()
	r.mustCommit("written, and not synced")
	name := r.files()[0]
	killed := r.content(name)
	r.fs.Crash()
	r.stop()
	r.fs.Restart()
	r.write(name, killed)
	r.set.Sync = core.SyncCommit
	r.start()
	r.holds("written, and not synced")
	r.mustCommit("the next life")
	r.crash()
	r.undamaged()
	r.holds("written, and not synced", "the next life")
}

// content is what the file shows, synced or not.
func (r *rig) content(name string) []byte {
	r.Helper()
	f, err := r.fs.Open(name)
	if err != nil {
		r.Fatal(err)
	}
	defer f.Close()
	size, err := f.Size()
	b := make([]byte, size)
	if err == nil {
		_, err = f.ReadAt(b, 0)
	}
	if err != nil {
		r.Fatal(err)
	}
	return b
}

// write writes b to the beginning of the file, and does not sync it.
func (r *rig) write(name string, b []byte) {
	r.Helper()
	f, err := r.fs.Open(name)
	if err != nil {
		r.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(b, 0); err != nil {
		r.Fatal(err)
	}
}

func TestAStartThatCannotSyncWhatItHasReadFails(t *testing.T) {
	r := newRig(t)
	r.start()
	r.mustCommit("a")
	r.stop()
	r.fs.FailSyncs(1)
	j, err := journal.Open(journal.Options{Dir: r.dir, FS: r.fs, Settings: r.set, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	r.j = j
	if _, err := j.Replay(func(journal.Position, int64, []byte) error { return nil }, nil); err == nil || !strings.Contains(err.Error(), "sync segment") {
		t.Errorf("got %v", err)
	}
}

func TestAFileIsNotSyncedAgainAfterItFailed(t *testing.T) {
	f := func(failures int) {
		t.Helper()
		r := newRig(t)
		r.lose()
		r.start()
		r.mustCommit("before")
		r.fs.FailSyncs(failures)
		at, err := r.commit("while", "it fails")
		if failures == 1 != (err == nil) || err != nil && !errors.Is(err, journal.ErrFailed) {
			t.Errorf("%d failures: %v", failures, err)
		}
		r.fs.FailSyncs(0)
		after := r.mustCommit("after")
		want := []string{"before", "while", "it fails", "after"}
		if err != nil {
			want = []string{"before", "after"}
		} else if got, e := r.j.ReadRecord(at[1], nil); e != nil || string(got) != "it fails" {
			t.Errorf("%q, %v", got, e)
		}
		if got, err := r.j.ReadRecord(after[0], nil); err != nil || string(got) != "after" {
			t.Errorf("%q, %v", got, err)
		}
		if st := r.j.Stats(); st.SyncFailures != 1 || st.Failing {
			t.Errorf("%+v", st)
		}
		if bad := r.fs.AfterFailedSync(); len(bad) > 0 {
			t.Error(bad)
		}
		r.crash()
		r.undamaged()
		r.holds(want...)
	}
	f(1) // of the commit
	f(2) // and of the header of the segment that was to take it
	f(3)
	f(-1)
}

func TestWhatWasToldBeforeASyncThatFailedIsMoved(t *testing.T) {
	r := newRig(t)
	r.set.Sync = core.SyncOS
	r.lose()
	r.start()
	r.mustCommit("a")
	at := r.mustCommit("b", "c")
	r.fs.FailSyncs(1)
	r.set.Sync = core.SyncCommit
	r.j.Configure(r.set)
	r.mustCommit("d")
	check := func() {
		t.Helper()
		for i, want := range []string{"b", "c"} {
			if got, err := r.j.ReadRecord(at[i], nil); err != nil || string(got) != want {
				t.Errorf("%q, %v, want %q", got, err, want)
			}
		}
	}
	check()
	r.fs.FailSyncs(1)
	r.mustCommit("e") // moves nothing: all was synced
	check()
	if st := r.j.Stats(); st.Moved == 0 || st.Lost != 0 {
		t.Errorf("%+v", st)
	}
	r.crash()
	r.undamaged()
	r.holds("a", "b", "c", "d", "e")
}

func TestUnderIntervalASyncComesByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.set.Sync, r.set.Interval = core.SyncInterval, 3*time.Second
		r.lose()
		r.start()
		r.mustCommit("a")
		time.Sleep(4 * time.Second)
		synctest.Wait()
		r.mustCommit("b")
		r.crash()
		r.undamaged()
		r.holds("a")

		r.fs.FailSyncs(1)
		r.mustCommit("c")
		time.Sleep(4 * time.Second)
		synctest.Wait()
		r.crash()
		r.undamaged()
		r.holds("a", "c")
	})
}

func TestAFullDiskIsSurvived(t *testing.T) {
	r := newRig(t)
	r.lose()
	r.start()
	r.mustCommit("before")
	r.fs.Full(true)
	for range 3 {
		if _, err := r.commit("no room"); !errors.Is(err, journal.ErrFull) || !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	if st := r.j.Stats(); !st.Full || !st.Failing || st.Refused != 3 || st.LastError == "" {
		t.Errorf("%+v", st)
	}
	r.fs.Full(false)
	r.mustCommit("after")
	if st := r.j.Stats(); st.Failing {
		t.Errorf("%+v", st)
	}
	for end := time.Now().Add(10 * time.Second); r.j.Stats().Full; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%+v", r.j.Stats())
		}
	}
	r.crash()
	r.undamaged()
	r.holds("before", "after")
}

func TestAWriteThatWasCutShortLeavesNothing(t *testing.T) {
	f := func(room int64, short int) {
		t.Helper()
		r := newRig(t)
		r.start()
		r.mustCommit("before")
		if room > 0 {
			r.fs.Room(room)
		}
		r.fs.ShortWrites(short)
		_, err := r.commit(strings.Repeat("x", 1000), "second", "third")
		if (room > 0 || short > 1) != (err != nil) {
			t.Errorf("room %d, %d short writes: %v", room, short, err)
		}
		r.fs.Restart()
		r.mustCommit("after")
		r.crash() // everything is on the disk, but the journal could not tidy up
		r.undamaged()
		if err == nil {
			r.holds("before", strings.Repeat("x", 1000), "second", "third", "after")
		} else {
			r.holds("before", "after")
		}
	}
	f(10, 0)
	f(500, 0)
	f(1056, 0) // the commit record and one record fit
	f(0, 1)
	f(0, 2)
	f(0, 3)
}

// deaf is a file layer on which a range of one file cannot be read.
type deaf struct {
	journal.FS
	name     string
	from, to int64
}

type deafFile struct {
	journal.File
	fs *deaf
}

func (d *deaf) Open(name string) (journal.File, error) {
	f, err := d.FS.Open(name)
	if err == nil && name == d.name {
		f = deafFile{f, d}
	}
	return f, err
}

func (d *deaf) Create(name string) (journal.File, error) {
	f, err := d.FS.Create(name)
	if err == nil && name == d.name {
		f = deafFile{f, d}
	}
	return f, err
}

func (f deafFile) ReadAt(b []byte, off int64) (int, error) {
	if off < f.fs.to && f.fs.from < off+int64(len(b)) {
		return 0, syscall.EIO
	}
	return f.File.ReadAt(b, off)
}

func TestWhatWasToldTooEarlyAndCannotBeReadIsLostAndCounted(t *testing.T) {
	r := newRig(t)
	r.set.Sync = core.SyncOS
	r.lose()
	bad := &deaf{r.fs, filepath.Join(r.dir, "00000001.seg"), 64, 1 << 20}
	var err error
	r.j, err = journal.Open(journal.Options{Dir: r.dir, FS: bad, Settings: r.set, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.j.Replay(func(journal.Position, int64, []byte) error { return nil }, nil); err != nil {
		t.Fatal(err)
	}
	r.j.Start()
	r.mustCommit("too early")
	r.fs.FailSyncs(1)
	r.set.Sync = core.SyncCommit
	r.j.Configure(r.set)
	r.mustCommit("after")
	if st := r.j.Stats(); st.Lost != 32+24 || st.Moved != 0 {
		t.Errorf("%+v", st)
	}
	r.crash()
	r.undamaged()
	r.holds("after")
}

func TestWhatCannotBeReadIsDamage(t *testing.T) {
	r := newRig(t)
	r.start()
	var want []string
	for n := range 20 {
		want = append(want, strings.Repeat(fmt.Sprint(n%10), 1000))
	}
	at := r.mustCommit(want...)
	r.mustCommit("next")
	r.stop()
	var got []string
	bad := &deaf{journal.OS(), r.files()[0], 8192, 8192 + 512}
	report, err := journal.Scan(r.dir, bad, func(e journal.Entry) error {
		if e.Damage == nil {
			got = append(got, string(e.Record))
		}
		return nil
	})
	var rest []string // which are not within the sectors of 4 KiB
	for i, rec := range want {
		if at[i].Offset+1008 <= 8192 || at[i].Offset >= 8192+4096 {
			rest = append(rest, rec)
		}
	}
	if rest = append(rest, "next"); err != nil || brief(got) != brief(rest) {
		t.Fatalf("%v, got %s, want %s", err, brief(got), brief(rest))
	}
	if d := report.Damaged; len(d) != 1 || !strings.Contains(d[0].Reason, "cannot be read") {
		t.Fatal(d)
	}
}

// TestACrashMayComeAtAnyTime crashes before each operation that changes a file,
// for a life that rolls, fills up and fails to sync.
func TestACrashMayComeAtAnyTime(t *testing.T) {
	life := func(r *rig) (told, refused []string) {
		fault := map[int]func(){
			3: func() { r.fs.FailSyncs(1) },
			5: func() { r.fs.Full(true) },
			6: func() { r.fs.Full(false) },
			8: func() { r.fs.ShortWrites(1) },
			9: func() { r.fs.FailSyncs(3) },
		}
		r.open()
		r.j.Start()
		for n := range 14 {
			if f := fault[n]; f != nil {
				f()
			}
			rec := strings.Repeat(fmt.Sprint(n, " "), 500)
			if _, err := r.commit(rec); err == nil {
				told = append(told, rec)
			} else {
				refused = append(refused, rec)
			}
			r.j.Release(uint32(n / 4))
		}
		return told, refused
	}
	for n, more := 0, true; more; n++ {
		r := newRig(t)
		r.set.Segment, r.set.RetainBytes = 4<<10, 1<<40
		r.lose()
		r.fs.CrashAfter(n)
		told, refused := life(r)
		if more = n < 400 && r.fs.CrashAfter(-1) >= n; !more && n < 30 {
			t.Fatalf("there were only %d operations", n)
		}
		r.crash()
		if len(r.last.Damaged) > 0 || len(r.last.Torn) > 0 {
			t.Fatalf("a crash before operation %d: torn %v, damaged %v", n, r.last.Torn, r.last.Damaged)
		}
		var got []string
		report, err := journal.Scan(r.dir, r.fs, func(e journal.Entry) error {
			if e.Damage == nil {
				got = append(got, string(e.Record))
			}
			return nil
		})
		if err != nil || len(report.Damaged) > 0 {
			t.Fatal(err, report.Damaged)
		}
		for _, rec := range got {
			if i := slices.Index(told, rec); i >= 0 {
				told = slices.Delete(told, i, i+1)
			} else if !slices.Contains(refused, rec) {
				t.Fatalf("a crash before operation %d: %.20q was never submitted, or is there twice", n, rec)
			}
		}
		if len(told) > 0 {
			t.Fatalf("a crash before operation %d: %s is lost", n, brief(told))
		}
		r.mustCommit("the next life")
		r.stop()
	}
}
