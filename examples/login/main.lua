-- A ClientID is a claim. Here a client shows the token that belongs to its name
-- before it may send, or be sent, anything.

local networks = require "lib.networks"
local tokens = require "lib.tokens"

local kv = stratix.kv
local day, minute = { ttl = "24h" }, { ttl = "1m" }
local tries = 5 -- a minute, for each ClientID
local logins = stratix.metric.counter("logins_total", "Logins by what came of them.", { "result" })

local function refuse(msg, result, text)
  logins:inc(1, { result = result })
  return msg:reject(result, text)
end

local function login(msg)
  local id = msg:from()
  local count = kv.incr("tries:" .. id, 1, minute)
  if not count then -- no room to count: then nobody may guess
    return refuse(msg, "busy", "no login is possible now, try again")
  elseif count > tries then
    return refuse(msg, "too_many", "too many logins, wait a minute")
  elseif not tokens.belongs(id, msg:get("data.token")) then
    log.warn("a login failed", { client = id })
    return refuse(msg, "bad_token", "this token does not belong to this name")
  elseif not kv.set("login:" .. id, true, day) then
    return refuse(msg, "busy", "no login is possible now, try again")
  end
  kv.delete("tries:" .. id)
  logins:inc(1, { result = "ok" })
  msg:reply{ kind = "welcome", name = id }
end

pipeline {
  function(msg)
    if msg:get("data.kind") == "login" then
      return login(msg)
    end
    if not kv.get("login:" .. msg:from()) then
      return msg:reject("login_first", "send your token first")
    end
    local to = msg:get("to")
    if type(to) ~= "string" or to == "" or #to > 128 then
      return msg:reject("bad_recipient", "a message goes to one client: its name in to")
    end
    if not kv.get("login:" .. to) then -- whoever bears that name now has not shown a token
      return msg:reject("offline", "the recipient is not logged in")
    end
  end,
}

-- Each connection logs in anew, also one that takes the place of another.
function on_connect(conn)
  local id = conn:id()
  kv.delete("login:" .. id)
  if not tokens.known(id) then
    return conn:reject("there is no client of this name")
  end
  if not networks.admit(id, conn:address()) then
    log.warn("refused by its address", { client = id, address = conn:address() })
    return conn:reject("not from this address")
  end
end

function on_disconnect(conn)
  kv.delete("login:" .. conn:id())
end

-- No groups, no prefixes: these would reach who has not logged in.
function on_policy(conn, action, kind)
  return action == "send" and kind == "client", "a message goes to one client"
end
