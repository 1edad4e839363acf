package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/gateway"
	"github.com/stratix-gateway/stratix/core/rehearse"
	"github.com/stratix-gateway/stratix/core/shadow"
	"github.com/stratix-gateway/stratix/core/trace"
	"github.com/stratix-gateway/stratix/core/traffic"
)

func TestAMissingTraceIsExplained(t *testing.T) {
	f := func(e gateway.Explanation, client string, want ...string) {
		t.Helper()
		e.MessageID = "m-1"
		if got := absent(&e, client); got != strings.Join(want, "\n") {
			t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
		}
	}
	at := time.Date(2026, 11, 24, 21, 3, 4, 0, time.Local)
	since := gateway.KeptTraces{Since: at}
	full := gateway.KeptTraces{Since: at.Add(time.Hour), Evicted: 7}
	f(gateway.Explanation{}, "",
		"there is no trace of a message m-1. This gateway keeps none (--explain-rate 0).",
		"Restart it with --explain-rate 64, or watch the client's next messages: stratix tail --client CLIENT")
	f(gateway.Explanation{Rate: 64, Sampled: full, Ended: since, Skipped: 3}, "a",
		"there is no trace of a message m-1 of a. That may be because:",
		"  - it went through, and was not sampled: one message in 64 is",
		"  - it is too long ago: of the sampled messages all since 22:03:04 are there, and 7 older ones have made room",
		"  - it came before 21:03:04, when the gateway started: of those that came to nothing all since then are there",
		"  - it came to nothing together with many others: 3 of these were not kept",
		"  - it has not come, or under another messageId",
		"Watch the next ones live: stratix tail --client a",
		"Or start the gateway with --explain-rate 1 (every message), and --explain-bytes for a longer past.")
}

func TestATailIsPrintedLineByLine(t *testing.T) {
	const message = `{"time":"2026-11-24T21:03:04.005Z","messageId":"m-1","client":"a","verdict":"dropped","code":"dropped","reason":"no"}` + "\n"
	line := tailLine(&trace.Trace{Time: time.Date(2026, 11, 24, 21, 3, 4, 5e6, time.UTC), MessageID: "m-1", Client: "a", Verdict: trace.Dropped, Reason: "no"}) + "\n"
	f := func(c tailCmd, in, want, wantComplaint string, wantErr string) {
		t.Helper()
		var out, complaints strings.Builder
		errText := ""
		if err := c.follow(strings.NewReader(in), &out, &complaints); err != nil {
			errText = err.Error()
		}
		if out.String() != want || complaints.String() != wantComplaint || !strings.Contains(errText, wantErr) || (errText == "") != (wantErr == "") {
			t.Errorf("%q:\ngot  %q %q %q\nwant %q %q %q", in, out.String(), complaints.String(), errText, want, wantComplaint, wantErr)
		}
	}
	const complaint = "stratix: 5 entries were missed: this tail is too slow; narrow it with --client, --prefix or --verdict\n"
	ended := errTailEnded.Error()
	f(tailCmd{Count: 1}, message+message, line, "", "")
	f(tailCmd{}, "\n"+message+"\n\n"+message, line+line, "", ended)
	f(tailCmd{Count: 1}, `{"missed":5}`+"\n"+message, line, complaint, "")
	f(tailCmd{Count: 1, JSON: true}, `{"missed":5}`+"\n"+message, `{"missed":5}`+"\n"+message, "", "")
	f(tailCmd{}, "", "", "", ended)
	f(tailCmd{}, "nonsense\n", "", "", "cannot be read")
}

func TestARepeatIsSaidToBeOne(t *testing.T) {
	f := func(a trace.Answer, want string) {
		t.Helper()
		a.Told, a.Stored, a.Status = true, "disk", "queued"
		if got := toldText(&trace.Trace{Verdict: trace.Accepted, Answer: &a}); !strings.HasSuffix(got, want) {
			t.Errorf("got %q, want %q at the end", got, want)
		}
	}
	f(trace.Answer{Queued: 1}, "refused 0")
	f(trace.Answer{Queued: 1, Repeats: 1}, "refused 0; a repeat: nobody was given it again, and this is what has become of the first")
	f(trace.Answer{Queued: 1, Delivered: 2, Repeats: 2}, "a repeat for 2 of these: they were not given it again, and for them this is what has become of the first")
}

func TestOnlyWhatWasAcceptedIsSaidToBeKept(t *testing.T) {
	f := func(verdict trace.Outcome, sampled bool, want string) {
		t.Helper()
		var page strings.Builder
		if err := writeTrace(&page, &trace.Trace{MessageID: "m", Client: "c", Storage: "disk", Priority: 3, Verdict: verdict, Sampled: sampled}); err != nil {
			t.Fatal(err)
		}
		var names []string
		for line := range strings.Lines(page.String()) {
			names = append(names, strings.Fields(line)[0])
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%v: the rows are %s, want %s", verdict, got, want)
		}
	}
	f(trace.Accepted, true, "message verdict kept told")
	f(trace.Forbidden, true, "message verdict told")
	f(trace.Forbidden, false, "message verdict told note")
	f(trace.Malformed, false, "message verdict told")
}

func TestAStageIsOneLine(t *testing.T) {
	f := func(s trace.Stage, timed bool, want string) {
		t.Helper()
		s.Stage = "s"
		if got := stageText(&s, timed); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(trace.Stage{Verdict: "next", Micros: 1.26}, true, "s: next, 1.3 us")
	f(trace.Stage{Verdict: "drop", Micros: 1.26}, false, "s: drop")
	f(trace.Stage{Verdict: "hold", HeldMillis: 3}, false, "s: hold, held for 3 ms")
	f(trace.Stage{Verdict: "next", Instructions: 9, Changes: []trace.Change{
		{What: "headers", Was: 2, Is: 10, Keys: "+a"}, {What: "targets", Is: 2}, {What: "storage", Was: 1, Is: 3}, {What: "ttl", Was: 0, Is: 5}, {What: "storage", Is: 99},
	}}, false, "s: next, 9 instructions, headers 2 -> 10 bytes (+a), targets 0 -> 2, storage none -> disk, ttl 0 -> 5, storage 0 -> 99")
}

func TestWhatClientsSendDoesNotDriveATerminal(t *testing.T) {
	const evil = "a\x1b[2J\nb\x9b"
	tr := trace.Trace{MessageID: evil, Client: "c", Reason: evil, Data: evil, Verdict: trace.Dropped, Stages: []trace.Stage{{Stage: "s"}}}
	f := func(name, text string) {
		t.Helper()
		if strings.ContainsAny(text, "\x1b\u009b") || strings.Contains(text, "\nb") || !strings.Contains(text, "[2J") {
			t.Errorf("%s prints %q", name, text)
		}
	}
	f("a tail", tailLine(&tr))
	var page strings.Builder
	if err := writeTrace(&page, &tr); err != nil {
		t.Fatal(err)
	}
	f("explain", page.String())
	f("replay", replayLine(&traffic.Input{From: "c", ID: []byte(`"a\u001b[2J\nb\u009b"`)}, &rehearse.Decision{Verdict: core.Drop, Reason: evil}))
	var st gateway.Status
	st.Scripts.Last.Problems = []string{evil}
	st.Kept.Full, st.Kept.FullClients = 2, []string{evil}
	page.Reset()
	if err := writeStatus(&page, &st, time.Time{}); err != nil {
		t.Fatal(err)
	}
	f("status", page.String())
	if text := page.String(); !strings.Contains(text, "FULL for 2 of them") || !strings.Contains(text, ", ...") {
		t.Errorf("it does not say who is full: %s", text)
	}
	r := shadow.Report{Changes: []shadow.Change{{Before: "x", After: "y", Client: "c", ID: evil}}, Problems: []string{evil}}
	f("diff", strings.Join(diffLines(&r), "|"))
}

func TestWhatAnUpstreamHasIsKeptInMemory(t *testing.T) {
	f := func(storage string, count int, want string, kinds ...string) {
		t.Helper()
		m := trace.Trace{Storage: storage, TargetCount: count}
		for _, kind := range kinds {
			m.Targets = append(m.Targets, trace.Target{Kind: kind, Name: "x"})
		}
		if got := keptText(&m); got != want {
			t.Errorf("%s to %v: got %q, want %q", storage, kinds, got, want)
		}
	}
	f("disk", 1, "disk", "client")
	f("disk", 0, "disk")
	f("disk", 1, "in memory, in the queue of the upstream; a dead letter of it would be kept: disk", "upstream")
	f("none", 2, "in memory, in the queue of the upstream", "upstream", "upstream")
	f("disk", 2, "disk; in memory for the upstream", "client", "upstream")
	f("disk", 9, "disk; in memory for the upstream", "upstream") // more than are named
	f("none", 2, "none", "client", "upstream")
}
