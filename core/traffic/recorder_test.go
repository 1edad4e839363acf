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
		From: "é\"", Remote: netip.MustParseAddr("2001:db8::1"), Time: 1795559233228, ID: []byte(`"m"`), Data: []byte(`{"x":[1,2]}`),
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
