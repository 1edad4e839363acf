package load

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestWhatIsSettled(t *testing.T) {
	f := func(notes []span, want string, wantNew bool) {
		t.Helper()
		var s settled
		fresh := false
		for _, n := range notes {
			fresh = s.note(n)
		}
		if got := string(appendAck(nil, &s)); got != want || fresh != wantNew {
			t.Errorf("%v: %s %v, want %s %v", notes, got, fresh, want, wantNew)
		}
	}
	f(nil, `{"type":1,"seq":0}`, false)
	f([]span{{1, 1}, {2, 2}}, `{"type":1,"seq":2}`, true)
	f([]span{{1, 1}, {1, 1}}, `{"type":1,"seq":1}`, false)
	f([]span{{3, 3}}, `{"type":1,"seq":0,"also":[[3,3]]}`, true)
	f([]span{{3, 3}, {3, 3}}, `{"type":1,"seq":0,"also":[[3,3]]}`, false)
	f([]span{{3, 3}, {5, 5}, {4, 4}}, `{"type":1,"seq":0,"also":[[3,5]]}`, true)
	f([]span{{5, 6}, {3, 3}, {1, 1}}, `{"type":1,"seq":1,"also":[[3,3],[5,6]]}`, true)
	f([]span{{5, 6}, {3, 3}, {1, 2}}, `{"type":1,"seq":3,"also":[[5,6]]}`, true)
	f([]span{{5, 6}, {3, 3}, {1, 9}}, `{"type":1,"seq":9}`, true)
}

// Whatever comes in whatever order, the ranges say what a set would.
func TestRangesAreASet(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		const most = 60
		var s settled
		var set [most + 2]bool
		for range 40 {
			from := 1 + random.Uint64N(most)
			n := span{from, min(from+random.Uint64N(4), most)}
			fresh := false
			for seq := n.from; seq <= n.to; seq++ {
				fresh = fresh || !set[seq]
				set[seq] = true
			}
			if got := s.note(n); got != fresh {
				t.Fatalf("%v is new: %v, want %v", n, got, fresh)
			}
			upto := uint64(0)
			for set[upto+1] {
				upto++
			}
			var also []span
			for seq := upto + 1; seq <= most; seq++ {
				switch {
				case !set[seq]:
				case set[seq-1] && len(also) > 0:
					also[len(also)-1].to = seq
				default:
					also = append(also, span{seq, seq})
				}
			}
			if s.upto != upto || fmt.Sprint(s.also) != fmt.Sprint(also) {
				t.Fatalf("up to %d and %v, want %d and %v", s.upto, s.also, upto, also)
			}
		}
	}
}

func TestToldOfAnAck(t *testing.T) {
	f := func(rest string, want stored, wantStatus status) {
		t.Helper()
		if s, is := parseTold([]byte(rest)); s != want || is != wantStatus {
			t.Errorf("%s: %d %d, want %d %d", rest, s, is, want, wantStatus)
		}
	}
	f(`","stored":"disk","status":"queued"}`, onDisk, isQueued)
	f(`","stored":"os","status":"delivered"}`, inOS, isDelivered)
	f(`","stored":"memory","status":"delivered","delivered":3,"queued":1}`, inMemory, isDelivered)
	f(`","stored":"tape","status":"lost"}`, nowhere, noStatus)
	f(`"}`, nowhere, noStatus)
}

func TestHelloSaysWhatIsSettled(t *testing.T) {
	var s settled
	s.note(span{1, 4})
	s.note(span{6, 7})
	f := func(epoch, want string) {
		t.Helper()
		if got := string(appendHello(nil, epoch, &s)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	f("", `{"type":3}`)
	f("0a", `{"type":3,"epoch":"0a","seq":4,"also":[[6,7]]}`)
}

func FuzzGreeting(f *testing.F) {
	f.Add([]byte(`{"type":3,"epoch":"00000000000000e1","seq":41,"last":57,"recovered":true,"gaps":[[42,43,"expired"]]}`))
	f.Add([]byte(`{"type":7,"gaps":[[117,131,"expired"],[5,4,"x"]]}`))
	f.Add([]byte(`{"type":7,"gaps":[[1,18446744073709551615,"x"]]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		g, err := parseGreeting(text)
		if err == nil && (g.Epoch == "" || g.Last < g.Seq) {
			t.Fatalf("%+v", g)
		}
		gaps, err := parseGaps(text)
		if err != nil {
			return
		}
		var s settled
		for _, gap := range gaps {
			if gap.from == 0 || gap.to < gap.from {
				t.Fatalf("%+v", gap)
			}
			s.note(gap.span)
		}
		if !json.Valid(appendAck(nil, &s)) {
			t.Fatalf("%s", appendAck(nil, &s))
		}
	})
}

func FuzzLogCounts(f *testing.F) {
	f.Add("stratix_log_commits_total 4\nstratix_log_commit_seconds_bucket{le=\"+Inf\"} 4\n")
	f.Add("stratix_log_commits_total NaN\nstratix_log_commit_seconds_bucket{le=\"")
	f.Fuzz(func(t *testing.T, text string) {
		c, ok := parseLogCounts(text)
		if !ok && c.commits != 0 {
			t.Fatalf("%+v", c)
		}
		between(logCounts{}, c, 1)
	})
}

func TestLogFiguresAreOfTheTimeBetween(t *testing.T) {
	const text = `# TYPE stratix_log_commits_total counter
stratix_log_commits_total %d
stratix_log_records_total %d
stratix_log_committed_bytes_total %d
stratix_log_commit_seconds_bucket{le="0.001"} %d
stratix_log_commit_seconds_bucket{le="0.002"} %[1]d
stratix_log_commit_seconds_bucket{le="+Inf"} %[1]d
stratix_log_commit_seconds_sum %[5]g
stratix_log_commit_seconds_count %[1]d
`
	a, ok1 := parseLogCounts(fmt.Sprintf(text, 10, 100, 1000, 10, 1.0))
	b, ok2 := parseLogCounts(fmt.Sprintf(text, 30, 500, 9000, 20, 1.03))
	got := between(a, b, 2)
	if !ok1 || !ok2 || got == nil {
		t.Fatalf("%v %v %v", ok1, ok2, got)
	}
	if got.Commits != 10 || got.Records != 20 || got.Bytes != 400 || got.P99 != 2 || got.Mean < 1.49 || got.Mean > 1.51 {
		t.Errorf("%+v", *got)
	}
	if _, ok := parseLogCounts("stratix_connections 3\n"); ok {
		t.Error("there is no log in it")
	}
	if between(b, b, 2) != nil {
		t.Error("nothing was committed")
	}
}
