package lua

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

func TestOnConnect(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		gen := mustLoad(t, Options{}, "main.lua", "pipeline {}\nfunction on_connect(conn)\n"+body+"\nend")
		c := &core.Conn{Session: newMessage().From}
		got := ""
		if err := gen.Programs[0].Hooks.Connect(c); err != nil {
			got = err.Error()
		} else {
			got = strings.Join(c.Joins, ",") + ";" + c.Refused
		}
		if got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
	f(``, `;`)
	f(`conn:join("room:lobby") conn:join("b")`, `room:lobby,b;`)
	f(`conn:join("a") conn:leave("a")`, `;`)
	f(`conn:join(conn:id() .. "@" .. conn:address())`, `client-1@192.0.2.7;`)
	f(`conn:reject("not today")`, `;not today`)
	f(`conn:reject()`, `;refused`)
	f(`conn:join("")`, `script_error: the route script failed at main.lua:3`)
	f(`conn:jion("x")`, `script_error: the route script failed at main.lua:3`)
}

func TestOnDisconnectAndTick(t *testing.T) {
	log, out := logLines()
	gen := mustLoad(t, Options{Log: log}, "main.lua", `
pipeline {}
function on_disconnect(conn, reason) log.info(conn:id() .. " " .. reason) end
function on_tick(now) log.info("tick", { now = now }) end`)
	h := gen.Programs[0].Hooks
	if err := h.Disconnect(newMessage().From, "idle"); err != nil {
		t.Error(err)
	}
	if err := h.Tick(1700000000000); err != nil {
		t.Error(err)
	}
	want := `level=INFO msg="client-1 idle" script=main.lua:3 generation=7
level=INFO msg=tick now=1700000000000 script=main.lua:4 generation=7
`
	if out.String() != want {
		t.Errorf("log:\n%s", out)
	}
}

func TestConnVerbsKnowTheirHook(t *testing.T) {
	log, out := logLines()
	gen := mustLoad(t, Options{Log: log}, "main.lua", `
local kept = {}
local function keep(t, conn) t[1] = conn end
pipeline {}
function on_connect(conn) keep(kept, conn) end
function on_disconnect(conn) conn:join("x") end
function on_tick() kept[1]:id() end`)
	h := gen.Programs[0].Hooks
	_ = h.Connect(&core.Conn{Session: newMessage().From})
	if h.Disconnect(newMessage().From, "") == nil || h.Tick(0) == nil {
		t.Error("no error")
	}
	for _, want := range []string{`main.lua:6 error="conn:join works in on_connect only"`, `main.lua:7 error="conn used after its hook returned"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("log lacks %s:\n%s", want, out)
		}
	}
}

func TestAbsentHooksAllow(t *testing.T) {
	p := mustLoad(t, Options{}, "main.lua", "pipeline {}").Programs[0]
	s := &core.Session{ID: "a", Remote: netip.MustParseAddr("::1")}
	if p.HasPolicy {
		t.Error("HasPolicy without on_policy")
	}
	refused, err := p.Hooks.MaySend(s, core.Target{Kind: core.ToClient, Name: "b"})
	if err != nil || refused != "" || p.Hooks.Connect(&core.Conn{Session: s}) != nil || p.Hooks.Disconnect(s, "") != nil || p.Hooks.Tick(0) != nil {
		t.Errorf("%q %v", refused, err)
	}
	if p.Script.Calls != 0 {
		t.Errorf("%d calls", p.Script.Calls)
	}
}

func TestOnPolicy(t *testing.T) {
	gen := mustLoad(t, Options{}, "main.lua", `
pipeline {}
function on_policy(conn, action, kind, name)
  if name == "secret" then return false, conn:id() .. " may not " .. action .. " to the " .. kind .. " secret" end
  if name == "quiet" then return end
  if name == "one" then return 1 end
  if name == "long" then return false, string.rep("x", 1000000) end
  if name == "bad" then return nil .. "" end
  return true
end`)
	p := gen.Programs[0]
	if !p.HasPolicy {
		t.Fatal("no policy")
	}
	s := newMessage().From
	f := func(name, wantSend, wantJoin string) {
		t.Helper()
		refused, err := p.Hooks.MaySend(s, core.Target{Kind: core.ToPrefix, Name: name})
		if err != nil || refused != wantSend {
			t.Errorf("send to %s: %q, %v", name, refused, err)
		}
		refused, err = p.Hooks.MayJoin(s, name)
		if err != nil || refused != wantJoin {
			t.Errorf("join %s: %q, %v", name, refused, err)
		}
	}
	f("open", "", "")
	f("secret", "client-1 may not send to the prefix secret", "client-1 may not join to the group secret")
	f("quiet", notAllowed, notAllowed)
	f("one", notAllowed, notAllowed)
	f("long", strings.Repeat("x", maxReason), strings.Repeat("x", maxReason))
	if _, err := p.Hooks.MayJoin(s, "bad"); err == nil || err.Error() != "script_error: the route script failed at main.lua:8" {
		t.Errorf("a policy that fails: %v", err)
	}
}

func TestHooksThatAreAbsentCostNothing(t *testing.T) {
	h := mustLoad(t, Options{}, "main.lua", "pipeline {}").Programs[0].Hooks
	s := newMessage().From
	if got := testing.AllocsPerRun(100, func() {
		_, _ = h.MaySend(s, core.Target{Kind: core.ToClient, Name: "b"})
		_, _ = h.MayJoin(s, "g")
	}); got > 0 {
		t.Errorf("%v allocations", got)
	}
}
