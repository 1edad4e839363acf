// Package disk is stage.disk: it has messages written to the gateway's log
// before anybody is told of them.
package disk

import (
	"fmt"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

// Bounds on the settings.
const (
	minSegment  = 1 << 20
	maxSegment  = 1 << 30
	minInterval = time.Millisecond
	maxInterval = time.Hour
)

func init() {
	core.Register(core.Plugin{
		Name:     "disk",
		Doc:      "Keeps messages in the log on disk until their recipients have them.",
		Settings: &settings{},
		Open:     open,
	})
}

type settings struct {
	Sync        string        `lua:"sync" doc:"When the log is forced to the disk: commit (the default) does it before anybody is told, interval every so often, os leaves it to the system."`
	Interval    time.Duration `lua:"interval" doc:"The time between two syncs, with sync = interval only; 1s by default."`
	Segment     core.Bytes    `lua:"segment" doc:"The size of one file of the log, 1MiB to 1GiB; 64MiB by default."`
	RetainBytes core.Bytes    `lua:"retain_bytes" doc:"How much of the log is kept though nothing in it waits; 1GiB by default."`
	RetainAge   time.Duration `lua:"retain_age" doc:"For how long that is kept; 1h by default."`
}

func open(c core.Config, env *core.Env) (core.Stage, error) {
	d := core.DefaultDiskSettings()
	s := settings{
		Sync: "commit", Interval: d.Interval, Segment: core.Bytes(d.Segment),
		RetainBytes: core.Bytes(d.RetainBytes), RetainAge: d.RetainAge,
	}
	if err := c.Decode(&s); err != nil {
		return nil, err
	}
	sync, ok := core.ParseSync(s.Sync)
	if !ok {
		return nil, c.Errorf("sync", `expected "commit", "interval" or "os", got %.40q%s`, s.Sync, hint(s.Sync))
	}
	_, given := c.Values["interval"]
	switch {
	case given && sync != core.SyncInterval:
		return nil, c.Errorf("interval", `works with sync = "interval" only, and sync is %q`, s.Sync)
	case s.Interval < minInterval || s.Interval > maxInterval:
		return nil, c.Errorf("interval", "expected %v to %v, got %v", minInterval, maxInterval, s.Interval)
	case s.Segment < minSegment || s.Segment > maxSegment:
		return nil, c.Errorf("segment", "expected %v to %v, got %v", core.Bytes(minSegment), core.Bytes(maxSegment), s.Segment)
	}
	return &stage{env: env, log: core.DiskSettings{
		Sync: sync, Interval: s.Interval, Segment: int64(s.Segment),
		RetainBytes: int64(s.RetainBytes), RetainAge: s.RetainAge,
	}}, nil
}

// hint names the kind of sync that was probably meant, if any.
func hint(word string) string {
	if near := core.Nearest(word, []string{"commit", "interval", "os"}); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// stage marks messages. It is the same on all shards: nothing in it changes
// after Open.
type stage struct {
	env *core.Env
	log core.DiskSettings
}

// Handle marks m; the shard writes it to the log when the pipeline has accepted
// it.
func (s *stage) Handle(m *core.Message) (core.Verdict, error) {
	m.KeepIn(core.StorageDisk)
	return core.Next, nil
}
