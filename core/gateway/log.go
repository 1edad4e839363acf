package gateway

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/record"
)

// LogDir is where the log of a data folder is.
func LogDir(data string) string { return filepath.Join(data, "log") }

const (
	// closeTime bounds the last commit.
	closeTime = 10 * time.Second
	// releaseEvery is how often segments that nothing needs are let go.
	releaseEvery = time.Second
	// progressEvery is how often a recovery that takes long says how far it is.
	progressEvery = time.Second
)

func (g *Gateway) openJournal() error {
	if g.opt().Data == "" {
		return nil
	}
	j, err := journal.Open(journal.Options{
		Dir: LogDir(g.opt().Data), FS: g.opt().Files, Settings: core.DefaultDiskSettings(), Log: g.log,
	})
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	g.journal = j
	return nil
}

// configureDisk is core.Env.Disk.
func (g *Gateway) configureDisk(s core.DiskSettings) error {
	if g.journal == nil {
		return errors.New("there is no data folder to keep messages in: start the gateway with --data, or take the stage out")
	}
	g.run.Lock()
	defer g.run.Unlock()
	g.journal.Configure(s)
	g.sync = s.Sync
	if g.recovered {
		g.noteRun(false)
	}
	return nil
}

// noteRun writes down under which sync this run goes on, or that it has ended in
// order. The caller holds g.run.
func (g *Gateway) noteRun(ended bool) {
	buf, at := journal.BeginRecord(nil)
	buf = journal.EndRecord(record.AppendRun(buf, g.sync, ended), at)
	g.journal.Submit(&journal.Batch{Buf: buf, Done: func(*journal.Batch) {}})
}

// recover gives the shards what the log holds for their clients.
func (g *Gateway) recover() error {
	if g.journal == nil {
		return nil
	}
	began := time.Now()
	rec := g.shards.Recover(began.Unix())
	said := began
	if n := g.journal.Stats().Segments; n > 0 {
		g.log.Info("recovering: not ready yet", "segments", n, "dir", LogDir(g.opt().Data))
	}
	report, err := g.journal.Replay(func(at journal.Position, batchMillis int64, b []byte) error {
		rec.Record(at, batchMillis, b)
		return nil
	}, func(done, total int64) {
		if now := time.Now(); now.Sub(said) >= progressEvery {
			said = now
			g.log.Info("recovering: not ready yet", "read", done, "of", total, "records", rec.Records, "took", now.Sub(began).String())
		}
	})
	if err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	var damaged []journal.Position
	for _, d := range report.Damaged {
		damaged = append(damaged, d.From)
	}
	rec.End(damaged)
	g.journal.Start()
	g.run.Lock()
	g.recovered = true
	g.noteRun(false)
	g.run.Unlock()
	if report.Records > 0 || len(report.Damaged)+len(report.Torn) > 0 {
		pending, boxes := rec.Pending()
		g.log.Info("recovered", "pending", pending, "clients", boxes, "records", report.Records, "bytes", report.Bytes,
			"segments", report.Segments, "torn", len(report.Torn), "damaged", len(report.Damaged), "took", time.Since(began).String())
	}
	return nil
}

// release lets segments go that nothing needs.
func (g *Gateway) release(ctx context.Context) {
	if g.journal == nil {
		return
	}
	tick := time.NewTicker(releaseEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			g.journal.Release(g.shards.Needed())
		}
	}
}

// closeJournal commits what is left. The shards have stopped, or never ran.
func (g *Gateway) closeJournal() error {
	if g.journal == nil {
		return nil
	}
	g.run.Lock()
	if g.recovered {
		g.noteRun(true)
	}
	g.run.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	return g.journal.Close(ctx)
}
