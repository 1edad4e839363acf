-- When phones are quiet, by the prefix of their ClientID. The times are local:
-- utc is what the local time is ahead of UTC, in minutes. It is a fixed offset:
-- change it with the clocks in spring and autumn, a save is enough.
local hours = {}

local zones = stratix.prefix {
  ["phone-"] = { utc = 60, from = "22:00", to = "07:00" },
  ["phone-us-"] = { utc = -300, from = "21:30", to = "08:00" },
  ["phone-in-"] = { utc = 330, from = "22:00", to = "07:00" },
  ["phone-oncall-"] = false, -- never
}

-- The time of day as HH:MM: two of them compare as texts.
local function clock(zone, now)
  return os.date("!%H:%M", math.floor(now / 1000) + zone.utc * 60)
end

---Until when a client is quiet.
---@param id string
---@param now integer milliseconds since 1970
---@return string? until its local time of day; nil when it is not quiet
function hours.quiet(id, now)
  local zone = zones:find(id)
  if not zone then
    return nil
  end
  local at = clock(zone, now)
  local quiet
  if zone.from <= zone.to then
    quiet = zone.from <= at and at < zone.to
  else -- over midnight
    quiet = zone.from <= at or at < zone.to
  end
  return quiet and zone.to or nil
end

return hours
