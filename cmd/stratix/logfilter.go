package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/stratix-gateway/stratix/core/record"
)

// logFilter chooses records. What is not set chooses all.
type logFilter struct {
	kinds        []string
	client       string // the recipient
	from         string // the sender
	id           string
	since, until int64     // milliseconds since 1970, until excluded
	waiting      *accounts // of the whole log: only what waits
}

// keep reports whether all that was asked for is true of the line. Of a message
// it leaves only the recipients that were asked for.
func (f *logFilter) keep(l *logLine) bool {
	if len(f.kinds) > 0 && !slices.Contains(f.kinds, l.kind()) {
		return false
	}
	if f.since != 0 && l.when() < f.since || f.until != 0 && l.when() >= f.until {
		return false
	}
	rec := l.rec
	if rec.Kind != record.Message {
		return f.from == "" && f.id == "" && f.waiting == nil && (f.client == "" || f.client == l.client)
	}
	if f.from != "" && rec.Letter.From != f.from || f.id != "" && messageID(&rec.Letter) != f.id {
		return false
	}
	rec.Recipients = slices.DeleteFunc(rec.Recipients, func(to record.Recipient) bool {
		return f.client != "" && to.Name != f.client || f.waiting != nil && !f.waiting.waits(l.at, to)
	})
	return len(rec.Recipients) > 0
}

// messageID is the messageId as its sender wrote it; "" for none.
func messageID(l *record.Letter) (id string) {
	if len(l.ID) > 0 && json.Unmarshal(l.ID, &id) != nil {
		return string(l.ID)
	}
	return id
}

// moment is a point in time, or how long ago it was. The zero moment is none.
type moment struct {
	at  time.Time
	ago time.Duration
}

// UnmarshalText reads a duration such as 10m or a time of RFC 3339.
func (m *moment) UnmarshalText(text []byte) error {
	s := string(text)
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		*m = moment{at: at}
		return nil
	}
	if ago, err := time.ParseDuration(s); err == nil && ago > 0 {
		*m = moment{ago: ago}
		return nil
	}
	return fmt.Errorf("%q is no time: write how long ago it was, such as 10m or 24h, or the time itself, such as 2026-01-31T18:00:00Z", s)
}

// millis is the moment in milliseconds since 1970; 0 for none.
func (m moment) millis(now time.Time) int64 {
	switch {
	case m.ago > 0:
		return now.Add(-m.ago).UnixMilli()
	case m.at.IsZero():
		return 0
	}
	return m.at.UnixMilli()
}
