-- The tokens are those of the environment, in production too: so the tests take
-- whichever names there are.
local list = require "list"
local networks = require "lib.networks"

local tokens = json.decode(stratix.env("LOGIN_TOKENS") or "{}")
local names = list.keys(tokens)
table.sort(names)

---@param t Test
local function two(t)
  if #names < 2 then
    t:skip("LOGIN_TOKENS names fewer than two clients")
  end
  return t:connect(names[1], { remote = "10.0.0.1" }), t:connect(names[2], { remote = "10.0.0.1" })
end

local function login(client, token)
  return client:send{ id = "login", data = { kind = "login", token = token or tokens[client.id] } }
end

function test_nothing_is_sent_before_a_login(t)
  local a, b = two(t)
  t:eq(a:send{ to = b.id, data = 1 }.code, "login_first")
  t:eq(login(a).replies, { { kind = "welcome", name = a.id } })
  t:eq(a:send{ to = b.id, data = 1 }.code, "offline", "b has not logged in")
  login(b)
  t:eq(a:send{ to = b.id, data = "hello" }.delivered, { b.id })
  t:eq(b:last().data, "hello")
end

function test_a_token_belongs_to_one_name(t)
  local a, b = two(t)
  t:eq(login(a, tokens[b.id]).code, "bad_token")
  t:eq(login(a, 7).code, "bad_token")
  t:eq(a:send{ data = { kind = "login" } }.code, "bad_token")
  t:eq(a:send{ to = b.id, data = 1 }.code, "login_first")
end

function test_guessing_is_slow(t)
  local a = two(t)
  for _ = 1, 5 do
    t:eq(login(a, "a guess").code, "bad_token")
  end
  t:eq(login(a).code, "too_many", "not even the right one")
  t:advance("61s")
  t:eq(login(a).verdict, "done")
end

function test_another_connection_of_the_same_name_is_nobody(t)
  local a, b = two(t)
  login(a)
  login(b)
  local other = t:connect(b.id, { remote = "10.0.0.1" })
  t:eq(b.connected, false)
  t:eq(a:send{ to = b.id, data = "secret" }.code, "offline")
  t:eq(other:last(), nil)
  t:eq(other:send{ to = a.id, data = 1 }.code, "login_first")
end

function test_a_login_ends_with_its_connection_and_its_day(t)
  local a, b = two(t)
  login(a)
  login(b)
  b:close()
  t:eq(a:send{ to = b.id, data = 1 }.code, "offline")
  t:advance("24h1s")
  t:eq(a:send{ to = b.id, data = 1 }.code, "login_first")
end

function test_groups_prefixes_and_lists_reach_nobody(t)
  local a, b = two(t)
  login(a)
  for _, to in ipairs{ { group = "g" }, { prefix = b.id }, { a.id, b.id }, ("x"):rep(200) } do
    t:eq(a:send{ to = to, data = 1 }.code, "bad_recipient")
  end
  t:eq(a:send{ data = 1 }.code, "bad_recipient")
  t:eq(a:join("g").code, "forbidden")
end

function test_strangers_are_refused(t)
  t:eq(t:connect("a name that nobody has").refused, "there is no client of this name")
  t:eq(networks.admit("ops-1", "10.0.0.7"), true)
  t:eq(networks.admit("ops-1", "10.0.1.7"), false)
  t:eq(networks.admit("ann", "192.0.2.1"), true)
end

function test_without_room_for_logins_nobody_gets_in(t)
  local a, b = two(t)
  t:fill_kv()
  t:eq(login(a).code, "busy")
  t:eq(a:send{ to = b.id, data = 1 }.code, "login_first")
end
