-- Requests to services, and their answers: each answer goes to whoever asked, once,
-- from the service that was asked, and in time.

local kv = stratix.kv

-- For how long a service may take.
local seconds = 30
local life = { ttl = seconds .. "s" }
local open_most = 100 -- requests of one client in that time

local requests = stratix.metric.counter("requests_total", "Requests and answers by what came of them.", { "result" })

local function refuse(msg, code, text)
  requests:inc(1, { result = code })
  return msg:reject(code, text)
end

-- A messageId that fits into a key beside a ClientID; keys have 256 bytes.
local function usable(id)
  return type(id) == "string" and id ~= "" and #id <= 100
end

local function request(msg)
  local id, service = msg:id(), msg:get("data.service")
  if type(service) ~= "string" or not service:find("^[a-z0-9-]+$") or #service > 32 then
    return refuse(msg, "bad_service", "data.service names a service, such as prices")
  end
  if not usable(id) then
    return refuse(msg, "no_id", "a request needs a messageId of at most 100 bytes, which its answer names")
  end
  local open = kv.incr("open:" .. msg:from(), 1, life)
  if open and open > open_most then
    return refuse(msg, "too_many", "more than " .. open_most .. " requests in " .. seconds .. " s")
  end
  service = "svc-" .. service
  local key = "request:" .. msg:from() .. ":" .. id
  local first, full = kv.add(key, service, life)
  if full then
    return refuse(msg, "busy", "no request is possible now, try again")
  elseif not first and kv.get(key) ~= service then
    return refuse(msg, "id_in_use", "another request has this messageId")
  end
  msg:ttl(seconds)
  -- In place of all headers: a client may have sent so many that no other fits.
  msg:set("headers", { deadline = ("%.0f"):format(stratix.now() + seconds * 1000) })
  msg:to(service)
  requests:inc(1, { result = "asked" })
end

local function reply(msg)
  local to, id = msg:get("data.client"), msg:get("data.request")
  if type(to) ~= "string" or to == "" or #to > 128 or not usable(id) then
    return refuse(msg, "bad_reply", "data.client and data.request say what is answered")
  end
  local key = "request:" .. to .. ":" .. id
  local asked = kv.get(key)
  if asked ~= msg:from() then
    return refuse(msg, "too_late", "nobody waits for this answer")
  end
  if not kv.delete(key) then -- another answer was quicker by a moment
    return refuse(msg, "too_late", "nobody waits for this answer")
  end
  msg:set("headers", { correlation = id })
  msg:to(to)
  requests:inc(1, { result = "answered" })
end

pipeline {
  function(msg)
    local kind = msg:get("data.kind")
    if kind == "request" then
      return request(msg)
    elseif kind == "reply" then
      return reply(msg)
    end
    return msg:reject("bad_kind", "data.kind is request or reply")
  end,
}

-- Services bear names that begin with svc-. Everything goes through the pipeline.
function on_policy()
  return false, "send requests and replies"
end
