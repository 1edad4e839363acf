package gateway

import (
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

// tolled is what messages cost that took these instructions, of which so many
// failed.
func tolled(messages int, failed uint64, instructions ...int) *core.Toll {
	t := &core.Toll{}
	for i := range messages {
		t.Count(instructions[i%len(instructions)], uint64(i) < failed)
	}
	return t
}

func TestTheVerdictOnATrial(t *testing.T) {
	o := &Options{Budget: 100_000, RollbackErrors: 0.05, RollbackInstructions: 0.5}
	f := func(name string, toll, base *core.Toll, want string) {
		t.Helper()
		toll.Failing.Add(1)
		toll.Heavy.Add(1)
		got, missing := o.verdict(toll, base)
		if want == "" && got != "" || !strings.Contains(got, want) || missing != 0 {
			t.Errorf("%s: got %q, %d missing, want %q", name, got, missing, want)
		}
	}
	none := &core.Toll{}
	f("nothing yet", none, none, "")
	f("it works", tolled(1000, 0, 100), tolled(1000, 0, 100), "")
	f("few failures", tolled(9, 9, 100), none, "")
	f("it fails", tolled(20, 10, 100), none, "10 failures on 20 messages")
	f("it fails as ever", tolled(1000, 200, 100), tolled(1000, 180, 100), "")
	f("it fails more", tolled(1000, 240, 100), tolled(1000, 180, 100), "240 failures on 1000 messages; the generation before had 180 on 1000")
	f("below the share", tolled(1000, 49, 100), none, "")
	f("hooks fail", &core.Toll{Messages: 1000, Errors: 12, Calls: 20}, none, "12 failures on 20 calls of Lua functions")
	f("few connects of many fail", &core.Toll{Errors: 12, Calls: 10_000}, none, "")
	f("hooks fail as ever", &core.Toll{Errors: 12, Calls: 20}, &core.Toll{Errors: 600, Calls: 1000}, "")
	f("nobody can connect, and others talk", &core.Toll{Messages: 1e6, Calls: 2e6, Errors: 10, Connects: 10, Unmet: 10}, none, "10 failures on 10 connects")
	f("connects failed before, and messages do now", &core.Toll{Messages: 20, Failed: 12}, &core.Toll{Connects: 20, Unmet: 20}, "12 failures on 20 messages")
	f("messages fail, each after other calls", &core.Toll{Messages: 20, Failed: 20, Errors: 20, Calls: 400}, none, "20 failures on 20 messages")
	f("it is heavy", tolled(1000, 0, 90_000), tolled(1000, 0, 100), "takes 81920 Lua instructions or more of a budget of 100000; before, they stayed below 104")
	f("it was heavy before", tolled(1000, 0, 90_000), tolled(1000, 0, 80_000), "")
	f("one in a thousand is heavy", tolled(1000, 0, append(make([]int, 999), 90_000)...), none, "")
	f("few are heavy yet", tolled(100, 0, 90_000), none, "")
	f("it is a little too heavy", tolled(1000, 0, 60_000), tolled(1000, 0, 100), "takes 57344 Lua instructions")
	f("it is nearly too heavy", tolled(1000, 0, 49_000), tolled(1000, 0, 100), "")
}

func TestTheVerdictOnATrialIsNotOneClients(t *testing.T) {
	o := &Options{Budget: 100_000, RollbackErrors: 0.05, RollbackInstructions: 0.5, RollbackClients: 3}
	f := func(name string, toll core.Toll, failing, heavy, talkers, want int) {
		t.Helper()
		for i := range failing {
			toll.Failing.Add(uint64(i))
		}
		for i := range heavy {
			toll.Heavy.Add(uint64(i))
		}
		toll.Talkers = talkers
		if why, missing := o.verdict(&toll, &core.Toll{}); why == "" || missing != want {
			t.Errorf("%s: %d are missing to %q, want %d", name, missing, why, want)
		}
	}
	fails, heavy := *tolled(20, 20, 100), *tolled(1000, 0, 90_000)
	f("one of many", fails, 1, 0, 1000, 2)
	f("two of many", fails, 2, 0, 1000, 1)
	f("three of many", fails, 3, 0, 1000, 0)
	f("one of two", fails, 1, 0, 2, 1)
	f("both", fails, 2, 0, 2, 0)
	f("the only one", fails, 1, 0, 1, 0)
	f("one who has published, without a connection", fails, 1, 0, 0, 0)
	f("it is heavy for one of many", heavy, 0, 1, 1000, 2)
	f("it is heavy for three of many", heavy, 0, 3, 1000, 0)
	f("one fails, and it is heavy for three", core.Toll{Connects: 20, Unmet: 20}, 1, 3, 1000, 2)
	f("on_connect fails for one", core.Toll{Connects: 20, Unmet: 20}, 1, 0, 1000, 2)
	f("on_tick fails for all", core.Toll{Ticks: 20, Missed: 10, Errors: 10, Calls: 20}, 0, 0, 1000, 0)
}

// The share of a canary stays as it was when it began, whatever --canary is by now.
func TestTheVerdictOnACanaryIsOfItsOwnShare(t *testing.T) {
	y := &trial{canary: true, share: 0.5}
	f := func(now float64, want int) {
		t.Helper()
		toll := tolled(20, 20, 100)
		toll.Failing.Add(1)
		toll.Talkers = 1000
		o := &Options{Budget: 100_000, RollbackErrors: 0.05, RollbackClients: 3, Canary: now}
		if why, missing := y.verdict(o, toll); why == "" || missing != want {
			t.Errorf("with --canary %g by now %d are missing to %q, want %d", now, missing, why, want)
		}
	}
	f(0.5, 2)
	f(0, 2)
	f(0.001, 2)
}

// What is heavy is said by settings that can change while a generation is on trial.
func TestWhatIsHeavyChangesOnTrial(t *testing.T) {
	r := serve(t, made{Name: "old"}, nil) // half of 100,000
	f := func(want int) {
		t.Helper()
		if got := r.shards.Toll(r.scripts.report().generation).Most; got != want {
			t.Errorf("more than %d instructions are heavy, want %d", got, want)
		}
	}
	f(50_000)
	if err := r.save(made{Name: "new"}); err != nil {
		t.Fatal(err)
	}
	f(50_000)
	r.settings.mu.Lock()
	defer r.settings.mu.Unlock()
	r.applySettings(func(o *Options) { o.RollbackInstructions = 0.1 })
	f(10_000)
	r.applySettings(func(o *Options) { o.Budget = 1000 })
	f(100)
}
