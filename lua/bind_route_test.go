package lua

import (
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

func TestRouting(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		if got := handle(t, newMessage(), body); got != want {
			t.Errorf("%s:\n got %s\nwant %s", body, got, want)
		}
	}
	f(``, `done`)
	f(`msg:to("bob")`, `done client:bob`)
	f(`msg:to{"bob", "eve"}`, `done client:bob client:eve`)
	f(`msg:to{}`, `done`)
	f(`msg:to_own() msg:to_group("audit")`, `done group:audit own`)
	f(`msg:to_group("audit") msg:to_own()`, `done group:audit own`)
	f(`msg:drop("x") msg:to_own()`, `drop dropped: x`)
	f(`msg:to("bob") msg:to_prefix("desk-") msg:to_group("room") msg:to_sender()`, `done client:bob prefix:desk- group:room sender:`)
	f(`msg:reply{ok = true} msg:reply("x") msg:reply(stratix.null)`, `done reply={"ok":true} reply="x" reply=null`)
	f(`msg:join("a") msg:join("a") msg:leave("b")`, `done join=a leave=b`)
	f(`msg:join("a") msg:leave("a")`, `done leave=a`)
	f(`msg:leave("a") msg:join("a")`, `done join=a`)
	f(`return msg:drop("spam")`, `drop dropped: spam`)
	f(`return msg:drop()`, `drop dropped: dropped`)
	f(`return msg:reject("too_big", "at most 1 KiB")`, `drop too_big: at most 1 KiB`)
	f(`msg:drop("first") msg:reject("second", "x") msg:drop("third")`, `drop dropped: first`)
	f(`pcall(function() msg:drop("spam") error("x") end)`, `drop dropped: spam`)
	f(`msg:reject("x", "cut \195")`, "drop x: cut \uFFFD")
}

func TestNothingFollowsADrop(t *testing.T) {
	m := newMessage()
	handle(t, m, `msg:drop("x") msg:to("eve") msg:to_sender() msg:reply(1) msg:join("g") msg:leave("h")
		msg:set("data.a", 2) msg:del("data.s") msg:set("headers.x", "y") msg:priority(9) msg:ttl(1)
		msg:store("none") msg:overflow("conflate", "k")`)
	e := m.Effects
	if len(e.Targets)+len(e.Replies)+len(e.Joins)+len(e.Leaves) > 0 || string(m.Data) != payload || m.Priority != 2 || m.TTL != 30 ||
		m.StorageChoice != core.StorageUnset || m.Overflow != core.OverflowUnset || m.ConflateKey != nil {
		t.Errorf("after a drop: %+v", m)
	}
}

func TestRoutingRefuses(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		if got := failure(t, newMessage(), body); got != "main.lua:3: "+want {
			t.Errorf("%s:\n got %s\nwant %s", body, got, want)
		}
	}
	f(`msg:to("")`, `the ClientID "" is empty`)
	f(`msg:to("a\nb")`, `the ClientID "a\nb" holds characters that are not printable`)
	f(`msg:to(string.rep("x", 129))`, `the ClientID "`+strings.Repeat("x", 40)+`" is longer than 128 bytes`)
	f(`msg:to(5)`, `to takes a ClientID or a list of them, not a number`)
	f(`msg:to{"a", 5}`, `to takes a ClientID or a list of them; [2] is a number`)
	f(`msg:to_prefix("")`, `the prefix "" is empty`)
	f(`msg:to_group("")`, `the group "" is empty`)
	f(`msg:join()`, `join takes a group, not a nil`)
	f(`msg:leave("")`, `the group "" is empty`)
	f(`msg:reply()`, `reply takes a value; use stratix.null for null`)
	f(`msg:reply(nil)`, `a nil has no JSON form; use stratix.null for null`)
	f(`msg:reject("Bad Code", "x")`, `reject: the code "Bad Code" is not 1 to 64 of a-z, 0-9 and _`)
	f(`msg:reject("code")`, `reject takes a code and a text, not a nil`)
	f(`msg:drop(string.rep("x", 2000))`, `drop: the text is longer than 1024 bytes`)
	f(`for i = 1, 2000 do msg:to("c" .. i) end`, `a message has at most 1024 targets`)
	f(`for i = 1, 100 do msg:reply(i) end`, `a message has at most 64 replies`)
	f(`for i = 1, 100 do msg:join("g" .. i) end`, `at most 64 joins are possible`)
	f(`for i = 1, 100 do msg:leave("g" .. i) end`, `at most 64 leaves are possible`)
	f(`local s = string.rep("x", 300000) for i = 1, 4 do msg:reply(s) end`, `the message would grow to 1200149 bytes; at most 1048576 are allowed`)
}
