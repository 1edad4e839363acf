-- What nobody should find in an audit, and so in no message: passwords and the
-- like by their places, and in texts rows of 12 digits and more, as cards and
-- accounts have them.
local secrets = {}

local places = {
  "data.password", "data.pin", "data.token", "data.card",
  "data.user.password", "data.login.password", "data.payment.card",
}
local texts = { "data.text", "data.note", "data.subject" }
local number = stratix.re [[\d[\d -]{10,}\d]] -- a short program: it costs an instruction a byte

---Takes secrets out of a message.
---@param msg Message
---@return integer count of what was taken out
function secrets.remove(msg)
  local count = 0
  for _, place in ipairs(places) do
    if msg:get(place) ~= nil then
      msg:del(place)
      count = count + 1
    end
  end
  for _, place in ipairs(texts) do
    local text = msg:get(place)
    if type(text) == "string" then
      local clean, found = number:replace(text, "[number]")
      if found > 0 then
        msg:set(place, clean)
        count = count + found
      end
    end
  end
  return count
end

return secrets
