package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core/frame"
	"github.com/stratix-gateway/stratix/core/rehearse"
	"github.com/stratix-gateway/stratix/lua"
)

// everyVerb is a script in which the data of a message says what becomes of it.
const everyVerb = `
local verbs = {
  to = function(msg, v) msg:to(v) end,
  prefix = function(msg, v) msg:to_prefix(v) end,
  group = function(msg, v) msg:to_group(v) end,
  sender = function(msg) msg:to_sender() end,
  reply = function(msg, v) msg:reply { got = v } end,
  join = function(msg, v) msg:join(v) end,
  leave = function(msg, v) msg:leave(v) end,
  drop = function(msg, v) msg:drop(v) end,
  reject = function(msg, v) msg:reject("no_" .. v, v) end,
  boom = function(msg) msg:nothing() end,
  set = function(msg, v) msg:set("data.set", v) msg:set("headers.h", v) end,
  store = function(msg, v) msg:store(v) end,
  oldest = function(msg) msg:overflow("drop_oldest") end,
  latest = function(msg, v) msg:overflow("conflate", v) end,
  prio = function(msg, v) msg:priority(v) end,
}
pipeline {
  function(msg)
    for _, step in ipairs(msg:get("data.do") or {}) do
      verbs[step[1]](msg, step[2])
    end
  end,
  STAGES
}
function on_connect(conn)
  conn:join("all")
  if conn:id() == "c" then conn:join("few") end
end
function on_policy(conn, action, kind, name)
  if name == "fail" then local x = nil; return x.y end
  return name ~= "secret", kind .. " " .. name .. " is secret"
end`

// frames draws what clients send: well formed and not.
type frames struct {
	*rand.Rand
	n int
}

func (f *frames) pick(words ...string) string { return words[f.IntN(len(words))] }

func (f *frames) next() string {
	f.n++
	target := func() string {
		return f.pick(`"a"`, `"b"`, `"nobody"`, `["a","c","a"]`, `["x","b"]`, `{"prefix":""}`, `{"prefix":"z"}`, `{"group":"all"}`,
			`{"group":"few"}`, `{"group":"none"}`, `"secret"`, `{"group":"fail"}`, `"\u0062"`, `7`, `[]`, `{"x":1}`)
	}
	step := func() string {
		return f.pick(`["to","a"]`, `["to",["b","c","nobody"]]`, `["prefix","b"]`, `["group","all"]`, `["group","few"]`, `["sender"]`,
			`["reply",1]`, `["join","few"]`, `["leave","few"]`, `["drop","enough"]`, `["reject","way"]`, `["boom"]`, `["set","x"]`, `["store","none"]`,
			`["oldest"]`, `["latest","k"]`, `["latest",1]`, `["prio",4]`)
	}
	id := fmt.Sprintf(`"messageId":"m%d",`, f.n)
	if f.IntN(8) == 0 {
		id = fmt.Sprintf(`"messageId":"m%d",`, 1+f.IntN(f.n)) // again
	}
	switch f.IntN(12) {
	case 0:
		return `{"type":8,` + id + `"groups":` + f.pick(`["few"]`, `["few","secret"]`, `[]`, `[""]`, `["fail"]`) + `}`
	case 1:
		return `{"type":9,` + id + `"groups":["few"]}`
	case 2:
		return f.pick(`{`, `7`, `{"type":0}`, `{"type":0,"data":1,"data":2}`, `{"type":6}`, `{"type":1,"seq":4}`, `{"type":0,`+id+`"data":1,"priority":11}`)
	case 3, 4, 5:
		return `{"type":0,` + id + `"to":` + target() + `,"data":{}` + f.pick("", `,"receipt":true`, `,"priority":3,"headers":{"k":"v"}`) + `}`
	default:
		steps := []string{step(), step(), step()}[:1+f.IntN(3)]
		return `{"type":0,` + id + f.pick("", `"to":`+target()+`,`) + `"data":{"do":[` + strings.Join(steps, ",") + `]}}`
	}
}

// A World does what a gateway does: the same frames bring every client the same,
// in the same order.
func TestARehearsalIsLikeTheGateway(t *testing.T) {
	f := func(stages string) {
		t.Run(stages, func(t *testing.T) {
			script := strings.Replace(everyVerb, "STAGES", stages, 1)
			g := runGateway(t, map[string]string{"main.lua": script}, func(c *serveCmd) { c.Shards = 1 })
			w := newWorld(t, script)
			real, made := map[string]*wsClient{}, map[string]*rehearse.Client{}
			names := []string{"a", "b", "c"}
			connect := func(name string) {
				c, err := dialWS(g.Addr().String(), name)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { c.conn.Close() }) // before the gateway waits for it
				real[name] = c
				made[name] = w.Connect(rehearse.Arrival{ID: name, Remote: netip.MustParseAddr("127.0.0.1")})
			}
			for _, name := range names {
				connect(name)
			}
			draw := &frames{Rand: rand.New(rand.NewPCG(1, 2))}
			for range 2000 {
				from, frame := draw.pick(names...), draw.next()
				switch {
				case real[from] == nil && draw.IntN(8) > 0:
					continue
				case real[from] == nil: // it has left, and comes back
					connect(from)
					for _, name := range names {
						compare(t, name+", after "+from+" has come back", real[name], made[name])
					}
				case draw.IntN(20) == 0:
					real[from].leave(t)
					made[from].Close()
					real[from] = nil
					continue
				}
				if err := real[from].send(frame); err != nil {
					t.Fatal(err)
				}
				made[from].Send([]byte(frame))
				for _, name := range names {
					compare(t, name+", after "+from+" "+frame, real[name], made[name])
				}
			}
			for _, name := range names { // and nothing else
				if real[name] == nil {
					continue
				}
				made[name].Send([]byte(`{"type":4}`))
				if err := real[name].send(`{"type":4}`); err != nil {
					t.Fatal(err)
				}
				compare(t, name+", at the end", real[name], made[name])
			}
		})
	}
	f("")
	f("stage.ring {}, ")
	f("stage.ring { client_messages = 3, sender_messages = 7 }, ")
	f(`stage.disk { sync = "commit" }, stage.ring {}`)
}

func newWorld(t *testing.T, script string) *rehearse.World {
	t.Helper()
	clock := rehearse.NewClock(time.Now())
	gen, err := lua.Load(lua.Sources{"main.lua": []byte(script)}, lua.Options{
		Number: 1, Shards: 1, Now: clock.Now, Env: rehearse.Env(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return rehearse.NewWorld(gen, clock)
}

var timeOf = regexp.MustCompile(`"ts":\d+`)

// compare waits for as many frames as the World has for a client, and compares.
func compare(t *testing.T, what string, real *wsClient, made *rehearse.Client) {
	t.Helper()
	for _, want := range made.Frames {
		if real == nil {
			t.Fatalf("%s: it is gone; the rehearsal sent %s", what, want)
		}
		got, err := real.next()
		if err != nil {
			t.Fatalf("%s: %v; the rehearsal sent %s", what, err, want)
		}
		clean := func(frame string) string { return timeOf.ReplaceAllString(frame, `"ts":0`) }
		if clean(got) != clean(string(want)) {
			t.Fatalf("%s: the gateway sent\n%s\nthe rehearsal\n%s", what, got, want)
		}
	}
	made.Frames = nil
}

// leave ends the connection and waits until the gateway has taken that.
func (c *wsClient) leave(t *testing.T) {
	t.Helper()
	if _, err := c.conn.Write(frame.AppendMasked(nil, frame.OpClose, [4]byte{7, 1, 9, 3}, nil)); err != nil {
		t.Fatal(err)
	}
	if text, err := c.next(); !errors.Is(err, io.EOF) {
		t.Fatalf("at the end came %s, %v", text, err)
	}
	c.conn.Close()
}
