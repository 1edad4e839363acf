package traffic

import (
	"net/netip"
	"reflect"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

func TestAnEntryIsWhatWasSent(t *testing.T) {
	f := func(m core.Message, want Input) {
		t.Helper()
		var got Input
		if entry := Append(nil, &m); !Read(entry, &got) || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v of %q, want %+v", got, entry, want)
		}
	}
	v4, v6 := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::1")
	f(core.Message{From: &core.Session{ID: "a", Remote: v4}, Time: 1 << 41, Size: 70_000, ID: []byte(`"m"`), Data: []byte(`{"x":1}`),
		Headers: []byte(`{}`), To: []byte(`"b"`), TTL: 60, Priority: 9, Receipt: true},
		Input{From: "a", Remote: v4, Time: 1 << 41, Size: 70_000, ID: []byte(`"m"`), Data: []byte(`{"x":1}`),
			Headers: []byte(`{}`), To: []byte(`"b"`), TTL: 60, Priority: 9, Receipt: true})
	f(core.Message{From: &core.Session{ID: "a", Grant: &core.Grant{Claims: []byte(`{"r":1}`), Expires: 9}}, Data: []byte("1")},
		Input{From: "a", Claims: []byte(`{"r":1}`), Data: []byte("1")})
	f(core.Message{From: &core.Session{ID: "é", Remote: v6}, Data: []byte("1")}, Input{From: "é", Remote: v6, Data: []byte("1")})
	f(core.Message{From: &core.Session{}}, Input{})
}

func TestWhatIsNoEntryIsNotRead(t *testing.T) {
	entry := Append(nil, &core.Message{From: &core.Session{ID: "a"}, ID: []byte(`"m"`), Data: []byte("1")})
	var in Input
	for n := range entry {
		if Read(entry[:n], &in) {
			t.Errorf("the first %d of %d bytes are an entry", n, len(entry))
		}
	}
	if Read(append(entry, 0), &in) {
		t.Error("an entry has something behind it")
	}
}

func FuzzRead(f *testing.F) {
	f.Add(Append(nil, &core.Message{From: &core.Session{ID: "a"}, ID: []byte(`"m"`), Data: []byte("1")}))
	f.Fuzz(func(_ *testing.T, b []byte) {
		var in Input
		Read(b, &in)
	})
}

func BenchmarkAppend(b *testing.B) {
	m := core.Message{From: &core.Session{ID: "client-123456", Remote: netip.MustParseAddr("192.0.2.7")}, Time: 1 << 41, Size: 300,
		ID: []byte(`"0123456789abcdef"`), Data: make([]byte, 200), To: []byte(`"client-456"`)}
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = Append(buf[:0], &m)
	}
}
