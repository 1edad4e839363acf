---@meta testing
-- What the tests of scripts see: the functions test_* of *_test.lua files, which
-- `stratix test` and each save run. Beside t they have all that scripts have but
-- pipeline, stage and hooks, and may require the scripts' modules. Nothing here
-- runs.

---A test: its clients, its clock, its assertions. Each test has a gateway of its
---own, in which time stands still: at noon of 2026-01-01, UTC, to begin with.
---math.random draws the same numbers each time. The first assertion that fails
---ends the test.
---@class Test
local t = {}

---@class TestConnect
---@field reliable? boolean as with stratix.v1: it stays in its groups while it is away; it acknowledges at once what it gets
---@field groups? string|string[] that it is in, whatever the policy says
---@field remote? string its address; "127.0.0.1" without it
---@field claims? table<string, any> what its token says, for msg:claim and conn:claim; none without it

---Connects a client, in place of one with the same ID. on_connect runs, and may
---refuse it: see TestClient.refused. What waits for it comes at once, the most
---urgent first.
---@param id string 1 to 128 bytes
---@param options? TestConnect
---@return TestClient
function t:connect(id, options) end

---The connected client with this ID.
---@param id string
---@return TestClient? client nil when there is none
function t:client(id) end

---What an upstream would have been posted so far, oldest first: messages with
---from, messageId, data, headers and ts, and the events that it asks for, with
---event, from and ts. Nothing is posted in a test: such a message waits for ever
---("upstream:orders" in targets and queued).
---@param name string of an upstream of the scripts; another one is an error
---@return table[] posts
function t:upstream(name) end

---A message as a client sends it. The gateway's own parser reads it, so a field
---that is wrong gets the error that it gets there.
---@class TestMessage
---@field to? string|string[]|table<"prefix"|"group", string> whom the sender names
---@field data? Json
---@field id? string the messageId; without it nothing is acknowledged
---@field headers? table<string, string>
---@field priority? integer 0 to 9
---@field ttl? integer seconds
---@field receipt? boolean
---@field raw? string the whole frame as text, in place of all other fields

---Sends a message of the client `from`, which connects if it has not: t:send{
---from = "a", to = "b", data = { text = "hi" } }.
---@param message TestMessage|{ from: string }
---@return TestResult
function t:send(message) end

---Moves the clock. on_tick runs once a second; what has waited too long expires.
---@param time string|number "31s", "1h30m", "500ms", or seconds; up to 720h
function t:advance(time) end

---Sets the clock. There is no tick in between.
---@param time string in UTC: "2026-03-01 22:30", "2026-03-01 22:30:15" or "2026-03-01"
function t:at(time) end

---The time in milliseconds since 1970.
---@return integer
function t:now() end

---Fills stratix.kv: from now on set, add and incr return nil and "full" for a key
---that has no value, until something is deleted or expires.
function t:fill_kv() end

---Both are equal; tables down to their last field.
---@param got any
---@param want any
---@param note? string
function t:eq(got, want, note) end

---The condition is neither false nor nil.
---@param condition any
---@param note? string
function t:ok(condition, note) end

---The Lua pattern is found in the text.
---@param text string?
---@param pattern string
---@param note? string
function t:match(text, pattern, note) end

---The function fails, with an error that holds the text.
---@param fn fun()
---@param text? string
---@return any error
function t:error(fn, text) end

---Notes values for whoever reads the failure.
---@param ... any
function t:log(...) end

---Ends the test: it counts neither as passed nor as failed.
---@param reason? string
function t:skip(reason) end

---A client of a test.
---@class TestClient
---@field id string
---@field connected boolean
---@field refused string? the reason with which on_connect refused it
---@field reliable boolean
local client = {}

---Sends a message.
---@param message TestMessage
---@return TestResult
function client:send(message) end

---Asks to join groups, as far as on_policy lets it.
---@param groups string|string[]
---@return TestResult
function client:join(groups) end

---Leaves groups.
---@param groups string|string[]
---@return TestResult
function client:leave(groups) end

---Ends the connection; on_disconnect gets the reason "left".
function client:close() end

---The messages that it has got, each as a table: from, messageId, data, headers,
---seq, ts.
---@return table[]
function client:received() end

---The last of them.
---@return table? message nil when there is none
function client:last() end

---All frames that it has got: messages, acknowledgements, errors.
---@return table[]
function client:frames() end

---The groups that it is in.
---@return string[]
function client:groups() end

---What was decided on a message, and what has become of it. A field is read when
---it is asked for: `status` of a message that waits is another one after
---t:advance or t:connect.
---@class TestResult
---@field verdict "done"|"drop"|"hold" done: accepted; drop: refused, by a stage or after the pipeline
---@field stage string? the stage that ended the pipeline, such as "main.lua:5" or "prefix"
---@field code string? what the sender is told when it is refused or reaches nobody: "dropped", "no_route", "offline" ...
---@field reason string? the text to it
---@field retry_after integer? milliseconds after which the sender may try again, as it is told
---@field problem string? what failed in a script, with file and line
---@field steps string[] the stages with their verdicts: "main.lua:5 next"
---@field text string all of it in one line
---@field instructions integer of the Lua functions of the pipeline
---@field targets string[] "client:b", "prefix:desk-", "group:ops", "sender"
---@field replies Json[]
---@field joins string[]
---@field leaves string[]
---@field data Json? as the pipeline left it; nil when it was refused
---@field headers table<string, string>?
---@field priority integer
---@field ttl integer seconds; 0 means the gateway's default
---@field storage ("none"|"memory"|"disk")? where the stages have it kept
---@field overflow ("reject"|"drop_oldest"|"conflate"|"disconnect")?
---@field key string? of "conflate"
---@field status ("delivered"|"queued"|"expired"|"lost"|"offline"|"refused")? nil when it was not accepted
---@field stored ("memory"|"disk")? as the sender is told
---@field delivered string[] the clients that have got it by now
---@field queued string[] those that it waits for
---@field repeated boolean a recipient was given this messageId before
---@field answers table[] the acknowledgement or error that its sender got, and a second one with receipt = true
