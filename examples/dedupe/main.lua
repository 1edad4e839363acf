-- An order that comes twice is delivered once, also when it comes under another
-- messageId: from a form that was clicked twice, or from another tab.

local kv = stratix.kv
local window = { ttl = "10m" }
local desk = "order-desk"

local again = stratix.metric.counter("orders_again_total", "Orders that came again under another messageId.")
local unchecked = stratix.metric.counter("orders_unchecked_total", "Orders that passed without a check, for want of room in stratix.kv.")

local function check(msg)
  if msg:from() == desk then
    return -- it answers
  end
  local order = msg:get("data.order")
  if type(order) ~= "string" or order == "" or #order > 64 then
    return msg:reject("bad_order", "data.order must be a text of 1 to 64 bytes")
  end
  if not msg:id() then
    return msg:reject("no_id", "an order needs a messageId, under which it can be sent again")
  end
  msg:to(desk)
end

-- The last function: what is noted here is not taken back when another one
-- refuses the message. It notes the messageId, since a client that heard nothing
-- sends the same message again, and must not be told that this was a second one.
local function once(msg)
  if msg:from() == desk then
    return
  end
  local id, key = msg:id(), "order:" .. msg:from() .. ":" .. msg:get("data.order")
  local first, full = kv.add(key, id, window)
  if first then
    return
  end
  if full then
    unchecked:inc() -- twice is better than never
    return
  end
  local before = kv.get(key)
  if before == id or before == nil then
    return -- the gateway knows what has become of it; or the ten minutes have just ended
  end
  again:inc()
  return msg:reject("duplicate", "this order came already, in the message " .. before)
end

pipeline {
  check,
  once,
  stage.disk { sync = "commit" },
  stage.ring { ttl = "24h" },
}

-- Clients order, and the desk may answer anybody.
function on_policy(conn, action, kind)
  return action == "send" and kind == "client" and conn:id() == desk, "clients send orders to the desk only"
end
