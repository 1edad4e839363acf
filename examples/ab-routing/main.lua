-- A share of the clients is served by another version of a service: always the
-- same clients, without a list of them.

local experiment = require "lib.experiment"

local searches = stratix.metric.counter("searches_total", "Searches by variant.", { "variant" })

pipeline {
  function(msg)
    if msg:get("data.kind") ~= "search" then
      return -- everything else goes where its sender says
    end
    local id = msg:from()
    local variant = experiment.variant(id)
    if id:sub(1, 3) == "qa-" then -- testers choose
      local wish = msg:header("variant")
      if wish == "a" or wish == "b" then
        variant = wish
      end
    end
    searches:inc(1, { variant = variant })
    -- In place of all headers: a client may have sent so many that no other fits.
    msg:set("headers", { variant = variant, experiment = experiment.name })
    msg:to(experiment[variant])
  end,

  -- A search that nobody takes within half a minute is worth nothing any more.
  stage.ring { ttl = "30s" },
}

-- Clients reach the services through the pipeline only; the services answer.
function on_policy(conn, action, kind, name)
  local id = conn:id()
  if id == experiment.a or id == experiment.b then
    return action == "send" and kind == "client", "a service answers one client"
  end
  return action == "send" and kind == "client" and name ~= experiment.a and name ~= experiment.b, "send a search, or to a client"
end
