package all_test

import (
	"testing"

	"github.com/stratix-gateway/stratix/core/coretest"
	"github.com/stratix-gateway/stratix/lua"
)

func TestTwoLimitsOfOnePipelineNeedTwoNames(t *testing.T) {
	f := func(stages, want string) {
		t.Helper()
		files := lua.Sources{"main.lua": []byte("pipeline {\n" + stages + "\n}\n")}
		env := coretest.Env(t, nil)
		gen, err := lua.Load(files, lua.Options{Number: 1, Shards: 1, Env: env})
		got := ""
		if err != nil {
			got = err.Error()
		} else if _, err = lua.Load(files, lua.Options{Number: 2, Shards: 1, Env: env, Previous: gen}); err != nil {
			t.Errorf("%s, taken over: %v", stages, err)
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", stages, got, want)
		}
	}
	const client, second, address = "stage.ratelimit { rate = 1 },\n", `stage.ratelimit { rate = 9, name = "second" },` + "\n",
		`stage.ratelimit { rate = 1, per = "address" },` + "\n"
	f(client+second+address+"stage.ratelimit { connect_rate = 1 },\nstage.ring {}, stage.ring {}", "")
	f(client+address+client, `main.lua:4: stage.ratelimit: the one at main.lua:2 has the name "client" too, so every message would count twice: `+
		`give one of them another, as in name = "second"`)
}
