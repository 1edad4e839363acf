-- From where clients of some names connect; all others may from anywhere. An
-- address is compared by its beginning. Behind a proxy it is the proxy's.
local networks = {}

local only = stratix.prefix {
  ["ops-"] = { "127.0.0.1", "::1", "10.0.0." },
}

---Whether a client of this name may connect from there.
---@param id string
---@param address string
---@return boolean
function networks.admit(id, address)
  local allowed = only:find(id)
  if not allowed then
    return true
  end
  for _, beginning in ipairs(allowed) do
    if address:sub(1, #beginning) == beginning then
      return true
    end
  end
  return false
end

return networks
