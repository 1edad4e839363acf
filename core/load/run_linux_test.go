package load

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// brief is a short measurement of g.
func brief(g *gateway, scenario string) *run {
	r := newRun(Config{
		Scenario: scenario, URL: g.url, PID: os.Getpid(), Seconds: 0.1,
		Connections: []int{8}, Window: []int{4}, Rate: []int{2000}, Messages: 100, Recipients: 7,
	}, &bytes.Buffer{})
	r.quiet, r.sampleEvery, r.mostSamples = time.Second, time.Millisecond, 20
	return r
}

// resultsOf runs r, for longer until it has seen what it measures: how long a
// busy machine takes to the first message is not what these tests are about.
func resultsOf(t *testing.T, r *run) []Result {
	t.Helper()
	for {
		r.report = Report{}
		if err := r.all(t.Context()); err != nil {
			t.Fatal(err)
		}
		nothing := func(got Result) bool {
			switch got.Scenario {
			case Churn:
				return got.Totals.Cycles == 0
			case Connect, Idle:
				return false
			}
			return got.Delivered == 0
		}
		if r.Config.Seconds *= 4; r.Config.Seconds > 60 || !slices.ContainsFunc(r.report.Results, nothing) {
			return r.report.Results
		}
	}
}

func TestEveryScenarioOfAFaithfulGatewayBalances(t *testing.T) {
	f := func(name string, g *gateway, change func(*run)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := brief(g.serve(t), strings.Fields(name)[0])
			if change != nil {
				change(r)
			}
			for _, got := range resultsOf(t, r) {
				switch got.Scenario {
				case Churn:
					if got.Totals.Cycles == 0 || got.Latency == nil {
						t.Errorf("no cycles: %+v", got)
					}
				case Connect:
					if got.Totals.Handshakes != 8 || got.Latency.Count != 8 {
						t.Errorf("not 8 handshakes: %+v", got)
					}
				case Idle:
					if len(got.Levels) != 2 || got.Levels[1].Connections != 9 || got.Levels[0].RSS <= 0 {
						t.Errorf("levels: %+v", got.Levels)
					}
				default:
					if got.Totals.Sent == 0 || got.Delivered == 0 || got.Size != r.Size {
						t.Errorf("nothing was measured: %+v", got)
					}
				}
			}
		})
	}
	f(Pairs, &gateway{}, nil)
	f(Pairs+" dribbled", &gateway{dribble: true}, nil)
	f(Pairs+" of two workers", &gateway{}, func(r *run) { r.Workers = 2 })
	f(Pairs+" of large messages", &gateway{}, func(r *run) { r.Size, r.Seconds = MaxSize-1000, 1; r.Config.Window = []int{32} })
	f(Echo, &gateway{}, nil)
	f(Open, &gateway{}, nil)
	f(Open+" of two workers", &gateway{}, func(r *run) { r.Workers = 2 })
	f(Fanout, &gateway{}, nil)
	f(Fanout+" one at a time", &gateway{}, func(r *run) { r.Config.Window = []int{1} })
	f(Fanout+" of three workers", &gateway{}, func(r *run) { r.Workers = 3 })
	f(Fanout+" by prefix", &gateway{}, func(r *run) { r.By = "prefix" })
	f(Connect, &gateway{}, nil)
	f(Churn, &gateway{}, func(r *run) { r.Seconds = 1 }) // a cycle is many steps
	f(Idle, &gateway{}, func(r *run) { r.Config.Connections = []int{3, 9} })
	reliable := func(r *run) { r.Reliable = true }
	f(Pairs+" of reliable clients", &gateway{stored: "disk", status: "queued"}, reliable)
	f(Echo+" of reliable clients", &gateway{dribble: true}, reliable)
	f(Open+" of reliable clients", &gateway{}, reliable)
	f(Fanout+" of reliable clients", &gateway{}, func(r *run) { r.Reliable, r.Workers = true, 2 })
	f(Churn+" of reliable clients", &gateway{}, func(r *run) { r.Reliable, r.Seconds = true, 1 })
	f(Connect+" of reliable clients", &gateway{}, reliable)
}

func TestMisdeedsAreReported(t *testing.T) {
	f := func(scenario string, deed misdeed, want string) {
		t.Run(scenario+" "+string(deed), func(t *testing.T) {
			t.Parallel()
			g := &gateway{misdeed: func(n int64) misdeed {
				if n == 2 {
					return deed
				}
				return none
			}}
			r := brief(g.serve(t), scenario)
			err := r.all(t.Context())
			if len(r.report.Results) == 0 {
				t.Fatal(err)
			}
			if got := r.report.Results[0].Faults; got != want {
				t.Errorf("faults: %q, want %q", got, want)
			}
			if (err != nil) != (want != "") {
				t.Errorf("error: %v", err)
			}
		})
	}
	f(Pairs, none, "")
	f(Pairs, losesDelivery, "deliveries lost: 1")
	f(Pairs, losesAck, "messages not answered: 1")
	f(Pairs, repeats, "deliveries repeated: 1")
	f(Pairs, repeatsAck, "answers repeated: 1")
	f(Pairs, refuses, "")
	f(Pairs, refusesFalsely, "messages refused but delivered: 1")
	f(Pairs, misroutes, "deliveries lost: 1, frames not understood: 1")
	f(Echo, losesDelivery, "deliveries lost: 1")
	f(Open, repeats, "deliveries repeated: 1")
	f(Fanout, losesDelivery, "deliveries lost: 1")
	f(Fanout, losesAck, "messages not answered: 1")
	f(Fanout, refuses, "")
	f(Fanout, delays, "deliveries out of order: 1")
	f(Pairs, mumbles, "frames not understood: 1")
	f(Durable, none, "")
	f(Durable, losesDelivery, "deliveries lost: 1")
	f(Durable, losesAck, "messages not answered: 1")
	f(Durable, refuses, "")
	f(Durable, refusesFalsely, "messages refused but delivered: 1")
	f(Durable, names, "deliveries lost: 1")
	f(Durable, repeatsSeq, "seqs repeated: 1")
	f(Pending, losesAck, "messages not answered: 1")
}

func TestAClosedConnectionIsReported(t *testing.T) {
	g := &gateway{misdeed: func(n int64) misdeed {
		if n == 2 {
			return hangsUp
		}
		return none
	}}
	r := brief(g.serve(t), Pairs)
	if err := r.all(t.Context()); err == nil || r.report.Results[0].Totals.Closed != 1 {
		t.Errorf("%v, %+v", err, r.report.Results)
	}
}

func TestConnectionsThatAreNotClosedAreReported(t *testing.T) {
	r := brief((&gateway{clings: true}).serve(t), Churn)
	r.Config.Seconds = (closePatience + 100*time.Millisecond).Seconds()
	if err := r.all(t.Context()); err == nil || r.report.Results[0].Totals.Stuck != 8 {
		t.Errorf("%v, %+v", err, r.report.Results)
	}
}

func TestALateGatewayIsLateForEveryMessageThatWasDue(t *testing.T) {
	g := &gateway{misdeed: func(n int64) misdeed {
		if n == 50 {
			return stalls
		}
		return none
	}}
	r := brief(g.serve(t), Open)
	r.Config.Rate, r.Config.Seconds = []int{1000}, 0.5
	if err := r.all(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Of the 500 messages 300 are due while nothing moves, 200 of them for 100 ms
	// or longer. A generator that waits for answers has 8 such messages.
	got := r.report.Results[0]
	if got.Latency.Count != 500 || got.Totals.Sent != 500 {
		t.Errorf("%d of %d messages were timed, want 500", got.Latency.Count, got.Totals.Sent)
	}
	late := int64(0)
	for _, p := range []float64{got.Latency.P90, got.Latency.P99, got.Latency.Max} {
		if p >= 100 {
			late++
		}
	}
	if late != 3 {
		t.Errorf("latency %+v, want at least 100 ms from p90 on", *got.Latency)
	}
}

func TestErrorsEndTheRun(t *testing.T) {
	f := func(r *run, want string) {
		t.Helper()
		if err := r.all(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	refusing := &gateway{refuse: true}
	f(brief(refusing.serve(t), Pairs), `503 Service Unavailable" "full"`)

	gone := brief((&gateway{}).serve(t), Pairs)
	gone.URL = "ws://127.0.0.1:1/ws"
	f(gone, "connection refused")

	noPID := brief((&gateway{}).serve(t), Pairs)
	noPID.PID = 1 << 30
	f(noPID, "cpu time")

	remote := brief((&gateway{}).serve(t), Pairs)
	remote.URL = "ws://192.0.2.1:80/ws"
	f(remote, "nothing else is put under load")
}

func TestCancelEndsTheRun(t *testing.T) {
	for _, scenario := range []string{Pairs, Open, Fanout, Churn, Idle} {
		ctx, cancel := context.WithCancel(t.Context())
		g := &gateway{misdeed: func(n int64) misdeed {
			cancel()
			return none
		}}
		r := brief(g.serve(t), scenario)
		r.Config.Seconds = MaxTime
		if scenario == Churn || scenario == Idle {
			time.AfterFunc(10*time.Millisecond, cancel)
			r.Config.Connections, r.mostSamples, r.calmSamples = []int{2, 4}, 1<<30, 1<<30
		}
		if err := r.all(ctx); err == nil || !strings.Contains(err.Error(), "canceled") {
			t.Errorf("%s: %v", scenario, err)
		}
		cancel()
	}
}

func TestThePIDIsFound(t *testing.T) {
	r := brief((&gateway{}).serve(t), Pairs)
	r.PID = 0
	if err := r.all(t.Context()); err != nil || r.PID != os.Getpid() {
		t.Errorf("%v, pid %d, want %d", err, r.PID, os.Getpid())
	}
}

func TestOutput(t *testing.T) {
	dir := scratch(t, shipped)
	g := (&gateway{stamp: func(string) string { return watched(dir) }}).serve(t)
	for _, scenario := range []string{Idle, Pairs, Echo, Open, Fanout, Connect, Churn, Reload, Durable, Pending} {
		var text, lines bytes.Buffer
		r := brief(g, scenario)
		r.printer.out = &text
		r.Scripts, r.Saves = dir, 1
		if scenario == Idle {
			r.Config.Connections = []int{2, 4}
		}
		if err := r.all(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, result := range r.report.Results {
			p := printer{&lines, true}
			if err := p.row(&result); err != nil {
				t.Fatal(err)
			}
		}
		rows := strings.Split(strings.TrimSpace(text.String()), "\n")
		if len(rows) < 3 || !strings.HasPrefix(rows[2], scenario) {
			t.Errorf("%s: table\n%s", scenario, text.String())
		}
		if scenario != Idle && len(strings.TrimRight(rows[1], " ")) != len(rows[2]) {
			t.Errorf("%s: columns do not line up\n%s", scenario, text.String())
		}
		var back Result
		if err := json.Unmarshal(lines.Bytes(), &back); err != nil || back.Scenario != scenario {
			t.Errorf("%s: %v: %s", scenario, err, lines.String())
		}
	}
}
