package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	corejournal "github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/record"
)

// entryOf is the record that words make, see recordOf, committed at millis.
func entryOf(t testing.TB, words string, millis int64) (corejournal.Entry, *record.Record) {
	t.Helper()
	b, err := recordOf(strings.Fields(words))
	rec := &record.Record{}
	if err != nil || !rec.Read(b) {
		t.Fatalf("%q is no record: %v", words, err)
	}
	return corejournal.Entry{At: corejournal.Position{Segment: 9, Offset: 1}, Millis: millis, Record: b}, rec
}

func TestARecordHasToPassAllFilters(t *testing.T) {
	const message = "message sender m-1 1 a:7:1 b:8:2"
	const log = message + "; message sender m-2 1 a:7:2; ack 7 1"
	waiting := accountOf(t, log)
	f := func(filter logFilter, words string, want string) {
		t.Helper()
		e, rec := entryOf(t, words, 5000)
		e.At = corejournal.Position{Segment: 1, Offset: 1}
		line := lineOf(e, rec, waiting)
		got := "no"
		if filter.keep(&line) {
			got = "yes"
			if rec.Kind == record.Message {
				got = recipientsText(rec.Recipients, true)
			}
		}
		if got != want {
			t.Errorf("%+v of %s: got %s, want %s", filter, words, got, want)
		}
	}
	f(logFilter{}, message, "a#1,b#2")
	f(logFilter{kinds: []string{"ack", "message"}}, message, "a#1,b#2")
	f(logFilter{kinds: []string{"ack"}}, message, "no")
	f(logFilter{from: "sender"}, message, "a#1,b#2")
	f(logFilter{from: "a"}, message, "no")
	f(logFilter{id: "m-1"}, message, "a#1,b#2")
	f(logFilter{id: `"m-1"`}, message, "no")
	f(logFilter{client: "b"}, message, "b#2")
	f(logFilter{client: "sender"}, message, "no")
	f(logFilter{waiting: waiting}, message, "b#2") // a has settled it
	f(logFilter{waiting: waiting, client: "a"}, message, "no")
	f(logFilter{waiting: waiting, client: "b", id: "m-1", from: "sender", since: 1, until: 6000}, message, "b#2")
	f(logFilter{waiting: waiting, client: "b", id: "m-1", from: "another"}, message, "no")
	f(logFilter{since: 5000}, message, "a#1,b#2")
	f(logFilter{since: 5001}, message, "no")
	f(logFilter{until: 5000}, message, "no")
	f(logFilter{until: 5001}, message, "a#1,b#2")

	f(logFilter{client: "a"}, "ack 7 1", "yes")
	f(logFilter{client: "b"}, "ack 7 1", "no")
	f(logFilter{client: "a"}, "ack 99 1", "no")
	f(logFilter{client: "b"}, "gone 8 1-1", "yes")
	f(logFilter{client: "b"}, "end 8", "yes")
	f(logFilter{client: "c"}, "session c 9 0 0", "yes")
	f(logFilter{client: "a"}, "run begins", "no")
	f(logFilter{}, "run begins", "yes")
	f(logFilter{id: "m-1"}, "ack 7 1", "no")
	f(logFilter{from: "sender"}, "ack 7 1", "no")
	f(logFilter{waiting: waiting}, "ack 7 1", "no")
}

func TestAMessageIDIsComparedAsItIsMeant(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := messageID(&record.Letter{ID: []byte(in)}); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
	f(``, "")
	f(`"m-1"`, "m-1")
	f(`"\u006d\"1"`, `m"1`)
	f(`nonsense`, "nonsense")
}

func TestAMomentIsATimeOrHowLongAgoItWas(t *testing.T) {
	now := time.UnixMilli(1_790_000_000_000)
	f := func(in string, want int64) {
		t.Helper()
		var m moment
		if err := m.UnmarshalText([]byte(in)); (err == nil) != (want != 0) || m.millis(now) != want {
			t.Errorf("%q: got %d %v, want %d", in, m.millis(now), err, want)
		}
	}
	f("10m", 1_790_000_000_000-600_000)
	f("2026-09-21T14:13:20Z", 1_790_000_000_000)
	f("2026-09-21T16:13:20.5+02:00", 1_790_000_000_500)
	f("", 0)
	f("-10m", 0)
	f("0s", 0)
	f("2026-09-21", 0)
}

func TestALineStaysOneLineAndDoesNotCommandTheTerminal(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := visible(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	f(`{"a":"ä€"}`, `{"a":"ä€"}`)
	f("{\n\t}\r", "{  } ")
	f("\x1b[31m", `\u001b[31m`)
	f("a\u009b2J\u202eb", `a\u009b2J\u202eb`)
	f("\U000e0001", `\U000e0001`)
	f("a\xff", `a\xff`)
}

func TestANameIsQuotedWhereItWouldMislead(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := word(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
	f("desk-1", "desk-1")
	f("büro:1", "büro:1")
	f("", `""`)
	f("a b", `"a b"`)
	f("a#1,b", `"a#1,b"`)
	f("a\u202e", `"a\u202e"`)
}

func TestWhatIsLongIsCutUnlessAllIsAskedFor(t *testing.T) {
	e, rec := entryOf(t, `message s m "`+strings.Repeat("ä", 100)+`" a:1:1 b:2:2 c:3:3 d:4:4 e:5:5 f:6:6 g:7:7`, 0)
	line := lineOf(e, rec, newAccounts())
	f := func(full bool, want string) {
		t.Helper()
		if got := line.text(full); !strings.HasSuffix(got, want) {
			t.Errorf("full is %v: got %s, want %s", full, got, want)
		}
	}
	f(false, " to=a#1,b#2,c#3,d#4,e#5 (and 2 more) data=\""+strings.Repeat("ä", 79)+"…")
	f(true, " to=a#1,b#2,c#3,d#4,e#5,f#6,g#7 data=\""+strings.Repeat("ä", 100)+`"`)
}

func TestDataThatIsNoJSONIsPrintedAsAString(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := string(rawJSON([]byte(in))); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
	f(`{"a":1}`, `{"a":1}`)
	f(`{"a":`, `"{\"a\":"`)
	f("\xff", `"\ufffd"`)
	f("", "")
}

func TestAnErrorOfReadingSaysWhatToDo(t *testing.T) {
	f := func(data string, err error, want string) {
		t.Helper()
		got := logFolder{Data: data}.explain(err)
		if !errors.Is(got, err) && !strings.Contains(got.Error(), "no such folder") || !strings.Contains(got.Error(), want) {
			t.Errorf("%s, %v: got %v, want %s", data, err, got, want)
		}
	}
	f(".", fs.ErrPermission, "run this as the user that the gateway runs as")
	f(".", fs.ErrNotExist, "try again")
	f("nowhere", fs.ErrNotExist, "nowhere: no such folder")
	f(".", errors.New("input/output error"), "input/output error")
}

// FuzzLine holds that any record is one line, and JSON.
func FuzzLine(f *testing.F) {
	for _, words := range []string{
		"message s m {} a:7:1", "ack 7 1 3-5", "gone 7 1-1", "session a 7 1 1", "end 7", "run begins",
	} {
		e, _ := entryOf(f, words, 1)
		f.Add(e.Record)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var rec record.Record
		if !rec.Read(b) {
			return
		}
		known := newAccounts()
		known.record(corejournal.Position{Segment: 1}, &rec)
		known.pending()
		line := lineOf(corejournal.Entry{Record: b}, &rec, known)
		for _, full := range []bool{false, true} {
			if text := line.text(full); visible(text) != text {
				t.Errorf("%q", text)
			}
		}
		if _, err := json.Marshal(line.json()); err != nil {
			t.Error(err)
		}
	})
}
