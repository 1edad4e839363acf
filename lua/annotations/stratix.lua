---@meta stratix
-- What scripts of Stratix Gateway see beside Lua's own functions, for editors
-- with the Lua language server. Nothing here runs.

---A value that has a JSON form. Use stratix.null for null.
---@alias Json string|number|boolean|table|Null

---What JSON's null is in Lua; nil means absent.
---@class Null

---A Go stage of the pipeline, as stage.<name>{...} returns it.
---@class Stage

---Defines the pipeline: every message passes these functions and stages in
---their order. main.lua calls it once.
---@param items (Stage|fun(msg: Message))[]
function pipeline(items) end

---The Go stages by name; annotations/stages.lua has their settings.
---@type Stages
stage = {}

---One message on its way through the pipeline. It can be used until the
---function that it was given to returns.
---
---Without a routing verb (to, to_prefix, to_group, to_sender, reply) a message
---goes where its sender addressed it; the first routing verb replaces that, and
---further ones add. Nothing happens before the whole pipeline has accepted the
---message.
---@class Message
local msg = {}

---The messageId that the sender chose.
---@return string? id nil when it chose none
function msg:id() end

---The ClientID of the sender.
---@return string
function msg:from() end

---The length of the sender's frame.
---@return integer bytes
function msg:size() end

---The number of the generation that handles the message.
---@return integer
function msg:generation() end

---Reads a part of the message: data, headers, to, messageId, from, priority or
---ttl. Dots lead into objects and arrays: "data.items.0.name" (arrays are
---counted from 0), "data.items.#" (the length). A backslash takes the next
---character as it is: "data.a\\.b". An integer that a Lua number cannot hold
---exactly comes as a string of its digits.
---@param path string
---@return Json? value nil when nothing is there, stratix.null for null
function msg:get(path) end

---Reads one header.
---@param name string taken as it is: dots and backslashes mean nothing
---@return string? value nil when there is none
function msg:header(name) end

---Puts a value at a path in data or headers; everything else keeps its bytes.
---Objects that are missing on the way are made. An array takes a position up to
---its length, which appends. Headers are strings.
---@param path string
---@param value Json
function msg:set(path, value) end

---Removes what is at a path in data or headers, if anything is.
---@param path string
function msg:del(path) end

---Reads the priority, or sets it when n is given.
---@param n? integer 0 (the default of messages) to 9 (the most urgent)
---@return integer? priority
function msg:priority(n) end

---Reads how long the message may wait for its recipient, or sets it.
---@param seconds? integer 0 means the gateway's default
---@return integer? seconds
function msg:ttl(seconds) end

---Reads the most that stages keep of the message, or sets it: nowhere, in
---memory (stage.ring), or on disk (stage.disk), which includes memory. It keeps
---nothing by itself; a stage that acted already is held to it, too.
---@param most? "none"|"memory"|"disk"
---@return ("none"|"memory"|"disk")? most nil when no script has chosen
function msg:store(most) end

---Reads what happens to the message when there is no room to keep it for a
---recipient, or sets it: it is refused, the oldest that wait make room, one that
---waits under the same key makes room (always, not only without room), or it is
---refused and the recipient's connection is closed. What a script says goes
---before the setting of stage.ring.
---@param policy? "reject"|"drop_oldest"|"conflate"|"disconnect"
---@param key? string|number with "conflate" only: what the message is the latest state of, 1 to 128 bytes
---@return ("reject"|"drop_oldest"|"conflate"|"disconnect")? policy nil when nobody has chosen
function msg:overflow(policy, key) end

---Sends the message to one client or to each of a list.
---@param id string|string[] ClientIDs
function msg:to(id) end

---Sends the message to every connected client whose ClientID begins so.
---@param prefix string
function msg:to_prefix(prefix) end

---Sends the message to the members of a group.
---@param group string
function msg:to_group(group) end

---Sends the message back to its sender.
function msg:to_sender() end

---Answers the sender with a message of its own.
---@param value Json
function msg:reply(value) end

---Makes the sender a member of a group.
---@param group string
function msg:join(group) end

---Takes the sender out of a group.
---@param group string
function msg:leave(group) end

---Ends the pipeline: the message is filtered out, and the sender gets an error
---with the code "dropped" and the reason. What the function does after it has
---no effect.
---@param reason? string
function msg:drop(reason) end

---Ends the pipeline: the sender gets an error with this code and text. What the
---function does after it has no effect.
---@param code string of a-z, 0-9 and _
---@param text string
function msg:reject(code, text) end

---A connected client. It can be used until the hook that it was given to
---returns.
---@class Conn
local conn = {}

---The client's ClientID.
---@return string
function conn:id() end

---The address that the client connected from, without its port.
---@return string
function conn:address() end

---Makes the client a member of a group. Works in on_connect only.
---@param group string
function conn:join(group) end

---Takes back a join. Works in on_connect only.
---@param group string
function conn:leave(group) end

---Closes the connection with code 4403 and this reason. Works in on_connect only.
---@param reason? string
function conn:reject(reason) end

---Optional. Called before a client's first message.
---@param conn Conn
function on_connect(conn) end

---Optional. Called when a client that was not refused has gone.
---@param conn Conn
---@param reason string
function on_disconnect(conn, reason) end

---Optional. Called about once a second, on one shard.
---@param now integer milliseconds since 1970
function on_tick(now) end

---Optional. Decides what clients may do on their own: send to a target that
---they named, or join a group. What the pipeline does is not asked about.
---@param conn Conn
---@param action "send"|"join"
---@param kind "client"|"prefix"|"group"
---@param name string
---@return boolean? allowed only true allows
---@return string? reason for the client
function on_policy(conn, action, kind, name) end

---The gateway and this script's place in it.
stratix = {}

---What JSON's null is in Lua.
---@type Null
stratix.null = nil

---The number of the generation that the script belongs to.
---@type integer
stratix.generation = 0

---The number of the shard that the script runs on, from 0.
---@type integer
stratix.shard = 0

---The time in milliseconds since 1970.
---@return integer
function stratix.now() end

---Marks a table as a JSON array, so that it is one even when it is empty.
---@generic T: table
---@param t? T a new table when left out
---@return T
function stratix.array(t) end

---The gateway's log. Each line names the script, its line and its generation.
log = {}

---@param text string
---@param fields? table<string, any>
function log.debug(text, fields) end

---@param text string
---@param fields? table<string, any>
function log.info(text, fields) end

---@param text string
---@param fields? table<string, any>
function log.warn(text, fields) end

---@param text string
---@param fields? table<string, any>
function log.error(text, fields) end

---JSON text.
json = {}

---@param value Json
---@return string text
function json.encode(value) end

---Reads JSON text as msg:get reads a message.
---@param text string
---@return Json? value nil when text is no JSON
---@return string? problem
function json.decode(text) end
