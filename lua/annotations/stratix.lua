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

---Names a service that messages can be posted to with msg:to_upstream, while the
---scripts load: upstream "orders" { url = "https://orders.internal/hook" }. A post
---is a JSON array of messages (from, messageId, data, ts, headers). 2xx means that
---they are taken; its reply may answer their senders, or name some that failed:
---{"replies":[{"from":"a","messageId":"1","data":...,"status":"failed"}]}. A save
---with the same settings goes on with what waits; what waits for an upstream that
---was taken out, or changed, is posted for 30 s more and is then given up. What
---waits is in memory: it is gone when the process ends.
---@param name string 1 to 64 of a-z, 0-9, '_', '-' and '.'
---@return fun(settings: UpstreamSettings) settings
function upstream(name) end

---@class UpstreamSettings
---@field url string Where to post: http:// or https://; certificates are verified, redirects are not followed.
---@field timeout? string For one post with its reply, up to 5m; 5s by default.
---@field batch? integer Messages of one post, up to 1000; 100 by default. A post has at most 1MiB, or one message.
---@field linger? string How long a message waits for others to fill its batch, up to 10s; 5ms by default.
---@field queue? integer Messages that may wait, those being posted included; 10000 by default. Senders of more get upstream_full.
---@field queue_bytes? string|integer Bytes that may wait; 16MiB by default.
---@field retries? integer How often a post is tried again after 5xx, 408, 429, a timeout or a broken connection; 8 by default.
---@field backoff? string The longest pause before the first retry; it doubles with each, and a random part of it is waited; 200ms by default.
---@field max_backoff? string What it doubles up to; 30s by default. A Retry-After may be longer, up to 10m.
---@field breaker? integer After so many failed posts in a row only one at a time is tried, every cooldown; 5 by default, 0 for never.
---@field cooldown? string The pause before each of these; 5s by default.
---@field concurrency? integer Posts at the same time, up to 64; 4 by default. All messages of one sender take the same way, in their order.
---@field secret_env? string The environment variable with the key of the signature; --script-env has to name it.
---@field headers? table<string, string> Further headers of each post.
---@field events? string[] connect and disconnect: clients that come and go are posted too.
---@field dead_letter? string Where messages go that were given up: client:ID, group:NAME or prefix:BEGINNING. Without it they are counted and logged.
---@field allow_link_local? boolean Allows link-local addresses and those of the metadata services of clouds; false by default.

---One message on its way through the pipeline. It can be used until the
---function that it was given to returns.
---
---Without a routing verb (to, to_prefix, to_group, to_sender, to_upstream, reply) a message
---goes where its sender addressed it; the first routing verb replaces that, and
---further ones add. With to_own they all add. Nothing happens before the whole
---pipeline has accepted the message.
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

---Reads a claim of the token that the sender was admitted with: stage.jwt puts
---them there. Dots, array positions and backslashes mean what they mean in
---msg:get: "role", "realm.roles.0", "https://example\\.com/team".
---@param path string
---@return Json? value nil when there is no such claim, or no token
function msg:claim(path) end

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

---Reads what a stage.ratelimit with per = "key" and without a path behind it counts
---the message under, or sets it; "5" and 5 are the same key. A message without one
---passes such a stage.
---@param key? string|number 1 to 128 bytes
---@return string? key nil when no script has set one
function msg:limit_key(key) end

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

---Posts the message to an upstream, beside its other targets. Its sender is told
---that it is queued (in memory); with a receipt also that the upstream has taken
---it, or the error "lost" or "expired". Without room in the queue the error is
---"upstream_full". A name that is written out is checked when the scripts load.
---@param name string of an upstream that the scripts name
function msg:to_upstream(name) end

---Keeps the recipients that the sender has named, as far as on_policy allows
---them: routing verbs before and after it add to them. Without a `to` it does
---nothing.
function msg:to_own() end

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

---Reads a claim of the token that the client was admitted with, as msg:claim
---does. Works in all hooks that get a conn.
---@param path string
---@return Json? value nil when there is no such claim, or no token
function conn:claim(path) end

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

---Marks a table as a JSON array, so that it is one even when it is empty. Arrays
---that msg:get and json.decode return are marked.
---@generic T: table
---@param t? T a new table when left out
---@return T
function stratix.array(t) end

---Reads an environment variable of the gateway that serve, check and test were given
---with --script-env; asking for another one is an error. The gateway never logs
---what it holds; neither should a script.
---@param name string
---@return string? value nil when it is not set
function stratix.env(name) end

---Values under keys, shared by all scripts, shards and generations of the
---gateway; in memory only, gone when it ends. Each call is atomic and acts at
---once: nothing is taken back when the message is dropped later or its script
---fails. Keys are 1 to 256 bytes. Values are strings (64 KiB at the most),
---numbers and booleans; json.encode makes a string of a table. Entries and bytes
---are bounded for all scripts together (--kv-entries, --kv-bytes): when they are
---full, set, add and incr return nil and "full". Nothing is taken out before it
---has expired.
stratix.kv = {}

---How long a value lives.
---@class KvOptions
---@field ttl? string a duration such as "30s", "5m" or "24h"; for ever when left out

---@param key string
---@return (string|number|boolean)? value nil when there is none, or it has expired
function stratix.kv.get(key) end

---Puts a value in place of what is there, and of its ttl.
---@param key string
---@param value string|number|boolean
---@param options? KvOptions
---@return true? done nil when there is no room
---@return "full"? problem
function stratix.kv.set(key, value, options) end

---Puts a value where there is none: of several calls at once one gets true.
---@param key string
---@param value string|number|boolean
---@param options? KvOptions
---@return boolean? added false when something is there already; nil when there is no room
---@return "full"? problem
function stratix.kv.add(key, value, options) end

---Adds to a number. Where there is none it begins at 0, and the ttl counts from
---then on: later calls do not prolong it. What is no number is an error.
---@param key string
---@param n? number 1 when left out; may be negative
---@param options? KvOptions
---@return number? sum nil when there is no room
---@return "full"? problem
function stratix.kv.incr(key, n, options) end

---@param key string
---@return boolean deleted false when there was none
function stratix.kv.delete(key) end

---Compiles a list of words, to be found in a text in one pass however many they
---are. Works while the scripts load only: keep the result in a local outside of
---the functions. At most 50,000 words of 256 bytes, 512 KiB in all. Case is
---ignored for the letters of all scripts, unless case_sensitive is true. With
---whole_word a word counts only where no letter, digit or _ stands directly
---before or behind it.
---@param list string[]
---@param options? { case_sensitive?: boolean, whole_word?: boolean }
---@return Words
function stratix.words(list, options) end

---A compiled list of words.
---@class Words
local words = {}

---Finds the first word; of those that begin there the longest.
---@param text string
---@param init? integer the byte to begin at, from 1
---@return string? word as it stands in the list; nil when there is none
---@return integer? first byte in text, from 1
---@return integer? last byte in text
function words:find(text, init) end

---Replaces each word.
---@param text string
---@param with string|fun(found: string, word: string): string? what replaces it; nil keeps it. word is as it stands in the list
---@return string text
---@return integer count of words that were found
function words:replace(text, with) end

---Compiles a regular expression (RE2: https://golang.org/s/re2syntax), which takes
---a time that grows with the text's length and no faster. Works while the scripts
---load only. At most 2,048 bytes, 32 groups, and 2,000 steps of its program.
---"(?i)" at its beginning ignores case.
---@param pattern string best written in [[ ]], where a backslash stands for itself
---@return Re
function stratix.re(pattern) end

---A compiled regular expression. A text costs an instruction for each byte, and
---more with a long pattern.
---@class Re
local re = {}

---@param text string
---@return boolean found
function re:test(text) end

---Returns the groups of the first match; the whole match if there are no groups.
---@param text string
---@return string? match nil when there is none; "" for a group that took no part
---@return string ...
function re:match(text) end

---Replaces each match.
---@param text string
---@param with string $1 or ${1} is a group, ${name} a named one, $0 the match, $$ a dollar sign; 1,024 bytes at the most
---@return string text
---@return integer count of matches
function re:replace(text, with) end

---Makes a table that finds values by the longest prefix. Works while the scripts
---load only. At most 100,000 prefixes of 256 bytes; "" is a prefix of everything.
---@generic V
---@param table table<string, V>
---@return Prefix
function stratix.prefix(table) end

---A table of prefixes.
---@class Prefix
local prefix = {}

---@param text string such as a ClientID
---@return any value of the longest prefix; nil when there is none
---@return string? prefix
function prefix:find(text) end

---Metrics of the scripts' own, in /metrics under stratix_script_<name>. They are
---declared while the scripts load only, 200 at the most; what the next generation
---declares alike goes on counting, what it does not declare is gone. Names are of
---a-z, 0-9 and _. A metric may have up to 4 labels, whose values are cut after 64
---bytes; it is on the operators' address only, since labels may hold what clients
---sent. All metrics together have at most 1,000 lines: what finds no room for
---another series is not counted, but in stratix_script_series_refused_total.
stratix.metric = {}

---The value of each label that the metric was declared with.
---@alias Labels table<string, string|number|boolean>

---Declares a number that only rises.
---@param name string best ending in _total
---@param help string
---@param labels? string[]
---@return Counter
function stratix.metric.counter(name, help, labels) end

---Declares a number that rises and falls.
---@param name string
---@param help string
---@param labels? string[]
---@return Gauge
function stratix.metric.gauge(name, help, labels) end

---Declares a distribution.
---@param name string best ending in its unit, such as _bytes or _seconds
---@param help string
---@param buckets number[] upper bounds, rising, 30 at the most
---@param labels? string[]
---@return Histogram
function stratix.metric.histogram(name, help, buckets, labels) end

---@class Counter
local counter = {}

---Not while the scripts load.
---@param n? number 1 when left out; not negative
---@param labels? Labels
function counter:inc(n, labels) end

---@class Gauge
local gauge = {}

---@param value number
---@param labels? Labels
function gauge:set(value, labels) end

---Not while the scripts load.
---@param n number may be negative
---@param labels? Labels
function gauge:add(n, labels) end

---@class Histogram
local histogram = {}

---Not while the scripts load.
---@param value number
---@param labels? Labels
function histogram:observe(value, labels) end

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
