-- The experiment. A save changes the share on a running gateway; who was in b
-- with a smaller share stays there with a larger one. 0 ends it.
local experiment = {
  name = "search-2026-11", -- another name deals the clients anew
  share = 10, -- percent of the clients that b gets
  a = "search-a",
  b = "search-b",
}
assert(experiment.share >= 0 and experiment.share <= 100, "share is a percentage")
assert(#experiment.name >= 8, "a short name stirs the ClientIDs too little")

local prime = 4294967291

-- A stable number from 0 to 9,999 for a client: the same on all shards, in all
-- generations and gateways. The name of the experiment comes last, and stirs each
-- byte of the ClientID. It keeps nothing secret.
local function bucket(id)
  local text, hash = id .. ":" .. experiment.name, 0
  for i = 1, #text do
    hash = (hash * 65599 + text:byte(i)) % prime
  end
  return math.floor(hash / prime * 10000)
end

---Which variant a client gets.
---@param id string
---@return "a"|"b"
function experiment.variant(id)
  return bucket(id) < experiment.share * 100 and "b" or "a"
end

return experiment
