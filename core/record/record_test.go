package record

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

func message() *core.Message {
	return &core.Message{
		From: &core.Session{ID: "client-1"}, ID: []byte(`"m-1"`), Data: []byte(`{"a":[1,2]}`),
		Headers: []byte(`{"h":"v"}`), ConflateKey: []byte("EURUSD"), Time: 1760000000123, Generation: 300,
		Priority: 9, Overflow: core.OverflowConflate,
	}
}

// recordOf is the record of a letter to one recipient.
func recordOf(letter []byte) []byte {
	var l Letter
	ReadLetter(letter, &l)
	return AppendRecipient(AppendMessage(nil, l.From, l.Content, 1), "desk-1", 1, 1)
}

func TestALetterIsReadAsItWasWritten(t *testing.T) {
	f := func(m *core.Message, ttl uint32, want Letter) {
		t.Helper()
		b := AppendLetter(nil, m, ttl)
		var got Letter
		n, ok := ReadLetter(append(b, "behind"...), &got)
		content := got.Content
		got.Content = nil
		if !ok || n != len(b) || !reflect.DeepEqual(got, want) {
			t.Errorf("got %d bytes %v %+v, want %d bytes %+v", n, ok, got, len(b), want)
		}
		alone := Letter{From: want.From}
		if n, ok := ReadContent(content, &alone); !ok || n != len(content) || len(alone.Content) != n {
			t.Errorf("of its content %d of %d bytes are read", n, len(content))
		}
		if alone.Content = nil; !reflect.DeepEqual(alone, want) {
			t.Errorf("its content is %+v, want %+v", alone, want)
		}
		if at := Expiry(content); at != want.Expiry() {
			t.Errorf("it expires at %d, want %d", at, want.Expiry())
		}
		for cut := range b {
			if _, ok := ReadLetter(b[:cut], &got); ok {
				t.Errorf("the first %d of %d bytes are taken for a letter", cut, len(b))
			}
		}
	}
	f(message(), 86400, Letter{
		From: "client-1", ID: []byte(`"m-1"`), Data: []byte(`{"a":[1,2]}`), Headers: []byte(`{"h":"v"}`), Key: []byte("EURUSD"),
		Time: 1760000000123, TTL: 86400, Generation: 300, Priority: 9, Overflow: core.OverflowConflate,
	})
	f(&core.Message{From: &core.Session{ID: "c"}, Data: []byte("1")}, 0, Letter{
		From: "c", ID: []byte{}, Data: []byte("1"), Headers: []byte{}, Key: []byte{},
	})
}

func TestRecordsAreReadAsTheyWereWritten(t *testing.T) {
	letter := AppendLetter(nil, message(), 60)
	var read Letter
	ReadLetter(letter, &read)
	many := AppendMessage(nil, read.From, read.Content, 2)
	many = AppendRecipient(many, "desk-1", 1<<63, 1)
	many = AppendRecipient(many, "desk-2", 7, 1<<40)
	state := State{Name: "c", Epoch: 9, Seq: 10, Upto: 8, Flags: 3, Seen: 1760000000, Groups: []string{"a", "room:1"},
		Spans: []Span{{Range{9, 9}, Overflow}, {Range{10, 10}, 0}}}
	var r Record
	f := func(b []byte, check func() bool) {
		t.Helper()
		if !r.Read(b) || !check() {
			t.Errorf("%q is read as %+v", b, r)
		}
		if !r.Read(bytes.Clone(b)) { // the scratch of the first read is used again
			t.Errorf("%q is not read a second time", b)
		}
		for cut := range b {
			if r.Read(b[:cut]) {
				t.Errorf("the first %d of %d bytes are taken for a record: %q", cut, len(b), b)
			}
		}
		if r.Read(append(bytes.Clone(b), 0)) {
			t.Errorf("a byte too many is not seen: %q", b)
		}
	}
	f(many, func() bool {
		return r.Kind == Message && r.Letter.From == "client-1" && bytes.Equal(r.Letter.Content, read.Content) && string(r.Letter.ID) == `"m-1"` &&
			reflect.DeepEqual(r.Recipients, []Recipient{{"desk-1", 1 << 63, 1}, {"desk-2", 7, 1 << 40}})
	})
	f(AppendAck(nil, 5, 42, []Range{{44, 50}}), func() bool {
		return r.Kind == Ack && r.Epoch == 5 && r.Upto == 42 && reflect.DeepEqual(r.Ranges, []Range{{44, 50}})
	})
	f(AppendGone(nil, 5, Expired, Range{1, 1}, Range{3, 9}), func() bool {
		return r.Kind == Gone && r.Cause == Expired && reflect.DeepEqual(r.Ranges, []Range{{1, 1}, {3, 9}})
	})
	f(AppendSession(nil, &state), func() bool { return r.Kind == Session && reflect.DeepEqual(r.State, state) })
	f(AppendRun(nil, core.SyncOS, true), func() bool { return r.Kind == Run && r.Sync == core.SyncOS && r.Ended })
	f(AppendEnd(nil, 77), func() bool { return r.Kind == End && r.Epoch == 77 })
}

func TestEveryCauseHasAWord(t *testing.T) {
	seen := map[string]bool{"unknown": true}
	for _, c := range Causes {
		if seen[c.String()] {
			t.Errorf("cause %d has the word %q", c, c)
		}
		seen[c.String()] = true
	}
}

func FuzzRecord(f *testing.F) {
	letter := AppendLetter(nil, message(), 60)
	f.Add(recordOf(letter))
	f.Add(AppendAck(nil, 5, 42, []Range{{44, 50}}))
	f.Add(AppendGone(nil, 5, Expired, Range{1, 1}))
	f.Add(AppendSession(nil, &State{Name: "c", Groups: []string{"a"}}))
	f.Add(AppendEnd(nil, 1))
	f.Add(AppendRun(nil, core.SyncCommit, false))
	var r Record
	f.Fuzz(func(_ *testing.T, b []byte) { r.Read(b) }) // must not panic
}

func BenchmarkReadMessage(b *testing.B) {
	letter := AppendLetter(nil, message(), 60)
	in := recordOf(letter)
	var r Record
	b.ReportAllocs()
	for b.Loop() {
		r.Read(in)
	}
}
