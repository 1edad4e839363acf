package load

import (
	"fmt"
	"sync/atomic"
	"testing"
)

func TestWhatIsAcknowledgedAndDeliveredIsDurable(t *testing.T) {
	f := func(stored string, durable bool) {
		t.Helper()
		var scrapes atomic.Int64
		g := &gateway{stored: stored, status: "queued", metrics: func() string {
			return fmt.Sprintf("stratix_log_commits_total %d\nstratix_log_records_total %d\n", scrapes.Load(), 7*scrapes.Add(1)-7)
		}}
		r := brief(g.serve(t), Durable)
		if err := r.all(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := r.report.Results[0]
		c := got.Totals
		if c.Whole != c.Sent || c.ToldQueued != c.Acked || got.Whole <= 0 || got.Payload != 200 {
			t.Errorf("%s: %+v", stored, got)
		}
		if (c.Durable == c.Sent) != durable || (c.ToldDisk == c.Acked) != durable || (got.Durable > 0) != durable {
			t.Errorf("%s: %+v", stored, got)
		}
		if got.Log == nil || got.Log.Records != 7 {
			t.Errorf("log: %+v", got.Log)
		}
	}
	f("disk", true)
	f("os", false)
	f("memory", false)
}

func TestAllThatReliableClientsGetIsAcknowledged(t *testing.T) {
	for _, scenario := range []string{Pairs, Open, Fanout, Durable} {
		g := &gateway{before: 5}
		t.Cleanup(func() { // after the gateway has read everything
			for name, c := range g.clients {
				if c.given != g.before && c.acked != c.given {
					t.Errorf("%s: %s was given %d and acknowledged %d", scenario, name, c.given, c.acked)
				}
			}
		})
		r := brief(g.serve(t), scenario)
		r.Reliable = true
		if err := r.all(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOldMessagesAreCountedApart(t *testing.T) {
	g := &gateway{before: 5, left: 1, misdeed: func(n int64) misdeed {
		if n == 2 {
			return givesOld
		}
		return none
	}}
	r := brief(g.serve(t), Durable)
	if err := r.all(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c := r.report.Results[0].Totals; c.Redelivered != 1 || c.Delivered != c.Sent {
		t.Errorf("%+v", c)
	}
}

func TestMessagesThatAreNotKeptAreNotAcknowledged(t *testing.T) {
	g := &gateway{unkept: true}
	r := brief(g.serve(t), Durable)
	if err := r.all(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c := r.report.Results[0].Totals; c.Ephemeral != c.Sent || c.Closed != 0 {
		t.Errorf("%+v", c)
	}
}

func TestAGapIsCountedAndExplained(t *testing.T) {
	g := &gateway{misdeed: func(n int64) misdeed {
		if n == 2 {
			return names
		}
		return none
	}}
	r := brief(g.serve(t), Durable)
	err := r.all(t.Context())
	if got := r.report.Results[0]; err == nil || got.Totals.Gaps != 1 || got.Why == "" {
		t.Errorf("%v, %+v", err, got)
	}
}

func TestPendingSendsAFixedNumberToThoseWhoAreAway(t *testing.T) {
	f := func(messages, conns, workers int) {
		t.Helper()
		r := brief((&gateway{stored: "disk", status: "queued"}).serve(t), Pending)
		r.Messages, r.Config.Connections, r.Workers = messages, []int{conns}, workers
		if err := r.all(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := r.report.Results[0]
		b := got.Backlog
		if got.Totals.Sent != uint64(messages) || b.Messages != uint64(messages) || b.Payload != 200*uint64(messages) || b.RSS <= 0 || b.Ratio <= 0 {
			t.Errorf("%d messages: %+v, %+v", messages, got.Totals, *b)
		}
	}
	f(1, 8, 1) // seven have nothing to send
	f(1003, 8, 2)
}
