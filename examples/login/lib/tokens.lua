-- The clients and their tokens: a JSON object in the environment, so that they
-- are neither in the scripts nor in what the gateway keeps of them.
local tokens = {}

local byName = json.decode(stratix.env("LOGIN_TOKENS") or "{}")
assert(type(byName) == "table", "LOGIN_TOKENS is no JSON object")
for name, token in pairs(byName) do
  assert(type(name) == "string" and type(token) == "string" and #token >= 16,
    "LOGIN_TOKENS maps names to tokens of 16 bytes and more")
end

---Whether there is a client of this name.
---@param name string
---@return boolean
function tokens.known(name)
  return byName[name] ~= nil
end

---Whether the token is the one of this name.
---@param name string
---@param token any as a client sent it
---@return boolean
function tokens.belongs(name, token)
  return type(token) == "string" and byName[name] == token
end

return tokens
