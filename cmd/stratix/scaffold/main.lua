-- Every message of every client runs through this pipeline, from top to bottom.
-- Save the file, and the next message takes the new way, on the same
-- connections. A save that does not load, or fails its tests, changes nothing.

pipeline {
  -- A function of your own: call a verb of msg, or do nothing.
  function(msg)
    local kind = msg:get("data.kind")
    if kind ~= nil and type(kind) ~= "string" then
      return msg:reject("bad_kind", "data.kind is a text") -- the sender is told
    end
    if kind == "typing" then
      msg:store("none") -- worth nothing later: it does not wait
    elseif kind == "alarm" then
      msg:priority(9) -- overtakes what waits
    end
  end,

  -- Who names no recipient: routes.json knows one by the sender's ClientID prefix.
  stage.prefix { file = "routes.json" },

  -- Told "disk" means on the disk, and it waits for who is away, for a day.
  stage.disk { sync = "commit" },
  stage.ring { messages = 1000000, bytes = "512MiB", ttl = "24h" },
}

-- What clients may do by themselves. What the pipeline does is not asked about.
---@param conn Conn
function on_policy(conn, action, kind, name)
  if action == "join" then
    return name:sub(1, 5) == "room:", "groups to join begin with room:"
  end
  -- One other client, or a room; not all at once by a prefix.
  return kind ~= "prefix", "a message goes to a client or to a room"
end
