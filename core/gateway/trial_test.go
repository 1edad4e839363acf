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
		got := o.verdict(toll, base)
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
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
	f("it is heavy", tolled(1000, 0, 90_000), tolled(1000, 0, 100), "takes more than 65536 Lua instructions of a budget of 100000; before, they stayed below 128")
	f("it was heavy before", tolled(1000, 0, 90_000), tolled(1000, 0, 80_000), "")
	f("one in a thousand is heavy", tolled(1000, 0, append(make([]int, 999), 90_000)...), none, "")
	f("few are heavy yet", tolled(100, 0, 90_000), none, "")
}
