package prefix_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"unsafe"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/coretest"
	_ "github.com/stratix-gateway/stratix/plugins/prefix"
)

type values = map[string]any

const routesJSON = `{
  "client-": "sender",
  "client-vip-": {"client": "concierge"},
  "desk-": [{"group": "desks"}, "sender", {"prefix": "desk-"}]
}`

func openFile(t testing.TB, text string, settings values) core.Stage {
	t.Helper()
	all := values{"file": "routes.json"}
	for k, v := range settings {
		all[k] = v
	}
	return coretest.Open(t, "prefix", all, map[string]string{"routes.json": text})
}

// show prints what a message was routed to, as in "group:desks sender:".
func show(e core.Effects) string {
	var out []string
	for _, t := range e.Targets {
		out = append(out, t.Kind.String()+":"+t.Name)
	}
	for _, r := range e.Replies {
		out = append(out, "reply:"+string(r))
	}
	if e.Own {
		out = append(out, "own")
	}
	return strings.Join(out, " ")
}

func TestTheLongestPrefixOfTheSenderRoutes(t *testing.T) {
	f := func(routes, sender, want string) {
		t.Helper()
		stage := openFile(t, routes, nil)
		for _, way := range []string{"looked up", "remembered"} {
			m := coretest.Message(sender, `1`)
			if v := coretest.RunStage(t, stage, m); v != core.Next {
				t.Errorf("%s: got the verdict %v", sender, v)
			}
			if got := show(m.Effects); got != want {
				t.Errorf("%s, %s: got %q, want %q", sender, way, got, want)
			}
		}
	}
	f(routesJSON, "client-1", "sender:")
	f(routesJSON, "client-", "sender:")
	f(routesJSON, "client-vip-1", "client:concierge")
	f(routesJSON, "client-vi", "sender:")
	f(routesJSON, "client-zzz", "sender:")
	f(routesJSON, "desk-1", "group:desks sender: prefix:desk-")
	f(routesJSON, "client", "")
	f(routesJSON, "aaa", "")
	f(routesJSON, "zzz", "")
	f(routesJSON, "client-"+strings.Repeat("x", 100), "sender:")

	f(`{}`, "anyone", "")
	f(`{"": {"group": "lobby"}}`, "anyone", "group:lobby")
	f(`{"": {"group": "lobby"}, "any": "sender"}`, "anyone", "sender:")
	f(`{"": {"group": "lobby"}, "any": "sender"}`, "someone", "group:lobby")

	nested := `{"a": {"client": "1"}, "ab": {"client": "2"}, "abc": {"client": "3"}, "abca": {"client": "4"}, "abd": {"client": "5"}}`
	f(nested, "a", "client:1")
	f(nested, "aa", "client:1")
	f(nested, "abb", "client:2")
	f(nested, "abcz", "client:3")
	f(nested, "abcaa", "client:4")
	f(nested, "abe", "client:2")
	f(nested, "ac", "client:1")
	f(nested, "b", "")

	f(`{"é": "sender"}`, "été", "sender:")
	f(`{"\u00e9": "sender"}`, "été", "sender:")
	f(`{"é": "sender"}`, "è", "") // the same first byte
}

func TestRoutedMessagesAreLeftAloneUnlessOverridden(t *testing.T) {
	f := func(override bool, sender, to string, effects func() core.Effects, want string) {
		t.Helper()
		m := coretest.Message(sender, `1`)
		m.Effects = effects()
		if to != "" {
			m.To = []byte(to)
		}
		coretest.RunStage(t, openFile(t, routesJSON, values{"override": override}), m)
		if got := show(m.Effects); got != want {
			t.Errorf("override %v, from %s to %s: got %q, want %q", override, sender, to, got, want)
		}
		if string(m.To) != to {
			t.Errorf("the message's own target became %s", m.To)
		}
	}
	none := func() core.Effects { return core.Effects{} }
	group := func() core.Effects {
		return core.Effects{Targets: []core.Target{{Kind: core.ToGroup, Name: "g"}}}
	}
	reply := func() core.Effects { return core.Effects{Replies: [][]byte{[]byte(`"pong"`)}} }
	joined := func() core.Effects { return core.Effects{Joins: []string{"g"}} }

	own := func() core.Effects { return core.Effects{Own: true} }

	f(true, "client-1", `"bob"`, own, "sender:")
	f(true, "nobody", `"bob"`, own, "own")
	f(false, "client-1", `"bob"`, own, "own")
	f(false, "client-1", ``, none, "sender:")
	f(false, "client-1", ``, joined, "sender:")
	f(false, "client-1", `"bob"`, none, "")
	f(false, "client-1", ``, group, "group:g")
	f(false, "client-1", ``, reply, `reply:"pong"`)

	f(true, "client-1", ``, none, "sender:")
	f(true, "client-1", `"bob"`, none, "sender:")
	f(true, "client-1", `"bob"`, group, "sender:")
	f(true, "desk-1", ``, reply, "group:desks sender: prefix:desk-")
	f(true, "nobody", `"bob"`, group, "group:g")
	f(true, "nobody", ``, reply, `reply:"pong"`)
}

func TestRoutesInLuaAreThoseOfAFile(t *testing.T) {
	f := func(routes any, sender, want string) {
		t.Helper()
		m := coretest.Message(sender, `1`)
		coretest.RunStage(t, coretest.Open(t, "prefix", values{"routes": routes}, nil), m)
		if got := show(m.Effects); got != want {
			t.Errorf("%v: from %s: got %q, want %q", routes, sender, got, want)
		}
	}
	f(values{"client-": "sender"}, "client-1", "sender:")
	f(values{"d": values{"group": "desks"}}, "desk", "group:desks")
	f(values{"d": values{"client": "x"}}, "desk", "client:x")
	f(values{"d": values{"prefix": "x-"}}, "desk", "prefix:x-")
	f(values{"d": []any{values{"group": "a"}, "sender"}}, "desk", "group:a sender:")
	f(values{"": "sender", "x": values{"group": "g"}}, "desk", "sender:")
	f(values{}, "desk", "")
	f([]any{}, "desk", "") // an empty Lua table
}

func TestSettingsAreRefused(t *testing.T) {
	f := func(settings values, want string) {
		t.Helper()
		err := coretest.Refusal(t, "prefix", settings, map[string]string{"routes.json": "{}"})
		if got, want := err.Error(), "main.lua:1: stage.prefix: "+want; got != want {
			t.Errorf("%v:\n got %s\nwant %s", settings, got, want)
		}
	}
	const forms = `a target is "sender", or an object with one of client, prefix and group`
	f(values{}, `neither file nor routes is given: try file = "routes.json"`)
	f(values{"file": ""}, `neither file nor routes is given: try file = "routes.json"`)
	f(values{"file": "routes.json", "routes": values{}}, `file and routes are both given: keep one of them`)
	f(values{"fil": "routes.json"}, `unknown key "fil"; did you mean "file"?`)
	f(values{"file": "none.json"}, `file: open none.json: file does not exist`)
	f(values{"file": "routes.json", "cache": -1.0}, `cache: expected 0 to 1048576 entries, got -1`)
	f(values{"file": "routes.json", "cache": 1048577.0}, `cache: expected 0 to 1048576 entries, got 1048577`)
	f(values{"routes": []any{"sender"}}, `routes: expected a table, got a list`)
	f(values{"routes": values{"a": 5.0}}, `routes: "a": `+forms)
	f(values{"routes": values{"a": values{}}}, `routes: "a": `+forms)
	f(values{"routes": values{"a": []any{}}}, `routes: "a": an empty list: `+forms)
	f(values{"routes": values{"a": []any{[]any{"sender"}}}}, `routes: "a": `+forms)
	f(values{"routes": values{"a": values{"group": "g", "client": "c"}}}, `routes: "a": `+forms)
	f(values{"routes": values{"a": values{"group": 5.0}}}, `routes: "a": expected the name of the group in quotes`)
	f(values{"routes": values{"a": values{"grup": "g"}}}, `routes: "a": unknown target "grup"; did you mean "group"?: `+forms)
	f(values{"routes": values{"a": "sendr"}}, `routes: "a": unknown target "sendr"; did you mean "sender"?: `+forms)
	f(values{"routes": values{"a\n": "sender"}}, `routes: "a\n": the prefix holds characters that are not printable`)
	f(values{"routes": values{"b": "x", "a": "y"}}, `routes: "a": unknown target "y": `+forms)
}

func TestRoutesFilesAreRefusedWithTheirLine(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		err := coretest.Refusal(t, "prefix", values{"file": "routes.json"}, map[string]string{"routes.json": text})
		if got, want := err.Error(), "main.lua:1: stage.prefix: file: routes.json:"+want; !strings.HasPrefix(got, want) {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
	f("", `1: the file ends too early`)
	f("{\n\"a\": \"sender\",\n\n", `2: the file ends too early`)
	f("{\n\"a\": \"sender", `2: "a": the file ends too early`)
	f("[]", `1: expected {`)
	f("\n\n5", `3: expected {`)
	f("{\n  \"a\": \"sender\"\n  \"b\": \"sender\"\n}", `3: invalid character '"' after object key:value pair`)
	f("{\n\"a\": \"sender\",\n}", `3: invalid character '}'`)
	f("{\n\"a\": sender\n}", `2: "a": invalid character 's'`)
	f("{\"a\": \"sender\"}\n\n{}", `3: something stands behind the routes`)
	f("{\"a\": \"sender\"}\n}", `2: something stands behind the routes`)
	f("{\n\"a\": \"\xff\"\n}", `2: not valid UTF-8`)

	f("{\n\"a\": \"sender\",\n\"a\": \"sender\"\n}", `3: "a": the prefix stands there twice`)
	f("{\n\"\": \"sender\",\n\"\": \"sender\"\n}", `3: "": the prefix stands there twice`)
	f("{\"a\": \"sender\",\n\"\\u0061\": \"sender\"\n}", `2: "a": the prefix stands there twice`)
	f(`{"`+strings.Repeat("x", 129)+`": "sender"}`, `1: "`+strings.Repeat("x", 129)+`": the prefix is longer than 128 bytes`)
	f(`{"a\u0000": "sender"}`, `1: "a\x00": the prefix holds characters that are not printable`)

	f("{\n\"a\": \"sendr\"}", `2: "a": unknown target "sendr"; did you mean "sender"?`)
	f("{\n\"a\": \"group\"}", `2: "a": unknown target "group": a target is "sender", or an object`)
	f("{\n\"a\": \"collector-1\"}", `2: "a": unknown target "collector-1": a target is`)
	f("{\n\"a\": 5}", `2: "a": a target is`)
	f("{\n\"a\": null}", `2: "a": a target is`)
	f("{\n\"a\": {}}", `2: "a": a target is`)
	f("{\n\"a\": {\n\"grup\": 5}}", `3: "a": unknown target "grup"; did you mean "group"?`)
	f("{\n\"a\": {\n\"sender\": \"x\"}}", `3: "a": unknown target "sender": a target is`)
	f("{\n\"a\": {\n\"group\": 5}}", `3: "a": expected the name of the group in quotes`)
	f("{\n\"a\": {\n\"group\": {}}}", `3: "a": expected the name of the group in quotes`)
	f("{\n\"a\": {\n\"group\": \"\"}}", `3: "a": the group "" is empty`)
	f("{\n\"a\": {\"prefix\": \"\"}}", `2: "a": the prefix "" is empty`)
	f("{\n\"a\": {\"client\": \"x\\n\"}}", `2: "a": the client "x\n" holds characters that are not printable`)
	f("{\n\"a\": {\"group\": \"g\",\n\"client\": \"c\"}}", `3: "a": a target is`)
	f("{\n\"a\": {\"group\": \"g\",\n\"group\": \"h\"}}", `3: "a": a target is`)
	f("{\n\"a\": []}", `2: "a": an empty list: a target is`)
	f("{\n\"a\": [\n\"sender\",\n[]]}", `4: "a": a target is`)
	f("{\n\"a\": [\n\"sender\",\n\"sender\"]}", `4: "a": the target sender "" stands there twice`)
	f("{\n\"a\": [{\"group\": \"g\"},\n{\"group\": \"g\"}]}", `3: "a": the target group "g" stands there twice`)

	var seventeen []string
	for i := range 17 {
		seventeen = append(seventeen, fmt.Sprintf(`{"client": "c%d"}`, i))
	}
	f("{\"a\": [\n"+strings.Join(seventeen, ",\n")+"]}", `18: "a": more than 16 targets`)
	openFile(t, `{"a": [`+strings.Join(seventeen[:16], ",")+`]}`, nil)
}

func TestAMissingFileCanBeToldFromABrokenOne(t *testing.T) {
	err := coretest.Refusal(t, "prefix", values{"file": "none.json"}, nil)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// A cache of one entry is fought over by every sender.
func TestSendersThatShareACacheEntryAreNotMixedUp(t *testing.T) {
	stage := openFile(t, routesJSON, values{"cache": 1.0})
	f := func(sender, want string) {
		t.Helper()
		m := coretest.Message(sender, `1`)
		coretest.RunStage(t, stage, m)
		if got := show(m.Effects); got != want {
			t.Errorf("%s: got %q, want %q", sender, got, want)
		}
	}
	for range 2 {
		f("client-1", "sender:")
		f("client-vip-1", "client:concierge")
		f("nobody", "")
		f("client-", "sender:")
		f("client-vip-"+strings.Repeat("x", 48), "client:concierge") // 59 bytes: kept
		f("client-vip-"+strings.Repeat("x", 49), "client:concierge") // 60 bytes: not kept
		f("c", "")
	}
}

// A shard may use the bytes of a session's ID again.
func TestARememberedSenderIsACopy(t *testing.T) {
	stage := openFile(t, routesJSON, values{"cache": 1.0})
	id := []byte("client-1")
	m := coretest.Message(unsafe.String(&id[0], len(id)), `1`)
	f := func(sender, want string) {
		t.Helper()
		copy(id, sender)
		m.Effects = core.Effects{}
		coretest.RunStage(t, stage, m)
		if got := show(m.Effects); got != want {
			t.Errorf("%s: got %q, want %q", sender, got, want)
		}
	}
	f("client-1", "sender:")
	f("desk-123", "group:desks sender: prefix:desk-")
}

func TestHandleDoesNotAllocate(t *testing.T) {
	f := func(sender string, settings values) {
		t.Helper()
		stage := openFile(t, routesJSON, settings)
		m := coretest.Message("", `1`)
		senders := []*core.Session{coretest.Session(sender), coretest.Session("client-" + sender), coretest.Session("desk-" + sender)}
		coretest.AllocCeiling(t, 0, func() {
			for _, from := range senders {
				m.Reset()
				m.From = from
				_, _ = stage.Handle(m)
			}
		})
	}
	f("1", nil)
	f("1", values{"override": true})
	f("1", values{"cache": 1.0}) // every look is a miss
	f(strings.Repeat("x", 100), nil)
}

func TestTheReadmeIsTrue(t *testing.T) {
	blocks := coretest.Fences(t, "README.md", "json")
	if len(blocks) != 1 {
		t.Fatalf("%d routes files", len(blocks))
	}
	files := map[string]string{"routes.json": blocks[0]}
	var stages []core.Stage
	for _, source := range coretest.Fences(t, "README.md", "lua") {
		for _, s := range coretest.Stages(t, source) {
			stages = append(stages, coretest.Open(t, s.Name, s.Values, files))
		}
	}
	if len(stages) != 2 {
		t.Fatalf("%d stages", len(stages))
	}
	f := func(stage int, sender, to, want string) {
		t.Helper()
		m := coretest.Message(sender, `1`)
		m.To = []byte(to)
		coretest.RunStage(t, stages[stage], m)
		if got := show(m.Effects); got != want {
			t.Errorf("stage %d, from %s: got %q, want %q", stage, sender, got, want)
		}
	}
	f(0, "client-1", ``, "sender:")
	f(0, "client-1", `"bob"`, "")
	f(0, "desk-1", ``, "group:desks")
	f(0, "desk-71", ``, "client:supervisor")
	f(0, "sensor-9", ``, "client:collector-1")
	f(0, "ops-1", ``, "prefix:ops-")
	f(0, "alarm-1", ``, "group:desks prefix:ops- sender:")
	f(0, "stranger", ``, "group:unrouted")
	f(1, "client-1", `"bob"`, "sender:")
	f(1, "alarm-1", ``, "group:desks prefix:ops- sender:")
	f(1, "stranger", `"bob"`, "")
}
