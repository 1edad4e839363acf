package journal_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/journal"
)

func benchJournal(b *testing.B, dir string, sync core.Sync) *journal.Journal {
	set := core.DefaultDiskSettings()
	set.Sync, set.RetainBytes = sync, 1<<50
	j, err := journal.Open(journal.Options{Dir: dir, Settings: set, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	return j
}

func nothing(journal.Position, int64, []byte) error { return nil }

// submit commits b.N batches of 128 records of 200 bytes, a few at a time as
// shards do.
func submit(b *testing.B, j *journal.Journal, n int) {
	const records, inFlight = 128, 4
	payload := make([]byte, 200)
	free := make(chan *journal.Batch, inFlight)
	for range inFlight {
		free <- &journal.Batch{Done: func(done *journal.Batch) {
			if done.Err != nil {
				b.Error(done.Err)
			}
			free <- done
		}}
	}
	for range n {
		batch := <-free
		batch.Buf = batch.Buf[:0]
		for range records {
			batch.Buf = journal.AppendRecord(batch.Buf, payload)
		}
		j.Submit(batch)
	}
	for range inFlight {
		<-free
	}
}

func BenchmarkCommit(b *testing.B) {
	f := func(name string, sync core.Sync) {
		b.Run(name, func(b *testing.B) {
			j := benchJournal(b, b.TempDir(), sync)
			if _, err := j.Replay(nothing, nil); err != nil {
				b.Fatal(err)
			}
			j.Start()
			submit(b, j, 16)
			before := j.Stats()
			b.SetBytes(128 * 208)
			b.ReportAllocs()
			b.ResetTimer()
			submit(b, j, b.N)
			b.StopTimer()
			after := j.Stats()
			b.ReportMetric(float64(128*b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(b.N)/float64(after.Commits-before.Commits), "batches/commit")
			if err := j.Close(context.Background()); err != nil {
				b.Fatal(err)
			}
		})
	}
	f("sync=commit", core.SyncCommit)
	f("sync=os", core.SyncOS)
}

func BenchmarkReplay(b *testing.B) {
	dir := b.TempDir()
	j := benchJournal(b, dir, core.SyncOS)
	if _, err := j.Replay(nothing, nil); err != nil {
		b.Fatal(err)
	}
	j.Start()
	submit(b, j, 4000) // 107 MB
	if err := j.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		j := benchJournal(b, dir, core.SyncOS)
		report, err := j.Replay(nothing, nil)
		if err != nil || report.Records != 128*4000 {
			b.Fatal(report.Records, err)
		}
		b.SetBytes(report.Bytes)
		_ = j.Close(context.Background())
	}
}

func BenchmarkAppendRecord(b *testing.B) {
	payload := make([]byte, 200)
	var buf []byte
	b.ReportAllocs()
	for i := range b.N {
		if i%128 == 0 {
			buf = buf[:0]
		}
		buf = journal.AppendRecord(buf, payload)
	}
}

func BenchmarkReadRecord(b *testing.B) {
	j := benchJournal(b, b.TempDir(), core.SyncOS)
	if _, err := j.Replay(nothing, nil); err != nil {
		b.Fatal(err)
	}
	j.Start()
	done := make(chan journal.Position)
	j.Submit(&journal.Batch{
		Buf:  journal.AppendRecord(nil, make([]byte, 200)),
		Done: func(b *journal.Batch) { done <- b.Base },
	})
	at := <-done
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = j.ReadRecord(at, buf); err != nil {
			b.Fatal(err)
		}
	}
	_ = j.Close(context.Background())
}
