-- Who may do what stands in the token: stage.jwt lets clients in by it, and only
-- under the name that it is for. Here jobs go from dispatchers to their team.

local list = require "list"

local denied = stratix.metric.counter("denied_total", "Messages refused for what the token says.", { "code" })

-- Both msg and conn have claims. The issuer decides on their form, so nothing is
-- taken for granted.
local function has(who, role)
  local roles = who:claim("roles")
  return type(roles) == "table" and list.contains(roles, role)
end

local function team_of(who)
  local team = who:claim("team")
  return type(team) == "string" and team:find("^[a-z0-9-]+$") and #team <= 32 and team or nil
end

local function refuse(msg, code, text)
  denied:inc(1, { code = code })
  return msg:reject(code, text)
end

pipeline {
  stage.jwt { key = stratix.env("ROLES_SECRET"), algorithms = { "HS256" }, audience = "jobs" },
  function(msg)
    local kind, team = msg:get("data.kind"), team_of(msg)
    if not team then
      return refuse(msg, "no_team", "the token names no team")
    elseif kind == "job" and has(msg, "dispatcher") then
      return msg:to_group("team:" .. team)
    elseif kind == "job" then
      return refuse(msg, "forbidden", "only dispatchers give jobs")
    elseif kind == "report" then
      return msg:to_group("dispatch:" .. team)
    end
    return msg:reject("bad_kind", "data.kind is job or report")
  end,
}

-- The groups are those of the token, and nobody joins another one.
function on_connect(conn)
  local team = team_of(conn)
  if team then
    conn:join((has(conn, "dispatcher") and "dispatch:" or "team:") .. team)
  end
end

function on_policy()
  return false, "who gets a message is decided by your token"
end
