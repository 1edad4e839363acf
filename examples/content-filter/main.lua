-- What is posted on the wall is checked, cleaned and then sent to everybody.

local words = require "lib.words"

local longest = 280 -- bytes of a text

-- Checks: whoever sends what is not allowed is told why.
local function check(msg)
  local text = msg:get("data.text")
  if type(text) ~= "string" then
    return msg:reject("no_text", "data.text must be a string")
  end
  if #text > longest then
    return msg:reject("too_long", "a text has at most " .. longest .. " bytes")
  end
  if text:lower():find("https?://") then
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
    msg:set("headers.masked", tostring(hits))
  end
  msg:del("data.password") -- some forms send everything that they have
end

local function publish(msg)
  msg:to_group("wall")
end

pipeline { check, clean, publish }

function on_connect(conn)
  conn:join("wall")
end
