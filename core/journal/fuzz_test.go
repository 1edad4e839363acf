package journal_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/journal"
)

// FuzzScan damages a log of two segments, whose records say what they are: no
// other record may be found, and what is found must come in order.
func FuzzScan(f *testing.F) {
	dir := f.TempDir()
	records := map[string]journal.Position{}
	for range 2 {
		j, err := journal.Open(journal.Options{Dir: dir, Settings: core.DefaultDiskSettings(), Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			f.Fatal(err)
		}
		if _, err := j.Replay(func(journal.Position, int64, []byte) error { return nil }, nil); err != nil {
			f.Fatal(err)
		}
		j.Start()
		for range 3 {
			b := &journal.Batch{}
			var at []int
			var texts []string
			for range 4 {
				at = append(at, len(b.Buf))
				texts = append(texts, fmt.Sprint("record ", len(records)+len(texts), bytes.Repeat([]byte{0}, len(texts)*5)))
				b.Buf = journal.AppendRecord(b.Buf, []byte(texts[len(texts)-1]))
			}
			done := make(chan struct{})
			b.Done = func(*journal.Batch) { close(done) }
			j.Submit(b)
			<-done
			for i, text := range texts {
				records[text] = b.At(at[i])
			}
		}
		if err := j.Close(f.Context()); err != nil {
			f.Fatal(err)
		}
	}
	var good [2][]byte
	for i := range good {
		b, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("%08d.seg", i+1)))
		if err != nil {
			f.Fatal(err)
		}
		good[i] = b
	}

	f.Add(uint8(0), uint16(0), uint16(0), []byte(nil), false)
	f.Add(uint8(0), uint16(8), uint16(4), []byte("\x00\x00\x00\x00"), false)
	f.Add(uint8(1), uint16(64), uint16(32), []byte(nil), true)
	f.Add(uint8(0), uint16(64), uint16(8), []byte("\x18\x00\x00\x80\x00\x00\x00\x00"), false)
	f.Add(uint8(1), uint16(200), uint16(2000), []byte(nil), false)
	f.Add(uint8(0), uint16(100), uint16(100), bytes.Repeat([]byte("\x10\x00\x00\x00"), 90), true)
	f.Fuzz(func(t *testing.T, which uint8, off, length uint16, with []byte, again bool) {
		dir := t.TempDir()
		for i, b := range good {
			if int(which)%2 == i || again {
				from := min(int(off), len(b))
				b = append(append(bytes.Clone(b[:from]), with...), b[min(from+int(length), len(b)):]...)
			}
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%08d.seg", i+1)), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var last journal.Position
		found := 0
		_, err := journal.Scan(dir, journal.OS(), func(e journal.Entry) error {
			if e.Damage != nil {
				return nil
			}
			found++
			at, ok := records[string(e.Record)]
			if !ok || at != e.At {
				t.Errorf("at %v is %q, which was written at %v", e.At, e.Record, at)
			}
			if !last.Less(e.At) {
				t.Errorf("%v comes after %v", e.At, last)
			}
			last = e.At
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		j, err := journal.Open(journal.Options{Dir: dir, Settings: core.DefaultDiskSettings(), Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close(t.Context())
		report, err := j.Replay(func(at journal.Position, _ int64, record []byte) error {
			if got, err := j.ReadRecord(at, nil); err != nil || !bytes.Equal(got, record) {
				t.Errorf("at %v is %q, %v; replayed was %q", at, got, err, record)
			}
			return nil
		}, nil)
		if err != nil || report.Records != uint64(found) {
			t.Errorf("replay found %d records, %v; scan %d", report.Records, err, found)
		}
	})
}
