-- The route script. Every message of every client runs through this pipeline;
-- save the file and the next message is routed the new way, on the same
-- connections. A save that does not load changes nothing: the log says why.
--
-- Try it: in the function below, uncomment the last line and save.

pipeline {
  -- A Lua stage. Call a verb or do nothing.
  function(msg)
    if msg:size() > 32768 then
      return msg:drop("larger than 32 KiB")
    end
    if msg:get("data.urgent") then
      msg:priority(9)
    end
    -- if msg:get("data.all") then msg:to_prefix("client-") end -- everyone whose ClientID begins with client-
  end,

  -- A built-in stage. A message that names its own `to` goes there; the others
  -- go where routes.json sends the sender's ClientID prefix.
  stage.prefix { file = "routes.json" },

  -- What is accepted is on the disk before its sender is told "disk", and waits
  -- for recipients that are not connected. Take both out, and a message reaches
  -- those who are there, or nobody.
  stage.disk { sync = "commit" },
  stage.ring { messages = 1000000, bytes = "512MiB" },
}

-- Who may send to whom, and join what? Without on_policy everything is allowed:
-- any client may send to any other and join any group. To decide, uncomment:
--
-- function on_policy(conn, action, kind, name)
--   -- action is "send" or "join"; kind is "client", "prefix" or "group".
--   if kind == "prefix" then return false, "prefix sends are for scripts only" end
--   return true
-- end

-- Optional hooks: on_connect(conn), on_disconnect(conn, reason), on_tick(now).
function on_connect(conn)
  log.debug("connected", { client = conn:id() })
end
