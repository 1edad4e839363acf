package trace

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/coretest"
	"github.com/stratix-gateway/stratix/core/wire"
)

func TestAFilterMatches(t *testing.T) {
	dropped := &Trace{Client: "desk-1", Verdict: Dropped, Code: "dropped", Stages: []Stage{{Stage: "a", Verdict: "next"}, {Stage: "b", Verdict: "drop"}}}
	offline := &Trace{Client: "desk-2", Verdict: Accepted, Answer: &Answer{Code: "offline"}, Stages: []Stage{{Stage: "a", Verdict: "done"}}}
	f := func(filter Filter, want ...*Trace) {
		t.Helper()
		if err := filter.Check(); err != nil {
			t.Fatal(err)
		}
		var got []*Trace
		for _, tr := range []*Trace{dropped, offline} {
			may := filter.May(&Decision{Outcome: tr.Verdict, Code: tr.Code}) && filter.From(tr.Client)
			if filter.Match(tr) {
				got = append(got, tr)
				if !may {
					t.Errorf("%+v: matches, and was ruled out", filter)
				}
			}
		}
		if len(got) != len(want) || len(got) > 0 && got[0] != want[0] {
			t.Errorf("%+v: %d match, want %d", filter, len(got), len(want))
		}
	}
	f(Filter{}, dropped, offline)
	f(Filter{Client: "desk-1"}, dropped)
	f(Filter{Client: "desk-"})
	f(Filter{Prefix: "desk-"}, dropped, offline)
	f(Filter{Prefix: "x"})
	f(Filter{Verdict: "drop"}, dropped)
	f(Filter{Verdict: "accepted"}, offline)
	f(Filter{Verdict: "error"})
	f(Filter{Code: "offline"}, offline)
	f(Filter{Code: "dropped"}, dropped)
	f(Filter{Code: "overflow"})
	f(Filter{Stage: "a"}, dropped, offline)
	f(Filter{Stage: "b"}, dropped)
	f(Filter{Stage: "a", Verdict: "done"}, offline)
	f(Filter{Stage: "c"})
}

func TestAFilterIsChecked(t *testing.T) {
	f := func(filter Filter, want string) {
		t.Helper()
		if err := filter.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", filter, err, want)
		}
	}
	f(Filter{Verdict: "dropt"}, `verdict "dropt" is none of accepted, dropped,`)
	f(Filter{Stage: "a", Verdict: "accepted"}, `verdict "accepted" is none of next, done, drop, hold, error`)
	f(Filter{Client: "a", Prefix: "b"}, "exclude each other")
}

func TestAnAcceptedMessageWaitsForItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j Join
		var got []string
		emit := func(tr *Trace) {
			word := tr.MessageID + " unanswered"
			if tr.Answer != nil {
				word = tr.MessageID + " " + tr.Answer.Status
			} else if tr.Verdict != Accepted {
				word = tr.MessageID + " " + tr.Verdict.String()
			}
			got = append(got, word)
		}
		decide := func(number uint64, id string, o Outcome) {
			m := coretest.Message("a", `1`)
			m.ID = []byte(`"` + id + `"`)
			j.Add(AppendDecision(nil, &Decision{Number: number, Outcome: o}, m), time.Now(), emit)
		}
		answer := func(number uint64) {
			j.Add(AppendAnswer(nil, number, 0, true, wire.Counts{}, "disk", "queued", "", ""), time.Now(), emit)
		}
		f := func(want ...string) {
			t.Helper()
			if strings.Join(got, ", ") != strings.Join(want, ", ") {
				t.Errorf("got %q, want %q", got, want)
			}
			got = nil
		}
		decide(1, "one", Accepted)
		decide(2, "two", Dropped)
		f("two dropped")
		answer(1)
		answer(1)  // it is told once
		answer(77) // of another tail
		f("one queued")
		decide(3, "three", Accepted)
		time.Sleep(joinWait - 1)
		j.Expire(time.Now(), emit)
		f()
		time.Sleep(time.Nanosecond)
		j.Expire(time.Now(), emit)
		f("three unanswered")
		for i := range joinAtMost {
			decide(uint64(10+i), "many", Accepted)
		}
		f()
		decide(9, "more", Accepted)
		f("many unanswered")
		j.Add([]byte("nonsense"), time.Now(), emit)
		j.Add(make([]byte, headBytes), time.Now(), emit)
		f()
	})
}

func TestOutcomesAreTheWordsOfTheMetrics(t *testing.T) {
	for o := range outcomes {
		word, err := o.MarshalText()
		var back Outcome
		if err != nil || back.UnmarshalText(word) != nil || back != o {
			t.Errorf("%s is read as %s", word, back)
		}
	}
	var o Outcome
	if o.UnmarshalText([]byte("x")) == nil {
		t.Error("x is an outcome")
	}
	for v := core.Next; v <= core.Hold; v++ {
		if verdictWords[v] != v.String() {
			t.Errorf("%s is called %s", v, verdictWords[v])
		}
	}
}
