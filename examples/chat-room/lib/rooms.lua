-- The rooms and who may be in them.
local list = require "list"

local rooms = { lobby = "room:lobby" }

-- true: everybody. A list: these clients.
local members = {
  ["room:lobby"] = true,
  ["room:staff"] = { "alice", "bob" },
}

--- Whether the room exists and the client may be in it.
function rooms.admits(room, client)
  local who = members[room]
  return who == true or who ~= nil and list.contains(who, client)
end

return rooms
