-- Who is here? Clients watch others: they ask, and are told what is known, and
-- hear of each status that these announce afterwards.

local kv = stratix.kv
local day, week = { ttl = "24h" }, { ttl = "168h" }

local statuses = { online = true, away = true, busy = true, offline = true }
local most = 50 -- clients in one question

local unknown = stratix.metric.counter("presence_unknown_total", "Statuses that found no room in stratix.kv.")

-- A ClientID that a group can be named after.
local function watchable(id)
  return type(id) == "string" and #id <= 100 and id:find("^[%w@._-]+$") ~= nil
end

-- The status of a client, kept as long as it is connected; a day at most, and
-- each of its messages makes a new day of it.
local function note(id, status)
  if not kv.set("presence:" .. id, status, day) then
    unknown:inc()
  end
end

local function presence(id)
  local status = kv.get("presence:" .. id)
  if status then
    return { id = id, status = status }
  end
  return { id = id, status = "offline", seen = kv.get("seen:" .. id) }
end

-- {"kind":"status","status":"away"}: to all that watch the sender.
local function announce(msg)
  local status = msg:get("data.status")
  if type(status) ~= "string" or not statuses[status] then
    return msg:reject("bad_status", "data.status is online, away, busy or offline")
  end
  note(msg:from(), status)
  msg:store("none") -- who comes later asks
  msg:to_sender() -- so that it reaches somebody also when nobody watches
  if watchable(msg:from()) then
    msg:to_group("watch:" .. msg:from())
  end
end

-- {"kind":"watch","who":["ann"]}, and "unwatch": membership in the group of each, and
-- an answer with what is known now.
local function watch(msg, on)
  local who = msg:get("data.who")
  if type(who) ~= "table" or #who == 0 or #who > most then
    return msg:reject("bad_who", "data.who is a list of 1 to " .. most .. " ClientIDs")
  end
  local answer = stratix.array()
  for i, id in ipairs(who) do
    if not watchable(id) then
      return msg:reject("bad_who", "data.who[" .. i - 1 .. "] is no ClientID that can be watched")
    end
    answer[i] = presence(id)
  end
  for _, id in ipairs(who) do
    if on then
      msg:join("watch:" .. id)
    else
      msg:leave("watch:" .. id)
    end
  end
  msg:reply{ kind = "presence", clients = answer }
end

pipeline {
  function(msg)
    local kind = msg:get("data.kind")
    if kind == "status" then
      return announce(msg)
    elseif kind == "watch" or kind == "unwatch" then
      return watch(msg, kind == "watch")
    end
    -- Any other message shows that its sender is here: also of those that were
    -- connected before this script went live.
    if not kv.get("presence:" .. msg:from()) then
      note(msg:from(), "online")
    end
  end,
}

function on_connect(conn)
  note(conn:id(), "online")
end

function on_disconnect(conn, reason)
  if reason == "replaced" then
    return -- by another connection of the same client
  end
  kv.delete("presence:" .. conn:id())
  kv.set("seen:" .. conn:id(), stratix.now(), week) -- without room: not known
end

-- The groups of watchers are joined by watching, and nobody writes to them.
function on_policy(_, action, kind, name)
  if action == "send" then
    return kind == "client", "send to a client"
  end
  return name:sub(1, 6) ~= "watch:", "watch a client to hear of it"
end
