package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/journal/faults"
)

// rig is a journal in a folder, on a file layer that can fail.
type rig struct {
	*testing.T
	dir  string
	fs   *faults.FS
	set  core.DiskSettings
	j    *journal.Journal
	seen []entry // by the last start
	last journal.Report
}

type entry struct {
	at     journal.Position
	record string
}

func newRig(t *testing.T) *rig {
	r := &rig{T: t, dir: t.TempDir(), fs: faults.New(journal.OS()), set: core.DefaultDiskSettings()}
	r.set.Segment = 64 << 10
	t.Cleanup(r.stop)
	return r
}

func (r *rig) open() {
	r.Helper()
	var err error
	r.j, err = journal.Open(journal.Options{Dir: r.dir, FS: r.fs, Settings: r.set, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		r.Fatal(err)
	}
	r.seen = nil
	r.last, err = r.j.Replay(func(at journal.Position, _ int64, record []byte) error {
		r.seen = append(r.seen, entry{at, string(record)})
		return nil
	}, nil)
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) start() {
	r.Helper()
	r.open()
	r.j.Start()
}

// stop closes the journal, if it is open.
func (r *rig) stop() {
	if r.j != nil {
		_ = r.j.Close(context.Background())
		r.j = nil
	}
}

// lose lets crashes forget what is not synced.
func (r *rig) lose() {
	r.Helper()
	if err := r.fs.Lose(true); err != nil {
		r.Fatal(err)
	}
}

// crash forgets what is not synced, and starts again.
func (r *rig) crash() {
	r.Helper()
	r.fs.Crash()
	r.stop()
	r.fs.Restart()
	r.start()
}

// commit submits the records in one batch and returns their positions.
func (r *rig) commit(records ...string) ([]journal.Position, error) {
	var b journal.Batch
	var at []int
	for _, rec := range records {
		at = append(at, len(b.Buf))
		b.Buf = journal.AppendRecord(b.Buf, []byte(rec))
	}
	done := make(chan struct{})
	b.Done = func(*journal.Batch) { close(done) }
	r.j.Submit(&b)
	<-done
	var places []journal.Position
	for _, n := range at {
		places = append(places, b.At(n))
	}
	return places, b.Err
}

func (r *rig) mustCommit(records ...string) []journal.Position {
	r.Helper()
	at, err := r.commit(records...)
	if err != nil {
		r.Fatal(err)
	}
	return at
}

// holds fails the test if the last start did not see exactly these records.
func (r *rig) holds(want ...string) {
	r.Helper()
	var got []string
	for _, e := range r.seen {
		got = append(got, e.record)
	}
	if g, w := brief(got), brief(want); g != w {
		r.Fatalf("the log holds %s, want %s", g, w)
	}
}

func brief(records []string) string {
	var s []string
	for _, r := range records {
		s = append(s, fmt.Sprintf("%.12q(%d)", r, len(r)))
	}
	return strings.Join(s, " ")
}

// undamaged fails the test if the last start found anything wrong.
func (r *rig) undamaged() {
	r.Helper()
	if len(r.last.Torn)+len(r.last.Damaged) > 0 {
		r.Fatalf("torn: %v, damaged: %v", r.last.Torn, r.last.Damaged)
	}
}

// files are the paths of the segments.
func (r *rig) files() []string {
	names, _ := filepath.Glob(filepath.Join(r.dir, "*.seg"))
	return names
}

func TestCommittedRecordsAreReplayed(t *testing.T) {
	r := newRig(t)
	r.start()
	r.holds()
	long := strings.Repeat("long", 50_000) // more than a segment
	places := r.mustCommit("a", "bb", "12345678")
	places = append(places, r.mustCommit(long)...)
	places = append(places, r.mustCommit("after")...)
	r.stop()
	r.start()
	r.undamaged()
	r.holds("a", "bb", "12345678", long, "after")
	for i, e := range r.seen {
		if e.at != places[i] {
			t.Errorf("record %d was committed at %v, replayed at %v", i, places[i], e.at)
		}
		if i > 0 && !r.seen[i-1].at.Less(e.at) {
			t.Errorf("%v comes before %v", r.seen[i-1].at, e.at)
		}
	}
	r.mustCommit("more")
	r.stop()
	r.start()
	r.undamaged()
	r.holds("a", "bb", "12345678", long, "after", "more")
}

func TestRecordsAreReadAtTheirPosition(t *testing.T) {
	r := newRig(t)
	r.start()
	want := map[journal.Position]string{}
	for n := range 300 {
		rec := strings.Repeat(string(rune('a'+n%26)), 1+n*n%9_000)
		want[r.mustCommit(rec)[0]] = rec
	}
	big := strings.Repeat("x", journal.MaxRecord)
	want[r.mustCommit(big)[0]] = big
	check := func() {
		var buf []byte
		for at, rec := range want {
			got, err := r.j.ReadRecord(at, buf)
			if err != nil || string(got) != rec {
				t.Fatalf("at %v: %.20q, %v, want %.20q", at, got, err, rec)
			}
			buf = got
			at.Offset += 8
			if got, err := r.j.ReadRecord(at, nil); err == nil {
				t.Fatalf("between records: %q", got)
			}
		}
	}
	check()
	r.stop()
	r.start()
	check()
	if _, err := r.j.ReadRecord(journal.Position{Segment: 99_999, Offset: 64}, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of a segment that is not there: %v", err)
	}
}

func TestBatchesOfManyProducersAreCommittedInTheirOrder(t *testing.T) {
	r := newRig(t)
	r.start()
	const producers, batches = 8, 50
	var all sync.WaitGroup
	for p := range producers {
		all.Go(func() {
			var done sync.WaitGroup
			for n := range batches {
				done.Add(1)
				b := &journal.Batch{Done: func(b *journal.Batch) {
					if b.Err != nil {
						t.Error(b.Err)
					}
					done.Done()
				}}
				for i := range 3 {
					b.Buf = journal.AppendRecord(b.Buf, fmt.Appendf(nil, "%d %d %d", p, n, i))
				}
				r.j.Submit(b)
			}
			done.Wait()
		})
	}
	all.Wait()
	r.stop()
	r.start()
	r.undamaged()
	if len(r.seen) != producers*batches*3 {
		t.Fatalf("%d records", len(r.seen))
	}
	next := map[int]int{}
	for _, e := range r.seen {
		var p, n, i int
		fmt.Sscan(e.record, &p, &n, &i)
		if n*3+i != next[p] {
			t.Fatalf("%q comes when %d of its producer were seen", e.record, next[p])
		}
		next[p]++
	}
}

func TestAFolderIsUsedByOneGateway(t *testing.T) {
	r := newRig(t)
	r.start()
	_, err := journal.Open(journal.Options{Dir: r.dir, Settings: r.set})
	if err == nil || !strings.Contains(err.Error(), "another gateway uses "+r.dir) {
		t.Fatal(err)
	}
	r.stop()
	r.start()
}

func TestWhatIsNoRecordIsRefused(t *testing.T) {
	r := newRig(t)
	r.start()
	f := func(buf []byte, want error) {
		t.Helper()
		done := make(chan error)
		r.j.Submit(&journal.Batch{Buf: buf, Done: func(b *journal.Batch) { done <- b.Err }})
		if err := <-done; !errors.Is(err, want) {
			t.Errorf("%.40q: %v, want %v", buf, err, want)
		}
	}
	whole := journal.AppendRecord(nil, []byte("one"), []byte("two"))
	f(whole, nil)
	f(nil, nil)
	f(whole[:len(whole)-1], journal.ErrFraming)
	f(append(bytes.Clone(whole), "more"...), journal.ErrFraming)
	f(journal.AppendRecord(nil), journal.ErrFraming)
	f(journal.AppendRecord(nil, make([]byte, journal.MaxRecord)), nil)
	f(journal.AppendRecord(nil, make([]byte, journal.MaxRecord+1)), journal.ErrFraming)
	f([]byte("\x18\x00\x00\x80a commit record is not for producers to write"), journal.ErrFraming)
	r.stop()
	r.start()
	r.undamaged()
	r.holds("onetwo", string(make([]byte, journal.MaxRecord)))
}

func TestAClosedJournalRefuses(t *testing.T) {
	r := newRig(t)
	r.open()
	var got []error
	note := func(b *journal.Batch) { got = append(got, b.Err) }
	r.j.Submit(&journal.Batch{Done: note})
	if err := r.j.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.j.Submit(&journal.Batch{Done: note})
	if len(got) != 2 || !errors.Is(got[0], journal.ErrClosed) || !errors.Is(got[1], journal.ErrClosed) {
		t.Errorf("%v", got)
	}
}

func TestCloseCommitsWhatWasSubmitted(t *testing.T) {
	r := newRig(t)
	r.start()
	var want []string
	for n := range 200 {
		want = append(want, fmt.Sprint("record ", n))
		r.j.Submit(&journal.Batch{
			Buf:  journal.AppendRecord(nil, []byte(want[n])),
			Done: func(b *journal.Batch) {},
		})
	}
	if err := r.j.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.holds(want...)
	for _, file := range r.files()[:1] {
		if info, err := os.Stat(file); err != nil || info.Size() >= r.set.Segment {
			t.Errorf("%v %v: what was reserved is not given back", info, err)
		}
	}
}

func TestStatsCountWhatHappened(t *testing.T) {
	r := newRig(t)
	r.set.Segment = 8 << 10
	r.start()
	for range 3 {
		r.mustCommit(strings.Repeat("x", 3000), "y")
	}
	if _, err := r.commit(""); err == nil {
		t.Error("an empty record is committed")
	}
	st := r.j.Stats()
	if st.Batches != 3 || st.Records != 6 || st.Commits < 3 || st.Refused != 1 || st.Seals != 1 || st.Segments != 2 || st.Head != 2 ||
		st.CommittedBytes != 3*(3008+16) || st.Bytes != 2*64+3*(32+3008+16) || st.Syncs < 3 || st.Failing || st.LastError != "" {
		t.Errorf("%+v", st)
	}
	var n uint64
	for i := range st.CommitSizes {
		n += st.CommitSizes[i]
	}
	if n != st.Commits || st.CommitSizes[12] != 3 {
		t.Errorf("%v", st.CommitSizes)
	}
}

func TestReplayTellsOfItsEnd(t *testing.T) {
	r := newRig(t)
	r.start()
	r.mustCommit("a", "b")
	r.stop()
	j, err := journal.Open(journal.Options{Dir: r.dir, Settings: r.set})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close(t.Context())
	var done, total int64
	stop := errors.New("no more")
	if _, err := j.Replay(func(journal.Position, int64, []byte) error { return stop }, nil); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
	report, err := j.Replay(func(journal.Position, int64, []byte) error { return nil }, func(d, all int64) { done, total = d, all })
	if err != nil || report.Records != 2 || done != total || total != 64+32+16+16 {
		t.Errorf("%v, %+v, %d of %d bytes", err, report, done, total)
	}
}
