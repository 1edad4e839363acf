-- At night phones are left alone: what is for them goes to the digest, a program
-- that sends one summary in the morning. What is urgent passes.

local hours = require "lib.hours"

local kv = stratix.kv
local hour = { ttl = "1h" }
local urgent_most = 3 -- an hour, for each sender
local digest = "digest"

local kept_quiet = stratix.metric.counter("kept_quiet_total", "Messages that went to the digest in place of a phone.")

-- Whether a message is urgent, and its sender has not cried wolf.
local function urgent(msg)
  if msg:get("data.urgent") ~= true then
    return false
  end
  local count = kv.incr("urgent:" .. msg:from(), 1, hour)
  return not count or count <= urgent_most -- without room for counters it is believed
end

-- A list that names a quiet phone.
local function any_quiet(list, now)
  for _, id in ipairs(list) do
    if type(id) == "string" and hours.quiet(id, now) then
      return id
    end
  end
end

pipeline {
  function(msg)
    local to, now = msg:get("to"), stratix.now()
    if type(to) == "table" then -- a list, a group or a prefix
      local id = any_quiet(to, now)
      if id then
        return msg:reject("quiet", "one of the recipients is quiet now: send to each by itself")
      end
      return
    end
    if type(to) ~= "string" or #to > 128 then
      return -- the gateway says what is wrong
    end
    local till = hours.quiet(to, now)
    if not till then
      return
    end
    if urgent(msg) then
      msg:priority(9)
      return
    end
    if msg:from() == digest then
      return msg:reject("quiet", "quiet until " .. till)
    end
    kept_quiet:inc()
    -- In place of all headers: a client may have sent so many that no other fits.
    msg:set("headers", { quiet_for = to, quiet_until = till })
    msg:priority(0)
    msg:to(digest)
  end,

  stage.disk { sync = "commit" },
  stage.ring { ttl = "24h" },
}

-- Groups and prefixes would wake everybody: they are for the operators.
function on_policy(conn, action, kind)
  if conn:id():sub(1, 4) == "ops-" then
    return true
  end
  return action == "send" and kind == "client", "send to a client"
end
