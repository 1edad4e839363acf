-- Each message goes where its sender says, and to the auditors. Secrets are taken
-- out before, for everybody: a message has one content.

local secrets = require "lib.secrets"

local auditors = "auditors"
local largest = 32768 -- bytes of a message: all of its texts are searched
local longest = 1024 -- bytes of the names of its recipients

local audited = stratix.metric.counter("audited_total", "Messages that went to the auditors.")
local removed = stratix.metric.counter("secrets_removed_total", "Secrets that were taken out of messages.")

pipeline {
  function(msg)
    local to = msg:get("to")
    if to == nil then
      return -- the gateway refuses it: it goes nowhere
    end
    if msg:size() > largest then
      return msg:reject("too_big", "a message has at most " .. largest .. " bytes here")
    end
    local count = secrets.remove(msg)
    if count > 0 then
      removed:inc(count)
    end
    -- What recipients see of a message does not say who the others are; the auditors
    -- want to know. All other headers end here: they may hold anything.
    local whom = json.encode(to)
    if #whom > longest then
      return msg:reject("too_many", "a message names fewer recipients here")
    end
    msg:set("headers", { audit_to = whom, audit_removed = tostring(count) })
    msg:to_own() -- as far as on_policy allows it
    msg:to_group(auditors)
    audited:inc()
  end,

  stage.disk { sync = "commit" },
  stage.ring { ttl = "24h" },
}

function on_connect(conn)
  if conn:id():sub(1, 6) == "audit-" then
    conn:join(auditors)
  end
end

-- Auditors listen; all others write to clients and rooms, never to the auditors.
function on_policy(conn, action, kind, name)
  if conn:id():sub(1, 6) == "audit-" then
    return false, "auditors only listen"
  end
  if action == "join" or kind == "group" then
    return name:sub(1, 5) == "room:", "rooms begin with room:"
  end
  return kind == "client", "send to a client or a room"
end
