-- What nobody takes goes to the operators, with the reason: messages without a
-- recipient, to clients that nobody knows, and to those that are not here.

local kv = stratix.kv
local day, month, minute = { ttl = "24h" }, { ttl = "720h" }, { ttl = "1m" }
local ops = "ops"
local most = 60 -- dead letters a minute, for each sender

local dead = stratix.metric.counter("dead_letters_total", "Messages that went to the operators, by the reason.", { "reason" })
local lost = stratix.metric.counter("dead_letters_refused_total", "Those that were refused in place, since their sender had too many.")

local function here(id)
  return kv.get("here:" .. id) ~= nil
end

-- Each client is noted when it comes, and when it sends: so are those that were
-- connected before this script went live.
local function note(id)
  kv.set("here:" .. id, true, day)
  kv.set("known:" .. id, true, month)
end

-- Sends the message to the operators in place of whom it was for.
local function bury(msg, reason, whom)
  local count = kv.incr("dead:" .. msg:from(), 1, minute)
  if count and count > most then
    lost:inc()
    return msg:reject("undeliverable", reason)
  end
  dead:inc(1, { reason = reason })
  -- In place of all headers: a client may have sent so many that no other fits.
  msg:set("headers", { dead_reason = reason, dead_to = whom or "" })
  msg:priority(0)
  msg:ttl(7 * 24 * 3600)
  msg:to(ops)
  msg:reply{ kind = "undeliverable", reason = reason, message = msg:id() or stratix.null }
end

pipeline {
  function(msg)
    local from, to = msg:from(), msg:get("to")
    if not here(from) then
      note(from)
    end
    if to == nil then
      return bury(msg, "no_recipient")
    end
    if type(to) ~= "string" or to == "" or #to > 128 or to == ops then
      return -- groups, prefixes and lists: the acknowledgement counts who got it
    end
    if here(to) then
      return
    end
    -- For a week what is for a client that was here waits in its mailbox; what is for
    -- a name that nobody has borne for a month is for the operators.
    if not kv.get("known:" .. to) then
      return bury(msg, "unknown_recipient", to)
    end
    if msg:get("data.now") == true then
      return bury(msg, "recipient_away", to)
    end
  end,

  stage.disk { sync = "commit" },
  stage.ring { ttl = "168h" },
}

function on_connect(conn)
  note(conn:id())
end

function on_disconnect(conn, reason)
  if reason ~= "replaced" then
    kv.delete("here:" .. conn:id())
  end
end

function on_policy(conn, action, kind, name)
  if conn:id() == ops then
    return true
  end
  if action == "join" or kind == "group" then
    return name:sub(1, 5) == "room:", "rooms begin with room:"
  end
  return kind == "client", "send to a client or a room"
end
