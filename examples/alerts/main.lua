-- Alerts fan out by their level: a critical one wakes whoever is on call and
-- overtakes everything, an info is for the boards and soon forgotten.

local levels = require "lib.levels"

local kv = stratix.kv
local minute = { ttl = "1m" }

-- Which clients raise alerts, and which groups the others are in.
local sources = stratix.prefix { ["sensor-"] = true, ["job-"] = true }
local groups = stratix.prefix { ["phone-"] = "oncall", ["desk-"] = "desks", ["board-"] = "boards" }

local alerts = stratix.metric.counter("alerts_total", "Alerts by level and what came of them.", { "level", "result" })

local function alert(msg)
  if not sources:find(msg:from()) then
    return msg:reject("no_source", "alerts come from sensors and jobs")
  end
  local name = msg:get("data.level")
  local level = type(name) == "string" and levels[name]
  if not level then
    return msg:reject("bad_level", "data.level must be critical, warning or info")
  end
  if type(msg:get("data.text")) ~= "string" then
    return msg:reject("bad_text", "data.text must be a text")
  end
  -- A source that goes mad must not bury the others. Critical ones are not counted.
  if level.limit then
    local count = kv.incr("alerts:" .. name .. ":" .. msg:from(), 1, minute)
    if count and count > level.limit then
      alerts:inc(1, { level = name, result = "too_many" })
      return msg:reject("too_many", "more than " .. level.limit .. " alerts of this level in a minute")
    end
  end
  msg:priority(level.priority)
  msg:ttl(level.ttl)
  msg:store(level.store)
  if level.latest then
    msg:overflow("conflate", msg:from())
  end
  for _, group in ipairs(level.groups) do
    msg:to_group(group)
  end
  alerts:inc(1, { level = name, result = "sent" })
end

pipeline {
  alert,
  stage.disk { sync = "commit" },
  stage.ring { client_messages = 10000, overflow = "drop_oldest" },
}

function on_connect(conn)
  local group = groups:find(conn:id())
  if group then
    conn:join(group)
  end
end

-- Who gets what is decided above.
function on_policy()
  return false, "groups are given by the name of a client"
end
