-- Rooms are groups. Everybody starts in the lobby; other rooms are joined and
-- left with the frames that the protocol has for that. Who may be in a room is
-- written in lib/rooms.lua, and only they may post in it.

local rooms = require "lib.rooms"

pipeline {
  function(msg)
    local to = msg:get("to")
    if to then
      return -- a private message; on_policy looks at it
    end
    local room = msg:get("data.room") or rooms.lobby
    if type(room) ~= "string" or not rooms.admits(room, msg:from()) then
      return msg:reject("not_a_member", "you cannot post in this room")
    end
    if type(msg:get("data.text")) ~= "string" then
      return msg:reject("no_text", "data.text must be a string")
    end
    msg:set("data.room", room)
    msg:to_group(room)
  end,
}

function on_connect(conn)
  if conn:id():find("%s") then
    return conn:reject("a name has no spaces here")
  end
  conn:join(rooms.lobby)
end

-- What clients may do without the pipeline: join rooms that admit them, and
-- write to one other client. Rooms are posted in with data.room only.
function on_policy(conn, action, kind, name)
  if action == "join" then
    return rooms.admits(name, conn:id()), "this room is for its members"
  end
  return kind == "client", "private messages go to one client"
end
