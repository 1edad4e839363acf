package lua

import (
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

const orders = `upstream "orders" { url = "https://orders.test/hook", events = { "connect" }, dead_letter = "group:ops" }` + "\n"

func TestAMessageIsRoutedToAnUpstream(t *testing.T) {
	gen := mustLoad(t, Options{Shards: 2}, "main.lua", orders+`pipeline { function(msg)
		msg:to_upstream("orders") msg:to("b") msg:to_upstream("orders")
	end }`)
	if got := describe(newMessage(), gen.Programs[0].Pipeline); got != "done upstream:orders client:b" {
		t.Error(got)
	}
	for _, p := range gen.Programs {
		u := p.Upstream("orders")
		if u == nil || !u.Connects || u.Disconnects || u.DeadLetter != (core.Target{Kind: core.ToGroup, Name: "ops"}) {
			t.Errorf("%+v", u)
		}
		if u.Queue.Offer(&core.Post{}) {
			t.Error("a generation that was not started takes posts")
		}
	}
	if gen.Programs[0].Upstream("orders").Queue != gen.Programs[1].Upstream("orders").Queue {
		t.Error("each shard has an upstream of its own")
	}
	last := gen.Stages[len(gen.Stages)-1]
	if _, starts := last.Stage.(core.Starter); !starts || last.Pos != "main.lua:1" {
		t.Errorf("%+v", last)
	}
}

func TestWhatIsWrongWithAnUpstreamIsNamedWithItsPlace(t *testing.T) {
	t.Setenv("ORDERS_KEY", "hush")
	f := func(src, want string) {
		t.Helper()
		_, err := tryLoad(Options{Shards: 2, ScriptEnv: []string{"ORDERS_KEY"}}, "main.lua", src, "lib.lua", "return {}")
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", src, got, want)
		}
	}
	const rest = "\npipeline {}"
	f(orders+rest, "")
	f(`upstream "a" { url = "http://a", secret_env = "ORDERS_KEY" }`+rest, "")
	f("upstream 'a' {\n  url = 'http://a',\n  secret_env = 'OTHER',\n}"+rest,
		`main.lua:3: upstream "a": secret_env: the environment variable OTHER is not one that scripts may read: name it with --script-env OTHER`)
	f("upstream 'a' {\n  url = 'ftp://a',\n  timeot = '5s',\n}"+rest, `main.lua:3: upstream "a": unknown key "timeot"; did you mean "timeout"?`)
	f("upstream 'a' {\n  url = 'ftp://a',\n  batch = 0,\n}"+rest,
		"main.lua:2: upstream \"a\": url: it does not begin with http:// or https://\nmain.lua:3: upstream \"a\": batch: 0 is not between 1 and 1000")
	f("local a = upstream 'a'\nprint(a)"+rest, `main.lua:1: upstream "a" has no settings: write upstream "a" { url = "..." }`)
	f("upstream 'a' { 'http://a' }"+rest, `main.lua:1: upstream "a" takes settings by name, as in upstream "a" { url = "..." }`)
	f("upstream 'a' 'http://a'"+rest, `main.lua:1: upstream "a" takes a table of settings, not a string`)
	f("upstream { url = 'http://a' }"+rest, `main.lua:1: upstream takes a name, as in upstream "orders" { url = "..." }, not a table`)
	f("upstream 'A b' {}"+rest, `main.lua:1: upstream: the name "A b" is not 1 to 64 of a-z, 0-9, '_', '-' and '.', beginning with a letter or a digit`)
	f(orders+orders+rest, `main.lua:2: upstream "orders" is there already, at main.lua:1`)
	f("upstream('a' .. stratix.shard) { url = 'http://a' }"+rest,
		`main.lua:1: upstream "a1" is another one each time main.lua runs; each shard runs it once, and all must agree`)

	// Names that are written out.
	f(orders+"pipeline { function(msg)\n  msg:to_upstream('order')\nend }", `main.lua:3: unknown upstream "order"; did you mean "orders"?`)
	f("pipeline { function(msg)\n  if msg:size() == 0 then msg:to_upstream('orders') end\nend }", `main.lua:2: unknown upstream "orders"`)
	f(orders+"pipeline { function(msg) msg:to_upstream(msg:get('data')) end }", "")
}

func TestANameThatIsNotKnownAtLoadIsAnErrorOfTheCall(t *testing.T) {
	text := ""
	gen := mustLoad(t, Options{OnScriptError: func(_ string, e *ScriptError) { text = e.Error() }},
		"main.lua", orders+"pipeline { function(msg)\n  local name = 'or' .. 'der'\n  msg:to_upstream(name)\nend }")
	describe(newMessage(), gen.Programs[0].Pipeline)
	if text != `main.lua:4: unknown upstream "order"; did you mean "orders"?` {
		t.Error(text)
	}
	if got := failure(t, newMessage(), "upstream('a')"); !strings.Contains(got, "upstream can only be called while the scripts load") {
		t.Error(got)
	}
}

func TestATestSeesWhatWouldBePosted(t *testing.T) {
	results, err := RunTests(t.Context(), Sources{
		"main.lua": []byte(`upstream "orders" { url = "https://orders.test/hook", events = { "connect", "disconnect" } }
pipeline { function(msg) msg:set("data.seen", true) msg:to_upstream("orders") end }`),
		"main_test.lua": []byte(`function test_it(t)
	local r = t:send{ from = "upstream:orders", id = "m1", data = { n = 1 }, receipt = true }
	t:eq(r.targets, { "upstream:orders" })
	t:eq(r.status, "queued")
	t:eq(r.queued, { "upstream:orders" })
	t:eq(r.answers, { { type = 1, messageId = "m1", stored = "memory", status = "queued" } })
	t:client("upstream:orders"):close()
	local posts = t:upstream("orders")
	t:eq(#posts, 3)
	t:eq(posts[1].event, "connect")
	t:eq(posts[1].address, "127.0.0.1")
	t:eq(posts[2].from, "upstream:orders")
	t:eq(posts[2].messageId, "m1")
	t:eq(posts[2].data, { n = 1, seen = true })
	t:eq(posts[3], { event = "disconnect", from = "upstream:orders", reason = "left", ts = t:now() })
	t:error(function() t:upstream("order") end, "unknown upstream")
end`),
	}, TestOptions{}, nil)
	if err != nil || len(results) != 1 || results[0].Outcome != TestPassed {
		t.Errorf("%v %+v", err, results)
	}
}
