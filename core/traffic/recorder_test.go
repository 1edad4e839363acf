package traffic

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

func TestARecorderTakesItsShareOfATick(t *testing.T) {
	r := NewRecorder(1<<20, 3)
	for tick := range 2 {
		for i := range 5 {
			r.Note(&core.Message{From: &core.Session{ID: fmt.Sprintf("t%d-%d", tick, i)}, Data: []byte("1")})
		}
		r.Tick()
	}
	if r.Skipped != 4 {
		t.Errorf("%d were skipped, want 4", r.Skipped)
	}
	var got []string
	for next, done := uint64(0), false; !done; {
		next, done = r.Each(next, 1<<20, func(entry []byte) {
			var in Input
			if !Read(entry, &in) {
				t.Fatal("it holds what is no entry")
			}
			got = append(got, in.From)
		})
	}
	if want := []string{"t0-0", "t0-1", "t0-2", "t1-0", "t1-1", "t1-2"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// senders counts what a Recorder holds by sender, and checks its counts against
// that.
func (r *Recorder) senders(t *testing.T) map[string]int {
	t.Helper()
	got, bytes, held := map[string]int{}, uint32(0), uint32(0)
	for next, done := uint64(0), false; !done; {
		next, done = r.Each(next, 1<<20, func(entry []byte) {
			var in Input
			if !Read(entry, &in) {
				t.Fatal("it holds what is no entry")
			}
			got[in.From]++
			bytes += uint32(len(entry))
		})
	}
	for _, n := range r.held {
		held += n
	}
	if bytes != held {
		t.Errorf("it holds %d bytes, and counts %d", bytes, held)
	}
	return got
}

func TestOneSenderDoesNotPushOutWhatTheOthersHaveSent(t *testing.T) {
	r, now := NewRecorder(256<<10, 500), int64(1<<41)
	note := func(from string, size int) {
		r.Note(&core.Message{From: &core.Session{ID: from}, Time: now, Data: make([]byte, size)})
	}
	minute := func(loud ...string) {
		for range 240 {
			for i := range 2000 {
				note(loud[i%len(loud)], 50+i%100)
			}
			note("late", 100)
			now += 250
			r.Tick()
		}
	}
	for i := range 200 {
		note(fmt.Sprint("quiet", i), 100)
	}
	r.Tick()
	minute("loud")
	got := r.senders(t)
	if len(got) < 195 || got["late"] < 220 || got["loud"] < 500 || r.Skipped == 0 {
		t.Errorf("of a flood there are %d senders, %d late, %d loud", len(got), got["late"], got["loud"])
	}
	minute("loud", "louder")
	got = r.senders(t)
	if len(got) < 190 || got["late"] < 400 || got["loud"] < 200 || got["louder"] < 200 {
		t.Errorf("of two there are %d senders, %d late, %d loud, %d louder", len(got), got["late"], got["loud"], got["louder"])
	}
	now += spared
	minute("loud")
	if got = r.senders(t); got["quiet1"] != 0 || got["late"] == 0 {
		t.Errorf("it holds %d senders, one of which has not sent anything for an hour: %d, and %d late", len(got), got["quiet1"], got["late"])
	}
}

func TestOneSenderAloneHasAllOfARecorder(t *testing.T) {
	r := NewRecorder(64<<10, 5000)
	for i := range 2000 {
		r.Note(&core.Message{From: &core.Session{ID: "a"}, Time: int64(i), Data: make([]byte, 100)})
	}
	newest := int64(2000)
	r.Each(0, 1<<20, func(entry []byte) {
		at, _ := origin(entry)
		newest = min(newest, at)
	})
	if n := r.senders(t)["a"]; n < 500 || newest != int64(2000-n) || r.Skipped != 0 {
		t.Errorf("it holds %d messages, the oldest of which was the %dth, and %d were skipped", n, newest, r.Skipped)
	}
}

func TestAnInputIsTheSameBehindJSON(t *testing.T) {
	f := func(in Input) {
		t.Helper()
		b, err := json.Marshal(in)
		var got Input
		if err == nil {
			err = json.Unmarshal(b, &got)
		}
		if err != nil || !reflect.DeepEqual(got, in) {
			t.Errorf("%+v became %s, which is %+v, %v", in, b, got, err)
		}
	}
	f(Input{From: "a", Data: []byte("1")})
	f(Input{
		From: "é\"", Claims: []byte(`{"r":[1]}`), Remote: netip.MustParseAddr("2001:db8::1"), Time: 1795559233228, ID: []byte(`"m"`), Data: []byte(`{"x":[1,2]}`),
		Headers: []byte(`{"a":"b"}`), To: []byte(`["x","y"]`), Size: 99, TTL: 7, Priority: 9, Receipt: true,
	})
}

func TestARecorderWithoutRoomDoesNothing(t *testing.T) {
	f := func(size, data int) {
		t.Helper()
		r := NewRecorder(size, 1000)
		m := &core.Message{From: &core.Session{ID: "a"}, Data: make([]byte, data)}
		r.Note(m)
		if cap(r.entry) > 0 {
			t.Errorf("a message of %d bytes takes %d bytes beside a ring of %d", data, cap(r.entry), size)
		}
	}
	f(0, 10)
	f(1<<10, 10)
	f(64<<10, 1<<20) // and keeps no copy of what is too large
}

func BenchmarkAFloodIsRecorded(b *testing.B) {
	r := NewRecorder(1<<20, 1<<30)
	for i := range 2000 {
		r.Note(&core.Message{From: &core.Session{ID: fmt.Sprint(i)}, Data: make([]byte, 200)})
	}
	m := &core.Message{From: &core.Session{ID: "client-123456"}, Time: 1 << 41, ID: []byte(`"0123456789abcdef"`), Data: make([]byte, 200)}
	b.ReportAllocs()
	for b.Loop() {
		r.Note(m)
	}
}
