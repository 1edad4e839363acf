package lua

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
)

// maxTestLog bounds what is kept of the log of a test, in bytes.
const maxTestLog = 64 << 10

// testLog keeps the log of one test as lines: the place, the level, the text and
// the fields. It is for one goroutine.
type testLog struct {
	lines bytes.Buffer
	full  bool
}

func (t *testLog) String() string { return t.lines.String() }

// add adds one line, if there is room.
func (t *testLog) add(line string) {
	switch {
	case t.full:
	case t.lines.Len()+len(line) > maxTestLog:
		t.full = true
		t.lines.WriteString("... the rest of the log is left out\n")
	default:
		t.lines.WriteString(line + "\n")
	}
}

// Enabled is for slog.Handler.
func (t *testLog) Enabled(context.Context, slog.Level) bool { return true }

// Handle is for slog.Handler.
func (t *testLog) Handle(_ context.Context, r slog.Record) error {
	pos, fields := "", ""
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "script":
			pos = a.Value.String() + ": "
		case "generation", "shard", "suppressed":
		default:
			fields += fmt.Sprintf(" %s=%q", a.Key, a.Value.String())
		}
		return true
	})
	t.add(pos + r.Level.String() + " " + r.Message + fields)
	return nil
}

// WithAttrs is for slog.Handler; the lines of a test do without.
func (t *testLog) WithAttrs([]slog.Attr) slog.Handler { return t }

// WithGroup is for slog.Handler; the lines of a test do without.
func (t *testLog) WithGroup(string) slog.Handler { return t }
