-- What no client of ours sends, to every example: each script decides, and none
-- fails. The Go test beside puts this file in place of their own tests.

local senders = {
  "ann", "ops", "ops-1", "sensor-7", "desk-1", "phone-1", "board-1", "qa-1", "svc-prices", "search-a",
  "order-desk", "digest", "audit-1", "client-1", ("ä b"):rep(32),
}
local kinds = { "login", "search", "request", "reply", "status", "watch", "unwatch", "typing", "order", 7, {}, stratix.null }
local members = {
  "kind", "text", "room", "token", "order", "level", "service", "client", "request", "status", "who", "user", "card", "now", "urgent",
}
local values = {
  0, -1, 1e300, true, false, "", "x", "\0", "\127\n", ("x"):rep(300), ("ä"):rep(70), "1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6",
  stratix.null, {}, stratix.array(), { 1, 2 }, { "ann", 7 }, { a = { b = 1 } }, "critical", "online",
}
local targets = {
  "ann", "bob", "", ("x"):rep(129), ("x"):rep(3000), 7, true, {}, stratix.array(), stratix.null, { 1 }, { "ann", "" }, { "ann", "phone-1" },
  { prefix = "" }, { prefix = "d" }, { group = "room:1" }, { group = ("g"):rep(200) }, { group = 7 }, { prefix = "a", group = "b" },
}

local function headers()
  local all = {}
  for n = 1, 64 do
    all["h" .. n] = "x"
  end
  return all
end

-- Clients that a script lets in: some have a token with odd claims, some with good
-- ones, and some have none.
local function clients(t)
  local all = {}
  for n, id in ipairs(senders) do
    local odd = values[n]
    local claims = n % 3 == 0 and { team = odd, roles = odd } or n % 3 == 1 and { team = "north", roles = { odd, "dispatcher" } } or nil
    local client = t:connect(id, { groups = "room:1", claims = claims })
    if not client.refused then
      all[#all + 1] = client
    end
  end
  t:ok(#all >= 2)
  return all
end

local function send(t, client, message)
  local r = client:send(message)
  if r.problem then
    t:log(client.id, message)
  end
  t:eq(r.problem, nil)
end

-- With the tokens in the README of the example that has them.
local function login(t, client)
  if client.id == "ann" or client.id == "ops-1" then
    local token = client.id == "ann" and "n7Kx-21mQ-84vd-Zp" or "w3Lr-90tB-55cs-Yh"
    send(t, client, { data = { kind = "login", token = token } })
  end
end

local function everything(t)
  local all = clients(t)
  for _, client in ipairs(all) do
    login(t, client)
    for _, value in ipairs(values) do
      send(t, client, { data = value })
      send(t, client, { data = value, to = "ann", id = ("m"):rep(128) })
      send(t, client, { data = { text = "a\0b", kind = value, order = "x" }, to = "ann", id = "m", headers = headers() })
    end
    for _, to in ipairs(targets) do
      for _, kind in ipairs(kinds) do
        send(t, client, { data = { kind = kind, text = "darn", urgent = true }, to = to, headers = headers() })
      end
      send(t, client, { data = "x", to = to })
      send(t, client, { to = to })
    end
  end
  -- Each member of data as something else, beside what is right.
  for _, member in ipairs(members) do
    for _, client in ipairs(all) do
      for _, value in ipairs(values) do
        local data = {
          kind = kinds[math.random(#kinds)], text = "x", order = "1", level = "info", service = "prices", client = "ann", request = "m", status = "away", who = { "ann" },
        }
        data[member] = value
        send(t, client, { data = data, id = "m", to = "ann", headers = headers() })
      end
    end
  end
  for _, client in ipairs(all) do
    client:join("room:1")
    client:join(("g"):rep(100))
    client:leave("watch:ann")
    client:close()
  end
  t:advance("31s")
end

function test_no_message_makes_a_script_fail(t)
  everything(t)
end

function test_none_does_without_room_in_kv(t)
  t:fill_kv()
  everything(t)
end

function test_none_does_by_its_size(t)
  for _, client in ipairs(clients(t)) do
    login(t, client)
    for _, piece in ipairs{ "x", "1 ", "darn ", "ä", '"', "http://", "   " } do
      local text = piece:rep(math.floor(60000 / #json.encode(piece)))
      send(t, client, { data = text, to = "ann", id = "m" })
      send(t, client, { data = { kind = text, text = text:sub(1, 100) }, to = "ann", id = "m1" })
      send(t, client, { data = { text = text, note = "x" }, to = "ann", id = "m2" })
      send(t, client, { data = { kind = "typing", text = text }, to = "ann", id = "m3" })
    end
    send(t, client, { data = { kind = "watch", who = values }, to = "ann" })
  end
end
