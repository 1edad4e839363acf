package ratelimit

import (
	"context"
	"testing"

	"github.com/stratix-gateway/stratix/lua"
)

// The tests of scripts have a clock of their own, and buckets go by it.
func TestScriptsTestTheirLimits(t *testing.T) {
	results, err := lua.RunTests(context.Background(), lua.Sources{
		"main.lua": []byte(`
pipeline {
  function(msg)
    if msg:get("data.account") then msg:limit_key(msg:get("data.account")) end
  end,
  stage.ratelimit { name = "accounts", per = "key", rate = 0.5, burst = 1 },
  stage.ratelimit { per = "address", rate = 10, burst = 2, over = "delay" },
  stage.ratelimit { name = "strict", per = "prefix", prefix = "bot-", rate = 0.001, burst = 4, over = "disconnect" },
  function(msg) msg:to_sender() end,
}`),
		"main_test.lua": []byte(`
function test_an_account_is_limited(t)
  local function send(from, account) return t:send { from = from, data = { account = account } } end
  t:eq(send("a", "x").verdict, "done")
  local r = send("b", "x")
  t:eq(r.code, "rate_limited")
  t:eq(r.retry_after, 2000)
  t:eq(r.answers[1].retryAfter, 2000)
  t:eq(send("b", "y").verdict, "done")
  t:advance("1999ms")
  r = send("b", "x")
  t:eq({ r.code, r.retry_after }, { "rate_limited", 1 })
  t:advance("1ms")
  t:eq(send("b", "x").verdict, "done")
end

function test_an_address_is_slowed_down_in_order(t)
  local a = t:connect("a", { remote = "192.0.2.7" })
  local b = t:connect("b", { remote = "192.0.2.8" })
  local sent = {}
  for i = 1, 5 do sent[i] = a:send { data = i } end
  t:eq(#a:received(), 2)
  t:eq(sent[3].verdict, "hold")
  t:eq(b:send({ data = 1 }).verdict, "done")
  t:advance("100ms")
  t:eq(#a:received(), 3)
  t:advance("10s")
  local got = {}
  for i, m in ipairs(a:received()) do got[i] = m.data end
  t:eq(got, { 1, 2, 3, 4, 5 })
  t:eq(sent[5].verdict, "done")
end

function test_a_bot_is_thrown_out(t)
  local bot = t:connect("bot-1", { remote = "192.0.2.9" })
  for _ = 1, 5 do bot:send { data = 1 } t:advance("1s") end
  t:eq(bot.connected, false)
  t:eq(bot:frames()[5].code, "rate_limited")
end
`),
	}, lua.TestOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Outcome != lua.TestPassed {
			t.Errorf("%s: %s", r.Name, r.Text)
		}
	}
	if len(results) != 3 {
		t.Errorf("%d tests ran", len(results))
	}
}
