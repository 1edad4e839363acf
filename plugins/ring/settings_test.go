package ring_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/coretest"
)

type stage interface {
	core.Stage
	core.Starter
	core.Stopper
}

// open opens a stage without starting it.
func open(t *testing.T, env *core.Env, v values) stage {
	t.Helper()
	p, _ := core.Lookup("ring")
	s, err := p.Open(core.Config{Stage: "ring", Values: v}, env)
	if err != nil {
		t.Fatal(err)
	}
	return s.(stage)
}

func start(t *testing.T, s stage) {
	t.Helper()
	if err := s.Start(t.Context()); err != nil {
		t.Fatalf("start: %v", err)
	}
}

func stop(t *testing.T, s stage) {
	t.Helper()
	if err := s.Stop(t.Context()); err != nil {
		t.Fatalf("stop: %v", err)
	}
}

// bounds are the values of a core.Ring in the order of its fields.
type bounds [6]int64

func boundsOf(r *core.Ring) bounds {
	return bounds{r.Messages.Load(), r.Bytes.Load(), r.ClientMessages.Load(), r.ClientBytes.Load(), r.TTL.Load(), r.SenderMessages.Load()}
}

var standard = boundsOf(core.NewRing())

func TestTheGatewayGetsTheBounds(t *testing.T) {
	f := func(v values, want bounds) {
		t.Helper()
		env := coretest.Env(t, nil)
		coretest.OpenIn(t, env, "ring", v)
		if got := boundsOf(env.Ring); got != want {
			t.Errorf("%v: got %v, want %v", v, got, want)
		}
	}
	f(values{}, standard)
	f(values{"messages": 5.0, "bytes": "1MiB", "client_messages": 4.0, "client_bytes": "3KiB", "ttl": "2m", "sender_messages": 6.0},
		bounds{5, 1 << 20, 4, 3 << 10, 120, 6})
	f(values{"messages": 1.0, "bytes": "64KiB", "client_messages": 1.0, "client_bytes": 1.0, "ttl": "1s"}, bounds{1, 64 << 10, 1, 1, 1, standard[5]})
	f(values{"ttl": "720h"}, bounds{standard[0], standard[1], standard[2], standard[3], 30 * 24 * 3600, standard[5]})
}

func TestAStartSetsAllBounds(t *testing.T) {
	env := coretest.Env(t, nil)
	r := env.Ring
	for _, bound := range []*atomic.Int64{&r.Messages, &r.Bytes, &r.ClientMessages, &r.ClientBytes, &r.TTL, &r.SenderMessages} {
		bound.Store(0)
	}
	start(t, open(t, env, values{}))
	if got := boundsOf(env.Ring); got != standard {
		t.Errorf("got %v", got)
	}
}

func TestSettingsAreRefused(t *testing.T) {
	f := func(v values, want string) {
		t.Helper()
		err := coretest.Refusal(t, "ring", v, nil)
		if got, want := err.Error(), "main.lua:1: stage.ring: "+want; got != want {
			t.Errorf("%v:\n got %s\nwant %s", v, got, want)
		}
	}
	f(values{"mesages": 5.0}, `unknown key "mesages"; did you mean "messages"?`)
	f(values{"messages": 0.0}, `messages: expected at least 1, got 0`)
	f(values{"messages": 1.5}, `messages: expected a whole number, got the number 1.5`)
	f(values{"client_messages": -1.0}, `client_messages: expected at least 1, got -1`)
	f(values{"bytes": 65535.0}, `bytes: expected at least 64KiB, got 65535B`)
	f(values{"sender_messages": 0.0}, `sender_messages: expected at least 1, got 0`)
	f(values{"client_bytes": 0.0}, `client_bytes: expected at least 1B, got 0B`)
	f(values{"client_bytes": "64 megs"}, `client_bytes: "64 megs" is not a size: write a whole number and a unit, such as 64KiB, 512MiB or 1GB`)
	f(values{"ttl": "0s"}, `ttl: expected whole seconds from 1s to 720h, got 0s`)
	f(values{"ttl": "1500ms"}, `ttl: expected whole seconds from 1s to 720h, got 1.5s`)
	f(values{"ttl": "720h1s"}, `ttl: expected whole seconds from 1s to 720h, got 720h0m1s`)
	f(values{"ttl": 60.0}, `ttl: expected a duration such as "30s" or "5m", got the number 60: a duration names its unit; did you mean "60s"?`)

	const policies = `overflow: expected "reject", "drop_oldest", "conflate" or "disconnect", got `
	f(values{"overflow": "drop_oldst"}, policies+`"drop_oldst"; did you mean "drop_oldest"?`)
	f(values{"overflow": "block"}, policies+`"block"`)
	f(values{"overflow": ""}, policies+`""`)

	f(values{"overflow": "conflate"}, `overflow = "conflate" needs a key: try key = "data.symbol"`)
	f(values{"key": "data.symbol"}, `key: works with overflow = "conflate" only, and overflow is "reject"`)
	f(values{"key": "", "overflow": "disconnect"}, `key: works with overflow = "conflate" only, and overflow is "disconnect"`)
	key := func(path, want string) {
		t.Helper()
		f(values{"overflow": "conflate", "key": path}, "key: "+want)
	}
	key("", `expected a path into the payload such as "data.symbol", got ""`)
	key("data", `expected a path into the payload such as "data.symbol", got "data"`)
	key("symbol", `expected a path into the payload such as "data.symbol", got "symbol"`)
	key("headers.symbol", `expected a path into the payload such as "data.symbol", got "headers.symbol"`)
	key("data.", `the path "data." has an empty key`)
	key("data.a..b", `the path "data.a..b" has an empty key`)
	key("data.\xff", `the path "data.\xff" is not valid UTF-8`)
	for _, c := range special {
		path := "data.a" + string(c)
		err := coretest.Refusal(t, "ring", values{"overflow": "conflate", "key": path}, nil)
		if !strings.Contains(err.Error(), "cannot stand in it; a path is keys joined by dots") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// special is what means something in paths of gjson.
const special = `*?|#@!()[]{}\`

func TestACheckOpensButDoesNotStart(t *testing.T) {
	env := coretest.Env(t, nil)
	env.Ring, env.State = nil, nil
	if err := open(t, env, values{}).Start(t.Context()); err == nil || !strings.Contains(err.Error(), "no ring") {
		t.Errorf("got %v", err)
	}
}

// limited is a stage whose bound of messages names it.
func limited(t *testing.T, env *core.Env, messages float64) stage {
	t.Helper()
	return open(t, env, values{"messages": messages})
}

func wantMessages(t *testing.T, env *core.Env, want int64) {
	t.Helper()
	if got := env.Ring.Messages.Load(); got != want {
		t.Errorf("the gateway keeps %d messages, want %d", got, want)
	}
}

func TestTheLaterStartWins(t *testing.T) {
	env := coretest.Env(t, nil)
	start(t, limited(t, env, 1))
	start(t, limited(t, env, 2))
	wantMessages(t, env, 2)
}

func TestAReplacedStageTakesNothingWithIt(t *testing.T) {
	env := coretest.Env(t, nil)
	before, after := limited(t, env, 1), limited(t, env, 2)
	start(t, before)
	start(t, after)
	stop(t, before)
	wantMessages(t, env, 2)
}

func TestARefusedGenerationLeavesTheBoundsAsTheyWere(t *testing.T) {
	env := coretest.Env(t, nil)
	start(t, limited(t, env, 1))
	refused := limited(t, env, 2)
	start(t, refused)
	stop(t, refused)
	wantMessages(t, env, 1)
}

func TestWithoutTheStageTheDefaultsHold(t *testing.T) {
	env := coretest.Env(t, nil)
	s := limited(t, env, 1)
	start(t, s)
	stop(t, s)
	if got := boundsOf(env.Ring); got != standard {
		t.Errorf("got %v", got)
	}
}

func TestAStageThatIsNotStartedStopsQuietly(t *testing.T) {
	env := coretest.Env(t, nil)
	start(t, limited(t, env, 1))
	stop(t, limited(t, env, 2))
	wantMessages(t, env, 1)
}

func TestACanarysBoundsWaitUntilItIsLiveForAll(t *testing.T) {
	env := coretest.Env(t, nil)
	live, canary, refused := limited(t, env, 1), limited(t, env, 2), limited(t, env, 3)
	start(t, live)
	for _, s := range []stage{refused, canary} {
		if err := s.Start(core.ForCanary(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	stop(t, refused)
	wantMessages(t, env, 1)
	for range 2 { // a stage that it shares with what is live governs already
		if err := canary.(core.Governor).Govern(); err != nil {
			t.Fatal(err)
		}
		wantMessages(t, env, 2)
	}
	stop(t, live)
	wantMessages(t, env, 2)
	stop(t, canary)
	if got := boundsOf(env.Ring); got != standard {
		t.Errorf("got %v", got)
	}
}
