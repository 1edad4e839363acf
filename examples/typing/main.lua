-- "ann is typing": sent to whom it concerns, now or never, and at most every three
-- seconds, however fast somebody types.

local kv = stratix.kv
local pause = { ttl = "3s" }
local longest = 512 -- bytes of a frame that says no more than that

local throttled = stratix.metric.counter("typing_throttled_total", "Typing indicators that came too soon after another one.")

pipeline {
  function(msg)
    if msg:get("data.kind") ~= "typing" then
      return -- everything else goes where its sender says, and is kept
    end
    local to = msg:get("to")
    if to == nil or msg:size() > longest then
      return msg:reject("bad_typing", "a typing indicator names a recipient, and has at most " .. longest .. " bytes")
    end
    -- Whom the last one was for. All messages of a client run on one shard, one
    -- after the other: nothing comes between get and set.
    local key, target = "typing:" .. msg:from(), json.encode(to)
    if kv.get(key) == target then
      throttled:inc()
      return msg:drop("typing: sent already")
    end
    if not kv.set(key, target, pause) then
      return msg:drop("typing: not now") -- no room to remember it: it can be missed
    end
    msg:store("none")
    msg:priority(0)
  end,

  stage.disk { sync = "commit" },
  stage.ring { ttl = "24h" },
}

-- To a client, or into a room. Who may be in a room is yours to say here.
function on_policy(_, action, kind, name)
  if action == "join" or kind == "group" then
    return name:sub(1, 5) == "room:", "rooms begin with room:"
  end
  return kind == "client", "send to a client or a room"
end
