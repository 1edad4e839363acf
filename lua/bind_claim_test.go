package lua

import (
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

const claims = `{"sub":"42","role":"admin","realm":{"roles":["a","b"]},"exp":1700000000,"https://example.com/team":"red","vip":null}`

// admitted is newMessage of a client that was admitted with claims.
func admitted() *core.Message {
	m := newMessage()
	m.From.Grant = &core.Grant{Claims: []byte(claims)}
	return m
}

func TestClaim(t *testing.T) {
	f := func(m *core.Message, expr, want string) {
		t.Helper()
		if got := handle(t, m, "msg:reply("+expr+")"); got != "done reply="+want {
			t.Errorf("%s = %s, want %s", expr, got, want)
		}
	}
	f(admitted(), `msg:claim("role")`, `"admin"`)
	f(admitted(), `msg:claim("exp")`, `1700000000`)
	f(admitted(), `msg:claim("realm.roles.1")`, `"b"`)
	f(admitted(), `msg:claim("realm.roles.#")`, `2`)
	f(admitted(), `msg:claim("realm")`, `{"roles":["a","b"]}`)
	f(admitted(), `msg:claim("https://example\\.com/team")`, `"red"`)
	f(admitted(), `msg:claim("vip") == stratix.null`, `true`)
	f(admitted(), `msg:claim("none") == nil`, `true`)
	f(admitted(), `msg:claim("sub.x") == nil`, `true`)
	f(newMessage(), `msg:claim("role") == nil`, `true`)
	expires := newMessage()
	expires.From.Grant = &core.Grant{Expires: 5}
	f(expires, `msg:claim("role") == nil`, `true`)
	if got := handle(t, admitted(), `msg:claim("a..b")`); !strings.HasPrefix(got, "error ") {
		t.Errorf("an empty key is read: %s", got)
	}
}

func TestEveryHookOfAClientReadsItsClaims(t *testing.T) {
	log, out := logLines()
	gen := mustLoad(t, Options{Log: log}, "main.lua", `pipeline {}
function on_connect(conn) if conn:claim("role") ~= "admin" then conn:reject("no admin") end end
function on_disconnect(conn) log.info(conn:claim("sub")) end
function on_policy(conn, action) return conn:claim("realm.roles.0") == "a" end`)
	h := gen.Programs[0].Hooks
	for from, want := range map[*core.Session]string{admitted().From: "", newMessage().From: "no admin"} {
		c := &core.Conn{Session: from}
		if err := h.Connect(c); err != nil || c.Refused != want {
			t.Errorf("on_connect refuses with %q, %v, want %q", c.Refused, err, want)
		}
		refused, err := h.MayJoin(from, "room")
		if err != nil || (refused == "") != (want == "") {
			t.Errorf("on_policy says %q, %v", refused, err)
		}
	}
	if err := h.Disconnect(admitted().From, "left"); err != nil || !strings.Contains(out.String(), "msg=42") {
		t.Errorf("on_disconnect: %v, %s", err, out)
	}
}

func TestATestGivesItsClientsClaims(t *testing.T) {
	const main = `pipeline {
  function(msg)
    if msg:claim("role") ~= "admin" then return msg:reject("forbidden", "admins only") end
  end,
}
function on_connect(conn) if conn:claim("banned") then conn:reject("banned") end end`
	const tests = `function test_it(t)
  local admin = t:connect("a", { claims = { role = "admin" } })
  t:eq(admin:send{ data = 1, to = "a" }.verdict, "done")
  t:eq(t:connect("b", { claims = { role = "guest" } }):send{ data = 1, to = "a" }.code, "forbidden")
  t:eq(t:send{ from = "c", data = 1, to = "a" }.code, "forbidden")
  t:eq(t:connect("d", { claims = { banned = true } }).refused, "banned")
end`
	results, err := RunTests(t.Context(), Sources{"main.lua": []byte(main), "main_test.lua": []byte(tests)}, TestOptions{}, nil)
	if err != nil || len(results) != 1 || results[0].Outcome != TestPassed {
		t.Errorf("%+v, %v", results, err)
	}
}

// BenchmarkClaim is a message that reads a claim; BenchmarkCall is one that reads
// nothing.
func BenchmarkClaim(b *testing.B) {
	gen := mustLoad(b, Options{}, "main.lua", `pipeline { function(msg) if msg:claim("role") ~= "admin" then return msg:drop("no") end end }`)
	p, m := gen.Programs[0].Pipeline, admitted()
	b.ReportAllocs()
	for b.Loop() {
		m.Instructions = 0
		if v, err := p.Run(m); v != core.Done || err != nil {
			b.Fatal(v, err)
		}
	}
}
