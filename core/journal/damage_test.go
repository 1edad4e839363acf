package journal_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core/journal"
)

// cutAt makes a log of two commits, cuts the file within the second, and puts
// filling behind.
func cutAt(t *testing.T, at func(second journal.Position, size int64) (int64, bool), filling []byte) (r *rig, ok bool) {
	r = newRig(t)
	r.start()
	r.mustCommit("first", "of the first commit")
	second := r.mustCommit("second", "of the second commit", "and last")[0]
	r.stop()
	file := r.files()[0]
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	cut, ok := at(second, info.Size())
	if !ok {
		return r, false
	}
	if err := os.Truncate(file, cut); err != nil {
		t.Fatal(err)
	}
	if f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0); err != nil {
		t.Fatal(err)
	} else if _, err := f.Write(filling); err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	return r, true
}

func TestATornTailIsCut(t *testing.T) {
	f := func(name string, filling []byte) {
		t.Run(name, func(t *testing.T) {
			for n, more := int64(0), true; more; n++ {
				var r *rig
				r, more = cutAt(t, func(second journal.Position, size int64) (int64, bool) {
					cut := int64(second.Offset) - 32 + n // the commit record comes before
					return cut, cut < size
				}, filling)
				if !more {
					if n != 96 { // bytes has the second commit
						t.Fatalf("only %d cuts were tried", n)
					}
					break
				}
				for round := range 2 {
					r.start()
					got := len(r.seen)
					r.seen = r.seen[:min(got, 2)]
					r.holds("first", "of the first commit")
					if len(r.last.Damaged) > 0 || got > 5 {
						t.Fatalf("cut at %d: %d records, %v", n, got, r.last.Damaged)
					}
					if torn := len(r.last.Torn); round == 0 && torn != 1 && (n > 0 || len(filling) > 0 && filling[0] != 0) || round == 1 && torn != 0 {
						t.Fatalf("cut at %d: start %d names %v", n, round, r.last.Torn)
					}
					r.mustCommit(fmt.Sprint("start ", round))
					r.stop()
				}
				r.start()
				if len(r.seen) < 4 || r.seen[len(r.seen)-2].record != "start 0" || r.seen[len(r.seen)-1].record != "start 1" {
					t.Fatalf("cut at %d: what came later is not there: %v", n, r.seen)
				}
				r.stop()
			}
		})
	}
	f("the file ends", nil)
	f("zeros follow", make([]byte, 4096))
	f("garbage follows", bytes.Repeat([]byte("garbage!"), 40))
}

func TestAnyByteMayFlip(t *testing.T) {
	r := newRig(t)
	r.start()
	var commits [][]string
	for n := range 4 {
		c := []string{fmt.Sprint("a", n), strings.Repeat(fmt.Sprint("b", n), 9), fmt.Sprint("c", n)}
		commits = append(commits, c)
		r.mustCommit(c...)
	}
	r.stop()
	r.start() // seals it
	r.mustCommit("in the next segment")
	r.stop()
	all := append(slices.Concat(commits...), "in the next segment")
	file := r.files()[0]
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1 << (i % 8)
		if err := os.WriteFile(file, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			r.open()
			r.stop()
			if len(r.last.Torn) != 0 || len(r.last.Damaged) != 1 {
				t.Fatalf("byte %d: torn %v, damaged %v", i, r.last.Torn, r.last.Damaged)
			}
			d := r.last.Damaged[0]
			if d.Offset > int64(i) || d.Offset+d.Length <= int64(i) || d.File != file || d.Segment != 1 {
				t.Fatalf("byte %d: %v is named", i, d)
			}
			if kept, err := os.ReadFile(d.Quarantine); err != nil || !bytes.Equal(kept, bad[d.Offset:d.Offset+d.Length]) {
				t.Fatalf("byte %d: %s keeps %q, %v", i, d.Quarantine, kept, err)
			}
			lost := len(all) - len(r.seen)
			if lost > 1 {
				t.Fatalf("byte %d: %d records are lost", i, lost)
			}
			rest := slices.Clone(all)
			for _, e := range r.seen {
				at := slices.Index(rest, e.record)
				if at < 0 {
					t.Fatalf("byte %d: %q is not a record, or out of order", i, e.record)
				}
				rest = slices.Delete(rest, at, at+1)
			}
			if lost == 0 != (i < 64 || inCommitRecord(good, i)) {
				t.Fatalf("byte %d: %d records are lost", i, lost)
			}
		}
		if err := os.RemoveAll(filepath.Join(r.dir, "quarantine")); err != nil {
			t.Fatal(err)
		}
		if left := r.files(); len(left) < 2 {
			t.Fatalf("byte %d: left are %v", i, left)
		}
	}
}

// inCommitRecord reports whether offset i of a segment is in a commit record.
func inCommitRecord(segment []byte, i int) bool {
	for off := 64; off <= i; {
		length := binary.LittleEndian.Uint32(segment[off:])
		size := 8 + int(length&(1<<31-1)+7)&^7
		if i < off+size {
			return length>>31 == 1
		}
		off += size
	}
	return false
}

func TestDamageInTheLastSegmentIsNotTakenForATornTail(t *testing.T) {
	r := newRig(t)
	r.start()
	r.mustCommit("a", "b")
	at := r.mustCommit("c", "d")
	r.mustCommit("e")
	r.stop()
	flip(t, r.files()[0], int64(at[0].Offset)+8)
	r.start()
	r.holds("a", "b", "d", "e")
	if d := r.last.Damaged; len(r.last.Torn) != 0 || len(d) != 1 || d[0].From != at[0] || d[0].To != at[1] || d[0].Quarantine == "" {
		t.Fatalf("torn %v, damaged %v", r.last.Torn, d)
	}
}

func flip(t *testing.T, file string, off int64) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[off] ^= 0x40
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestASegmentThatIsMissingIsNamed(t *testing.T) {
	r := newRig(t)
	for n := range 4 {
		r.start()
		r.mustCommit(fmt.Sprint(n))
		r.stop()
	}
	if err := os.Remove(r.files()[1]); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.holds("0", "2", "3")
	if d := r.last.Damaged; len(d) != 1 || d[0].Segment != 2 || d[0].Reason != "segment is missing" {
		t.Fatal(d)
	}
	r.stop()
	if err := os.Remove(r.files()[0]); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.holds("2", "3")
	if d := r.last.Damaged; len(d) != 1 || d[0].Segment != 2 {
		t.Fatal(d)
	}
}

func TestASegmentThatIsTooShortIsNamed(t *testing.T) {
	r := newRig(t)
	r.start()
	at := r.mustCommit("a", "b", "c")
	r.stop()
	r.start()
	r.mustCommit("d")
	r.stop()
	if err := os.Truncate(r.files()[0], int64(at[2].Offset)); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.holds("a", "b", "d")
	if d := r.last.Damaged; len(d) != 1 || d[0].From != at[2] || d[0].Length != 16 {
		t.Fatal(d)
	}
}

func TestARecordWithinARecordIsNotFound(t *testing.T) {
	forged := strings.Repeat(string(journal.AppendRecord(nil, []byte("forged"))), 20)
	r := newRig(t)
	r.start()
	at := r.mustCommit("before", forged, "after")
	r.stop()
	r.start()
	r.stop()
	flip(t, r.files()[0], int64(at[1].Offset)+4)
	r.start()
	r.holds("before", "after")
}

func TestAnUnfinishedSegmentIsNoDamage(t *testing.T) {
	f := func(content []byte) {
		t.Helper()
		r := newRig(t)
		r.start()
		r.mustCommit("a")
		r.stop()
		unfinished := filepath.Join(r.dir, "00000002.seg")
		if err := os.WriteFile(unfinished, content, 0o600); err != nil {
			t.Fatal(err)
		}
		r.start()
		r.undamaged()
		r.holds("a")
		if _, err := os.Stat(unfinished); err == nil {
			t.Error("it is still there")
		}
		r.mustCommit("b")
		r.stop()
		r.start()
		r.undamaged()
		r.holds("a", "b")
	}
	f(nil)
	f([]byte("STXJ"))
	f(make([]byte, 64<<10))
}

func TestScanFindsWhatReplayFinds(t *testing.T) {
	r := newRig(t)
	for n := range 3 {
		r.start()
		r.mustCommit(fmt.Sprint("a", n), fmt.Sprint("b", n))
		r.stop()
	}
	flip(t, r.files()[1], 64+32+8)
	before, err := os.ReadDir(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	report, err := journal.Scan(r.dir, r.fs, func(e journal.Entry) error {
		if e.Damage != nil {
			got = append(got, "damage")
		} else {
			got = append(got, string(e.Record))
		}
		return nil
	})
	if want := []string{"a0", "b0", "damage", "b1", "a2", "b2"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
	if len(report.Damaged) != 1 || report.Records != 5 || report.Segments != 3 {
		t.Errorf("%+v", report)
	}
	if after, _ := os.ReadDir(r.dir); len(after) != len(before) {
		t.Errorf("it left %v", after)
	}
	list, err := journal.List(r.dir, r.fs)
	if err != nil || len(list) != 3 || list[0].Sealed.IsZero() || !list[2].Sealed.IsZero() || list[1].Path != r.files()[1] {
		t.Errorf("%+v %v", list, err)
	}
}
