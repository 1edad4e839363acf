package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core/gateway"
)

// gated are the flags of a gateway as serve has them by default.
func gated(c *serveCmd) {
	c.Gate, c.ShadowMessages, c.ShadowErrors, c.RecordBytes = "shadow", 10_000, 0.01, 8<<20
	c.RollbackWindow, c.RollbackErrors, c.RollbackInstructions, c.RollbackClients = 30*time.Second, 0.05, 0.5, 3
}

// talkers keep sending until stop is called, which returns how many exchanges
// there were. Every message must be answered, once, and by a whole generation.
func talkers(t *testing.T, r *running, clients int, mayFail bool) (stop func() int64) {
	t.Helper()
	var over atomic.Bool
	var done atomic.Int64
	var wait sync.WaitGroup
	for i := range clients {
		c, err := dialWS(r.Addr().String(), fmt.Sprintf("c%d", i))
		if err != nil {
			t.Fatal(err)
		}
		wait.Go(func() {
			defer c.conn.Close()
			for n := 1; !over.Load(); n++ {
				if mayFail {
					if err := c.send(fmt.Sprintf(`{"type":0,"messageId":"m%d","data":{"n":%d}}`, n, n)); err != nil {
						t.Error(err)
						return
					}
					for {
						text, err := c.next()
						if err != nil {
							t.Error(err)
							return
						}
						if strings.HasPrefix(text, `{"type":1,`) || strings.HasPrefix(text, `{"type":2,`) {
							break
						}
					}
				} else if _, err := exchange(c, n); err != nil {
					t.Error(err)
					return
				}
				done.Add(1)
			}
		})
	}
	return func() int64 {
		over.Store(true)
		wait.Wait()
		return done.Load()
	}
}

// brokenSave is a way of making the folder unfit, and what has to be said of it.
type brokenSave struct {
	what  string
	place string // in the problem
	spoil func(dir string, n int) error
}

func writing(name, text string) func(string, int) error {
	return func(dir string, n int) error {
		return os.WriteFile(filepath.Join(dir, name), fmt.Appendf(nil, "%s\n-- %d\n", text, n), 0o644)
	}
}

var brokenSaves = []brokenSave{
	{"syntax", "main.lua:2", writing("main.lua", "pipeline {")},
	{"a runtime error on load", "main.lua:1", writing("main.lua", `local x = nil; x.y = 1; pipeline {}`)},
	{"an endless loop", "main.lua:1", writing("main.lua", `while true do end`)},
	{"a pattern bomb", "main.lua:1", writing("main.lua", `string.find(string.rep("a", 60000), string.rep("a-", 30) .. "b"); pipeline {}`)},
	{"a memory bomb", "main.lua:1", writing("main.lua", `local t = {}; for i = 1, 1e9 do t[i] = string.rep("x", 60000) .. i end; pipeline {}`)},
	{"a failing test", "bad_test.lua:1", writing("bad_test.lua", `function test_it(t) t:eq(1, 2) end`)},
	{"an unknown stage", "main.lua:1", writing("main.lua", `pipeline { stage.prefixx {} }`)},
	{"a bad key", "main.lua:1", writing("main.lua", `pipeline { stage.prefix { routs = {} } }`)},
	{"an unreadable file", "lib.lua", func(dir string, _ int) error {
		return os.Symlink("lib.lua", filepath.Join(dir, "lib.lua")) // the tests may run as root, who may read all else
	}},
	{"a deleted main.lua", "main.lua is missing", func(dir string, _ int) error { return os.Remove(filepath.Join(dir, "main.lua")) }},
}

func TestAHundredBrokenSavesUnderLoadAreNoticedByNobodyButTheOperator(t *testing.T) {
	rounds, clients := 10, 50
	if testing.Short() || raceEnabled {
		rounds, clients = 2, 10
	}
	r := runGateway(t, map[string]string{"main.lua": stampScript(0)}, gated)
	stop := talkers(t, r, clients, false)
	good := r.status().Scripts.Generation
	last := time.Time{}
	for round := range rounds {
		for _, b := range brokenSaves {
			if err := b.spoil(r.scripts, round); err != nil {
				t.Fatal(err)
			}
			st := r.waitFor(b.what, func(st gateway.Status) bool {
				return st.Scripts.Last.Result == "rejected" && st.Scripts.Last.At.After(last)
			})
			last = st.Scripts.Last.At
			if st.Scripts.Generation != good {
				t.Fatalf("%s: generation %d is live", b.what, st.Scripts.Generation)
			}
			if text := strings.Join(st.Scripts.Last.Problems, "\n"); !strings.Contains(text, b.place) {
				t.Errorf("%s: the problem is %q, without %q", b.what, text, b.place)
			}
			_ = os.Remove(filepath.Join(r.scripts, "bad_test.lua"))
			_ = os.Remove(filepath.Join(r.scripts, "lib.lua"))
			save(t, filepath.Join(r.scripts, "main.lua"), stampScript(0))
			st = r.waitFor("the mended folder", func(st gateway.Status) bool {
				return st.Scripts.Last.Result == "unchanged" && st.Scripts.Last.At.After(last)
			})
			last = st.Scripts.Last.At
		}
	}
	if n := stop(); n < int64(clients) {
		t.Errorf("only %d messages were exchanged", n)
	}
	if v := r.metric(`stratix_reloads_total{result="live"}`); v != "1" {
		t.Errorf("%s generations went live", v)
	}
}

// failing is a script that begins to fail when it is live: on what clients send
// next, and not on what they have sent.
const failing = `
local kv = stratix.kv
pipeline {
  function(msg)
    if kv.incr("messages") > 300 then error("too late to be seen before") end
    msg:set("data.first", 9)
  end,
  stage.prefix { routes = { ["c"] = "sender" } },
}
`

func TestScriptsThatBeginToFailAreTakenBackWithinTwoSeconds(t *testing.T) {
	r := runGateway(t, map[string]string{"main.lua": stampScript(7)}, func(c *serveCmd) {
		gated(c)
		c.ShadowMessages = 200
	})
	stop := talkers(t, r, 10, true)
	defer stop()
	save(t, filepath.Join(r.scripts, "main.lua"), failing)
	began := time.Now()
	r.waitFor("the failing scripts to be live", func(st gateway.Status) bool { return st.Scripts.Generation == 2 })
	st := r.waitFor("them to be taken back", func(st gateway.Status) bool { return st.Scripts.Last.Result == "rolled_back" })
	t.Logf("live, failing and taken back in %v: %s", time.Since(began), st.Scripts.Last.Problems)
	if !st.Scripts.LastGood || len(st.Scripts.Last.Problems) == 0 || !strings.Contains(st.Scripts.Last.Problems[0], "failures on") {
		t.Errorf("the status does not say it: %+v", st.Scripts)
	}
	if log := r.log.String(); !strings.Contains(log, "THE SCRIPTS ARE TAKEN BACK") || !strings.Contains(log, "--rollback-errors") {
		t.Error("the log does not say it loudly")
	}
	stop()
	c, err := dialWS(r.Addr().String(), "c-after")
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	if through, err := exchange(c, 1); err != nil || through != 7 {
		t.Errorf("after it a message goes through save %d, %v", through, err)
	}
	if v := r.metric(`stratix_reloads_total{result="rolled_back"}`); v != "1" {
		t.Errorf("stratix_reloads_total says %s", v)
	}
}

func TestOneClientAloneDoesNotHaveASaveTakenBack(t *testing.T) {
	r := runGateway(t, map[string]string{"main.lua": stampScript(1)}, gated)
	var all []*wsClient
	for i := range 3 {
		c, err := dialWS(r.Addr().String(), fmt.Sprintf("c%d", i))
		if err != nil {
			t.Fatal(err)
		}
		defer c.conn.Close()
		if _, err := exchange(c, 1); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	save(t, filepath.Join(r.scripts, "main.lua"), `
pipeline { function(msg) if msg:get("data.n") > 1 then error("x") end end, stage.prefix { routes = { ["c"] = "sender" } } }`)
	r.waitFor("the save to be live", func(st gateway.Status) bool { return st.Scripts.Generation == 2 })
	fail := func(c *wsClient, times int) {
		for n := range times {
			if err := c.send(fmt.Sprintf(`{"type":0,"messageId":"x%d","data":{"n":2}}`, n)); err != nil {
				t.Fatal(err)
			}
			if text, err := c.next(); err != nil || !strings.Contains(text, "script_error") {
				t.Fatalf("it is told %s, %v", text, err)
			}
		}
	}
	fail(all[0], 20)
	const warning = "for too few clients to be taken back"
	r.waitFor("the log to say it", func(gateway.Status) bool { return strings.Contains(r.log.String(), warning) })
	if st := r.status(); st.Scripts.Generation != 2 {
		t.Fatalf("generation %d is live", st.Scripts.Generation)
	}
	fail(all[1], 1)
	fail(all[2], 1)
	r.waitFor("the save to be taken back", func(st gateway.Status) bool { return st.Scripts.Last.Result == "rolled_back" })
	if n := strings.Count(r.log.String(), warning); n != 1 {
		t.Errorf("the log says it %d times", n)
	}
}

func TestARestartDoesNotServeWhatWasTakenBack(t *testing.T) {
	data, dir := t.TempDir(), t.TempDir()
	here := func(c *serveCmd) {
		gated(c)
		c.Data, c.Scripts, c.ShadowMessages = data, dir, 200
	}
	save(t, filepath.Join(dir, "main.lua"), stampScript(7))
	r := runGateway(t, nil, here)
	stop := talkers(t, r, 10, true)
	save(t, filepath.Join(dir, "main.lua"), failing)
	r.waitFor("the scripts to be taken back", func(st gateway.Status) bool { return st.Scripts.Last.Result == "rolled_back" })
	stop()
	r.stop()

	r = runGateway(t, nil, here)
	if st := r.status(); !st.Scripts.LastGood || !strings.Contains(strings.Join(st.Scripts.Last.Problems, "\n"), "taken back") {
		t.Errorf("the status is %+v", st.Scripts)
	}
	c, err := dialWS(r.Addr().String(), "c1")
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	if through, err := exchange(c, 1); err != nil || through != 7 {
		t.Errorf("after a restart a message goes through save %d, %v", through, err)
	}
}

func TestASaveThatFailsOnWhatClientsHaveSentIsRejected(t *testing.T) {
	r := runGateway(t, map[string]string{"main.lua": stampScript(1)}, gated)
	stop := talkers(t, r, 5, false)
	r.waitFor("some messages", func(st gateway.Status) bool { return st.MessagesIn > 500 })
	save(t, filepath.Join(r.scripts, "main.lua"), `pipeline { function(msg)
  if msg:get("data.n") % 10 == 0 then msg:get("data.n").x = 1 end
  msg:set("data.first", 2) msg:set("data.last", 2)
end, stage.prefix { routes = { ["c"] = "sender" } } }`)
	st := r.waitFor("the shadow run to refuse", func(st gateway.Status) bool { return st.Scripts.Last.Result == "rejected" })
	stop()
	text := strings.Join(st.Scripts.Last.Problems, "\n")
	if !strings.Contains(text, "the shadow run fails on") || !strings.Contains(text, "main.lua:2") {
		t.Errorf("the problems are %q", text)
	}
	steps := st.Scripts.Last.Steps
	if last := steps[len(steps)-1]; last.Name != "shadow" || last.Result != "failed" || st.Scripts.Last.Shadow == nil {
		t.Errorf("the steps are %+v", steps)
	}
}

func TestARestartDoesNotServeWhatTheShadowRunHasRefused(t *testing.T) {
	data, dir := t.TempDir(), t.TempDir()
	main := filepath.Join(dir, "main.lua")
	const never = `pipeline { function(msg) error("not one") end }`
	here := func(c *serveCmd) {
		gated(c)
		c.Data, c.Scripts = data, dir
	}
	f := func(what string, r *running, want int) {
		t.Helper()
		c, err := dialWS(r.Addr().String(), "c1")
		if err != nil {
			t.Fatal(err)
		}
		defer c.conn.Close()
		if through, err := exchange(c, 1); err != nil || through != want {
			t.Errorf("%s: a message goes through save %d, %v; want %d", what, through, err, want)
		}
	}
	save(t, main, stampScript(7))
	r := runGateway(t, nil, here)
	stop := talkers(t, r, 5, false)
	r.waitFor("some messages", func(st gateway.Status) bool { return st.MessagesIn > 100 })
	save(t, main, never)
	r.waitFor("the shadow run to refuse", func(st gateway.Status) bool { return st.Scripts.Last.Result == "rejected" })
	stop()
	r.stop()

	r = runGateway(t, nil, here)
	if st := r.status(); !st.Scripts.LastGood || !strings.Contains(strings.Join(st.Scripts.Last.Problems, "\n"), "was refused (the shadow run fails on") {
		t.Errorf("the status is %+v", st.Scripts)
	}
	if log := r.log.String(); !strings.Contains(log, "HOLDS WHAT THE SHADOW RUN HAS REFUSED") {
		t.Errorf("the log does not say it loudly:\n%s", log)
	}
	f("after a restart", r, 7)
	r.stop()

	// What is saved meanwhile is another matter.
	save(t, main, stampScript(8))
	r = runGateway(t, nil, here)
	f("after a save", r, 8)
	r.stop()

	// And who leaves shadow runs out means it.
	save(t, main, never)
	r = runGateway(t, nil, func(c *serveCmd) { here(c); c.Gate = "test" })
	if st := r.status(); st.Scripts.LastGood {
		t.Errorf("with --gate test the status is %+v", st.Scripts)
	}
}

func TestACanaryIsForAShareOfTheClientsUntilItHasProvedItself(t *testing.T) {
	r := runGateway(t, map[string]string{"main.lua": stampScript(1)}, func(c *serveCmd) {
		gated(c)
		c.Canary, c.RollbackWindow, c.ShadowMessages = 0.5, 3*time.Second, 0
	})
	const clients = 40
	var all []*wsClient
	for i := range clients {
		c, err := dialWS(r.Addr().String(), fmt.Sprintf("c%d", i))
		if err != nil {
			t.Fatal(err)
		}
		defer c.conn.Close()
		all = append(all, c)
	}
	n := 0
	through := func() map[int]int {
		n++
		saves := map[int]int{}
		for _, c := range all {
			save, err := exchange(c, n)
			if err != nil {
				t.Fatal(err)
			}
			saves[save]++
		}
		return saves
	}
	save(t, filepath.Join(r.scripts, "main.lua"), stampScript(2))
	st := r.waitFor("the canary", func(st gateway.Status) bool { return st.Scripts.Canary != nil })
	if st.Scripts.Generation != 1 || st.Scripts.Last.Result != "canary" {
		t.Errorf("the status is %+v", st.Scripts)
	}
	first := through()
	if first[1] < clients/8 || first[2] < clients/8 || first[1]+first[2] != clients {
		t.Errorf("of %d clients so many went through each save: %v", clients, first)
	}
	if again := through(); again[2] != first[2] {
		t.Errorf("%d clients have the canary, and then %d", first[2], again[2])
	}
	r.waitFor("the canary to go live", func(st gateway.Status) bool { return st.Scripts.Generation == 2 && st.Scripts.Canary == nil })
	if saves := through(); saves[2] != clients {
		t.Errorf("it is live, and the clients go through %v", saves)
	}

	// One that fails never comes to the others.
	save(t, filepath.Join(r.scripts, "main.lua"), `pipeline { function(msg) if stratix.kv.incr("n") > 5 then error("x") end end, stage.prefix { routes = { ["c"] = "sender" } } }`)
	r.waitFor("another canary", func(st gateway.Status) bool { return st.Scripts.Canary != nil })
	for failed := 0; failed < 20; n++ {
		for _, c := range all {
			if err := c.send(fmt.Sprintf(`{"type":0,"messageId":"x%d","data":{"n":1}}`, n)); err != nil {
				t.Fatal(err)
			}
			for {
				text, err := c.next()
				if err != nil {
					t.Fatal(err)
				}
				if strings.HasPrefix(text, `{"type":2`) {
					failed++
				}
				if !strings.HasPrefix(text, `{"type":0`) {
					break
				}
			}
		}
	}
	st = r.waitFor("it to be taken back", func(st gateway.Status) bool { return st.Scripts.Last.Result == "rolled_back" })
	if st.Scripts.Generation != 2 || st.Scripts.Canary != nil {
		t.Errorf("the status is %+v", st.Scripts)
	}
	if saves := through(); saves[2] != clients {
		t.Errorf("after it the clients go through %v", saves)
	}
}

func TestACanarysBoundsAreNobodysUntilItIsLiveForAll(t *testing.T) {
	const routes, narrow = `pipeline { stage.ring {} }`, `pipeline { stage.ring { client_messages = 1 } }`
	f := func(window time.Duration, wait func(gateway.Status) bool, want string) {
		t.Helper()
		r := runGateway(t, map[string]string{"main.lua": routes}, func(c *serveCmd) {
			gated(c)
			c.Canary, c.RollbackWindow = 1, window // all are in it, and it is a canary still
		})
		save(t, filepath.Join(r.scripts, "main.lua"), narrow)
		r.waitFor("the save", wait)
		c, err := dialWS(r.Addr().String(), "c1")
		if err != nil {
			t.Fatal(err)
		}
		defer c.conn.Close()
		var text string
		for n := range 2 {
			if err := c.send(fmt.Sprintf(`{"type":0,"messageId":"m%d","to":"away","data":1}`, n)); err != nil {
				t.Fatal(err)
			}
			if text, err = c.next(); err != nil {
				t.Fatal(err)
			}
		}
		if !strings.Contains(text, want) {
			t.Errorf("after %v the second message is told %s, want %s", window, text, want)
		}
	}
	f(time.Hour, func(st gateway.Status) bool { return st.Scripts.Canary != nil }, `"queued"`)
	f(50*time.Millisecond, func(st gateway.Status) bool { return st.Scripts.Generation == 2 }, `"overflow"`)
}

func TestWhatWasTakenBackIsNotServedAgainByAccident(t *testing.T) {
	r := runGateway(t, map[string]string{"main.lua": stampScript(1)}, gated)
	main := filepath.Join(r.scripts, "main.lua")
	save(t, main, stampScript(2))
	if err := r.Reload("api"); err != nil { // before the watcher has seen it
		t.Fatal(err)
	}
	if err := r.RollBack(""); err != nil {
		t.Fatal(err)
	}
	save(t, main, stampScript(3))
	r.waitFor("the next save", func(st gateway.Status) bool {
		return st.Scripts.Last.Result == "live" && st.Scripts.Last.Trigger == "save"
	})
	if v := r.metric(`stratix_reloads_total{result="live"}`); v != "3" {
		t.Errorf("%s generations went live, want the first, the one that was taken back, and the last", v)
	}
	save(t, main, stampScript(2))
	st := r.waitFor("the bad one to be refused", func(st gateway.Status) bool { return st.Scripts.Last.Result == "rejected" })
	if text := strings.Join(st.Scripts.Last.Problems, "\n"); !strings.Contains(text, "taken back by an operator") || !strings.Contains(text, "stratix reload") {
		t.Errorf("the problem is %q", text)
	}
	if err := r.Reload("api"); err != nil { // it is meant
		t.Error(err)
	}
}

// A shadow run has what scripts share as it is now: a save may rely on what
// on_connect or an earlier message has put there.
func TestASaveThatReliesOnSharedStateComesThroughTheGate(t *testing.T) {
	r := runGateway(t, map[string]string{"main.lua": `
pipeline { stage.prefix { routes = { ["c"] = "sender" } } }
function on_connect(conn) stratix.kv.set("plan:" .. conn:id(), 7) end`}, gated)
	c, err := dialWS(r.Addr().String(), "c1")
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	for range 100 {
		if err := c.send(`{"type":0,"messageId":"m","data":{"n":1}}`); err != nil {
			t.Fatal(err)
		}
	}
	r.waitFor("the messages", func(st gateway.Status) bool { return st.MessagesIn >= 100 })
	save(t, filepath.Join(r.scripts, "main.lua"), `
pipeline { function(msg) if stratix.kv.get("plan:" .. msg:from()) + 1 > 9 then msg:drop("over") end end, stage.prefix { routes = { ["c"] = "sender" } } }
function on_connect(conn) stratix.kv.set("plan:" .. conn:id(), 7) end`)
	st := r.waitFor("the save", func(st gateway.Status) bool { return st.Scripts.Last.Trigger == "save" })
	if st.Scripts.Last.Result != "live" {
		t.Errorf("%s: %q", st.Scripts.Last.Result, st.Scripts.Last.Problems)
	}
}
