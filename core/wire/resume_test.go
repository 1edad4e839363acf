package wire

import (
	"fmt"
	"strings"
	"testing"
)

func TestRangesOfAnAck(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		got := "refused"
		if ranges, fault := ParseRanges([]byte(in), nil); fault == nil {
			got = fmt.Sprint(ranges)
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	f(`[]`, "[]")
	f(`[[44,50]]`, "[{44 50}]")
	f(` [ [ 1 , 2 ] , [5,5] ] `[1:], "[{1 2} {5 5}]")
	f(`[[50,44]]`, "refused")
	f(`[[44]]`, "refused")
	f(`[[44,50,51]]`, "refused")
	f(`[[-1,50]]`, "refused")
	f(`[[1.5,50]]`, "refused")
	f(`[44,50]`, "refused")
	f(`{"a":1}`, "refused")
	f(`[["1","2"]]`, "refused")
	f("["+strings.Repeat("[1,1],", MaxRanges-1)+"[1,1]]", "["+strings.TrimSpace(strings.Repeat("{1 1} ", MaxRanges))+"]")
	f("["+strings.Repeat("[1,1],", MaxRanges)+"[1,1]]", "refused")
}

func TestAnEpochIsReadAsItWasWritten(t *testing.T) {
	for _, want := range []uint64{0, 1, 0xfedcba9876543210, 1<<64 - 1} {
		raw := `"` + string(AppendEpoch(nil, want)) + `"`
		if got, ok := ParseEpoch([]byte(raw)); !ok || got != want {
			t.Errorf("%s: got %x, %v", raw, got, ok)
		}
	}
	for _, raw := range []string{`""`, `"e"`, `"000000000000000g"`, `"000000000000000A"`, `"00000000000000001"`} {
		if _, ok := ParseEpoch([]byte(raw)); ok {
			t.Errorf("%s is taken for an epoch", raw)
		}
	}
}

func FuzzRanges(f *testing.F) {
	f.Add([]byte(`[[44,50],[60,61]]`))
	f.Add([]byte(`[[`))
	f.Add([]byte(`[[1,2] ]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		ranges, fault := ParseRanges(b, nil)
		if fault != nil {
			return
		}
		for _, r := range ranges {
			if r.From > r.To {
				t.Errorf("%q: a range from %d to %d", b, r.From, r.To)
			}
		}
	})
}
