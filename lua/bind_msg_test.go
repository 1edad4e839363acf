package lua

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

func TestGetReads(t *testing.T) {
	f := func(expr, want string) {
		t.Helper()
		if got := handle(t, newMessage(), "msg:reply("+expr+")"); got != "done reply="+want {
			t.Errorf("%s = %s, want %s", expr, got, want)
		}
	}
	f(`msg:get("data")`, payload[:strings.Index(payload, "[10")]+`[10,20,[]],"big":"12345678901234567890","n":null,"o":{"k":"v","a.b":2},"t":true,"f":1.5,"e":{}}`)
	f(`msg:get("data.a")`, `1`)
	f(`msg:get("data.s")`, `"x"`)
	f(`msg:get("data.f")`, `1.5`)
	f(`msg:get("data.t")`, `true`)
	f(`msg:get("data.n")`, `null`)
	f(`msg:get("data.n") == stratix.null`, `true`)
	f(`tostring(msg:get("data.n"))`, `"null"`)
	f(`msg:get("data.missing") == nil`, `true`)
	f(`msg:get("data.s.deeper") == nil`, `true`)
	f(`msg:get("data.list.1")`, `20`)
	f(`msg:get("data.list.01") == nil`, `true`)
	f(`msg:get("data.list.3") == nil`, `true`)
	f(`msg:get("data.list.99999999999999999999") == nil`, `true`)
	f(`msg:get("data.list.#")`, `3`)
	f(`msg:get("data.list.2.#")`, `0`)
	f(`msg:get("data.o.#") == nil`, `true`)
	f(`msg:get("data.list.a\\#") == nil`, `true`)
	f(`msg:get("data.list.2")`, `[]`)
	f(`msg:get("data.e")`, `{}`)
	f(`msg:get("data.big")`, `"12345678901234567890"`)
	f(`msg:get("data.o.k")`, `"v"`)
	f(`msg:get("data.o.a\\.b")`, `2`)
	f(`msg:get("data.o").k`, `"v"`)
	f(`#msg:get("data.list")`, `3`)
	f(`msg:get("headers.trace")`, `"abc"`)
	f(`msg:get("headers.x\\.y")`, `"z"`)
	f(`msg:get("headers").trace`, `"abc"`)
	f(`msg:get("messageId")`, `"msg-1"`)
	f(`msg:get("from")`, `"client-1"`)
	f(`msg:get("to")`, `{"group":"room"}`)
	f(`msg:get("to.group")`, `"room"`)
	f(`msg:get("priority")`, `2`)
	f(`msg:get("ttl")`, `30`)
	f(`msg:id()`, `"msg-1"`)
	f(`msg:from()`, `"client-1"`)
	f(`msg:size()`, `99`)
	f(`msg:generation()`, `7`)
	f(`msg:header("trace")`, `"abc"`)
	f(`msg:header("x.y")`, `"z"`)
	f(`msg:header("#") == nil`, `true`)
	f(`msg:priority()`, `2`)
	f(`msg:ttl()`, `30`)
}

func TestGetOfAbsentParts(t *testing.T) {
	f := func(expr string) {
		t.Helper()
		m := newMessage()
		m.ID, m.Headers, m.To = nil, nil, nil
		if got := handle(t, m, "msg:reply("+expr+" == nil)"); got != "done reply=true" {
			t.Errorf("%s: %s", expr, got)
		}
	}
	f(`msg:id()`)
	f(`msg:get("messageId")`)
	f(`msg:get("headers")`)
	f(`msg:get("headers.trace")`)
	f(`msg:header("trace")`)
	f(`msg:get("to")`)
}

// A string payload that looks like an object holds no keys.
func TestGetDoesNotLookIntoStrings(t *testing.T) {
	m := newMessage()
	m.Data = []byte(`"say {\"urgent\":true} [1]"`)
	if got := handle(t, m, `msg:reply(msg:get("data.urgent") == nil and msg:get("data.0") == nil)`); !strings.HasPrefix(got, "done reply=true") {
		t.Error(got)
	}
}

func TestGetRefuses(t *testing.T) {
	f := func(path, want string) {
		t.Helper()
		got := failure(t, newMessage(), "msg:get("+strconv.Quote(path)+")")
		if want = "main.lua:3: " + want; got != want {
			t.Errorf("get(%q):\n got %s\nwant %s", path, got, want)
		}
	}
	const needs = ` needs a backslash before it; a path is keys joined by dots, arrays are counted from 0`
	f("data.*", `path "data.*": '*'`+needs)
	f("data.items[0]", `path "data.items[0]": '['`+needs)
	f("data.@reverse", `path "data.@reverse": '@'`+needs)
	f("data|a", `path "data|a": '|'`+needs)
	f("data.#.name", `path "data.#.name": # (the length of an array) can only stand at the end`)
	f("data.#(a==1)", `path "data.#(a==1)": '#'`+needs)
	f("data.", `path "data." has an empty key`)
	f("data..a", `path "data..a" has an empty key`)
	f("", `path "" has an empty key`)
	f(`data.a\`, `path "data.a\\" ends within an escape`)
	f("payload.a", `path "payload.a": a message has data, headers, messageId, from, to, priority and ttl, not "payload"`)
	f("from.name", `path "from.name": from holds nothing further`)
}

func TestSetAndDel(t *testing.T) {
	f := func(before, body, want string) {
		t.Helper()
		m := newMessage()
		m.Data = []byte(before)
		got := handle(t, m, body)
		if got = strings.TrimPrefix(got, "done data="); got != want {
			t.Errorf("%s of %s:\n got %s\nwant %s", body, before, got, want)
		}
	}
	// What is not named keeps its bytes.
	f(`{ "a" : 1.0, "b":[ ], "c":1e2 }`, `msg:set("data.a", "x")`, `{ "a" : "x", "b":[ ], "c":1e2 }`)
	f(`{"a":1}`, `msg:set("data.b", true)`, `{"a":1,"b":true}`)
	f(`{}`, `msg:set("data.b.c.d", 1)`, `{"b":{"c":{"d":1}}}`)
	f(`{}`, `msg:set("data.5", 1)`, `{"5":1}`)
	f(`{}`, `msg:set("data.x.5", 1)`, `{"x":{"5":1}}`)
	f(`{}`, `msg:set("data.:x", 1)`, `{":x":1}`)
	f(`{"a.b":1,"a":2}`, `msg:set("data.a\\.b", 3)`, `{"a.b":3,"a":2}`)
	f(`{"a*":1,"ab":2}`, `msg:set("data.a\\*", 3)`, `{"a*":3,"ab":2}`)
	f(`{"-1":1}`, `msg:set("data.-1", 3)`, `{"-1":3}`)
	f(`[1, 2]`, `msg:set("data.0", 9)`, `[9, 2]`)
	f(`[1, 2]`, `msg:set("data.2", 3)`, `[1, 2,3]`)
	f(`[]`, `msg:set("data.0", 3)`, `[3]`)
	f(`[[]]`, `msg:set("data.0.0.x", 3)`, `[[{"x":3}]]`)
	f(`{"a":1}`, `msg:set("data", {1, "two", stratix.null})`, `[1,"two",null]`)
	f(`{"a":1}`, `msg:set("data.l", stratix.array{})`, `{"a":1,"l":[]}`)
	f(`{"a":1}`, `msg:set("data.l", {})`, `{"a":1,"l":{}}`)
	f(`{"a":1,"b":2}`, `msg:del("data.a")`, `{"b":2}`)
	f(`{"a":1,"b":2}`, `msg:del("data.b")`, `{"a":1}`)
	f(`{"a":1}`, `msg:del("data.a")`, `{}`)
	f(`{"a":{"5":1}}`, `msg:del("data.a.5")`, `{"a":{}}`)
	f(`[1,2,3]`, `msg:del("data.1")`, `[1,3]`)
	f(`{"a":1}`, `msg:del("data.x.y")`, `{"a":1}`)
	f(`"text"`, `msg:del("data.x")`, `"text"`)
}

func TestSetAndDelRefuse(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		if got := failure(t, newMessage(), body); got != "main.lua:3: "+want {
			t.Errorf("%s:\n got %s\nwant %s", body, got, want)
		}
	}
	f(`msg:set("data.list.7", 1)`, `path "data.list.7": position 7 is past the end of an array of 3`)
	f(`msg:set("data.list.x", 1)`, `path "data.list.x": what would hold "x" is an array`)
	f(`msg:set("data.list.-1", 1)`, `path "data.list.-1": what would hold "-1" is an array`)
	f(`msg:set("data.list.#", 1)`, `path "data.list.#": the length of an array cannot be set`)
	f(`msg:del("data.list.#")`, `path "data.list.#": the length of an array cannot be deleted`)
	f(`msg:set("data.s.x", 1)`, `path "data.s.x": what would hold "x" is a string, not an object or an array`)
	f(`msg:set("data.n.x", 1)`, `path "data.n.x": what would hold "x" is null, not an object or an array`)
	f(`msg:set("data.a")`, `msg:set("data.a") needs a value; use stratix.null for null or msg:del to remove`)
	f(`msg:set("from", "x")`, `path "from": only data and headers can be edited, not "from"`)
	f(`msg:del("data")`, `msg:del: data itself cannot be removed, only set`)
	f(`msg:set("headers.x", 5)`, `path "headers.x": a header is a string, not a number`)
	f(`msg:set("headers.x.y", "z")`, `path "headers.x.y": headers hold strings, not tables`)
	f(`msg:set("headers", "z")`, `headers are a table of strings, not a string`)
	f(`msg:set("headers", { x = 1 })`, `headers are a table of strings; x is a number`)
	f(`for i = 1, 70 do msg:set("headers.h" .. i, "v") end`, `a message has at most 64 headers`)
	f(`msg:set("data.x", function() end)`, `a function has no JSON form; use stratix.null for null`)
	f(`msg:set("data.x", 0/0)`, `the number NaN has no JSON form`)
	f(`msg:set("data.x", 1/0)`, `the number +Inf has no JSON form`)
	f(`msg:set("data.x", {1, 2, a = 3})`, `the table is an array of 2 that also has the key "a"; JSON knows arrays and objects, not both in one`)
	f(`msg:set("data.x", {1, nil, 3})`, `the array has nothing at [2] of 3; use stratix.null for null`)
	f(`msg:set("data.x", {[1.5] = 1})`, `the table has the number 1.5 as a key; objects have strings, arrays 1 to n`)
	f(`local t = {} t.t = t msg:set("data.x", t)`, `the table holds itself`)
	f(`local t = {} for i = 1, 40 do t = { t } end msg:set("data.x", t)`, `the table is nested deeper than 32`)
	f(`for i = 1, 40 do msg:set("data", { msg:get("data") }) end`, `the table is nested deeper than 32`)
	f(`msg:set("data.x", { ["\255"] = 1 })`, `the key "\xff" is not valid UTF-8, which JSON needs`)
}

func TestSetBoundsTheMessage(t *testing.T) {
	m := newMessage()
	m.Data = []byte(`"` + strings.Repeat("x", maxMessage-102) + `"`)
	got := failure(t, m, `msg:set("headers.a", string.rep("x", 100))`)
	if want := "main.lua:3: the message would grow to 1048608 bytes; at most 1048576 are allowed"; got != want {
		t.Errorf("%s", got)
	}
}

func TestSetHeaders(t *testing.T) {
	f := func(before, body, want string) {
		t.Helper()
		m := newMessage()
		m.Headers = []byte(before)
		if before == "" {
			m.Headers = nil
		}
		handle(t, m, body)
		if string(m.Headers) != want {
			t.Errorf("%s of %s: %s, want %s", body, before, m.Headers, want)
		}
	}
	f(``, `msg:set("headers.a", "b")`, `{"a":"b"}`)
	f(`{"a":"b"}`, `msg:set("headers.a", "c")`, `{"a":"c"}`)
	f(`{"a":"b"}`, `msg:set("headers", { x = "y" })`, `{"x":"y"}`)
	f(`{"a":"b"}`, `msg:del("headers.a")`, `{}`)
	f(`{"a":"b"}`, `msg:del("headers")`, ``)
	f(``, `msg:del("headers.a")`, ``)
}

func TestPriorityAndTTL(t *testing.T) {
	m := newMessage()
	handle(t, m, `msg:priority(9) msg:ttl(60)`)
	if m.Priority != 9 || m.TTL != 60 {
		t.Errorf("priority %d, ttl %d", m.Priority, m.TTL)
	}
	f := func(body, want string) {
		t.Helper()
		if got := failure(t, newMessage(), body); got != "main.lua:3: "+want {
			t.Errorf("%s: %s", body, got)
		}
	}
	f(`msg:priority(10)`, `priority takes a whole number from 0 to 9, not 10`)
	f(`msg:priority(1.5)`, `priority takes a whole number from 0 to 9, not 1.5`)
	f(`msg:ttl("1")`, `ttl takes a whole number from 0 to 2592000, not 1`)
	f(`msg:ttl(-1)`, `ttl takes a whole number from 0 to 2592000, not -1`)
}

func TestMessageIsSpentAfterItsTurn(t *testing.T) {
	text := ""
	gen := mustLoad(t, Options{OnScriptError: func(_ string, e *ScriptError) { text = e.Error() }}, "main.lua", `
local kept = {}
local function keep(t, msg) t[1] = msg end
pipeline { function(msg)
    if kept[1] then kept[1]:to("eve") end
    keep(kept, msg)
end }`)
	p := gen.Programs[0].Pipeline
	if got := describe(newMessage(), p); got != "done" {
		t.Fatalf("first message: %s", got)
	}
	m := newMessage()
	if got := describe(m, p); got != "error script_error: the route script failed at main.lua:5" || len(m.Effects.Targets) > 0 {
		t.Errorf("second message: %s", got)
	}
	if text != "main.lua:5: message used after its turn" {
		t.Errorf("logged %q", text)
	}
}

func TestVerbsAreNamed(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		if got := failure(t, newMessage(), body); got != "main.lua:3: "+want {
			t.Errorf("%s: %s", body, got)
		}
	}
	f(`msg:drp("x")`, `unknown msg verb "drp"; did you mean "drop"?`)
	f(`msg:zzz("x")`, `unknown msg verb "zzz"`)
	f(`msg.get("data")`, `a verb of msg needs a colon, as in msg:get(path)`)
	f(`msg.priority = 9`, `"priority" cannot be assigned; call a verb with a colon instead`)
	f(`msg:get()`, `get takes a path, not a nil`)
	f(`local l = log l.inof("x")`, `unknown function of log "inof"; did you mean "info"?`)
	f(`local s = stratix local x = s.nul`, `unknown field of stratix "nul"; did you mean "null"?`)
}

// What changes nothing has looked through the message all the same.
func TestEditsThatFindNothingCostWhatTheySearch(t *testing.T) {
	const size, times = 64_000, 20
	f := func(body string) {
		t.Helper()
		gen := mustLoad(t, Options{}, "main.lua", fmt.Sprintf("pipeline { function(msg) for i = 1, %d do %s end end }", times, body))
		m := newMessage()
		m.Data = []byte(`{"text":"` + strings.Repeat("x", size) + `","last":1}`)
		if got := describe(m, gen.Programs[0].Pipeline); !strings.HasPrefix(got, "done") {
			t.Errorf("%s: %.200s", body, got)
		}
		if least := times * size / scanBytes; m.Instructions < least {
			t.Errorf("%s takes %d instructions, want %d at least", body, m.Instructions, least)
		}
	}
	f(`msg:get("data.nothing")`)
	f(`msg:del("data.nothing")`)
	f(`pcall(msg.del, msg, "data.last.#")`)
	f(`pcall(msg.set, msg, "data.last.x", 1)`)
}
