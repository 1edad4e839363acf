-- What is posted on the wall is checked, cleaned and then sent to everybody.

local words = require "lib.words"

local longest = 280 -- bytes of a text
local link = stratix.re [[(?i)\b(?:https?://|www\.)]]
local posts = stratix.metric.counter("posts_total", "Posts by what came of them.", { "result" })

-- Checks: whoever sends what is not allowed is told why.
local function check(msg)
  local text = msg:get("data.text")
  if type(text) ~= "string" then
    posts:inc(1, { result = "no_text" })
    return msg:reject("no_text", "data.text must be a string")
  end
  if #text > longest then
    posts:inc(1, { result = "too_long" })
    return msg:reject("too_long", "a text has at most " .. longest .. " bytes")
  end
  if link:test(text) then
    posts:inc(1, { result = "link" })
    return msg:drop("links are not posted here")
  end
end

-- Transforms: data is edited in place, and its other fields pass byte for byte.
local function clean(msg)
  local text = msg:get("data.text")
  local masked, hits = words.mask(text:match("^%s*(.-)%s*$"))
  if masked ~= text then
    msg:set("data.text", masked)
  end
  if hits > 0 then
    -- In place of all headers: a client may have sent so many that no other fits.
    msg:set("headers", { masked = tostring(hits) })
  end
  msg:del("data.password") -- some forms send everything that they have
  posts:inc(1, { result = hits > 0 and "masked" or "clean" })
end

local function publish(msg)
  msg:to_group("wall")
end

pipeline { check, clean, publish }

function on_connect(conn)
  conn:join("wall")
end

-- Everybody is on the wall, and in no other group.
function on_policy()
  return false, "there is the wall only"
end
