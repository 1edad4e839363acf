---@meta stages
-- The Go stages and their settings. Generated from the plugins.

---The Go stages by name.
---@class Stages
---@field disk fun(settings?: stage.disk): Stage Keeps messages in the log on disk until their recipients have them.
---@field prefix fun(settings?: stage.prefix): Stage Routes a message by the prefix of its sender's ClientID; the longest prefix wins.
---@field ratelimit fun(settings?: stage.ratelimit): Stage Bounds the rate of messages by client, address, prefix or key, and that of connections by address.
---@field ring fun(settings?: stage.ring): Stage Keeps messages in memory until their recipients have them, and bounds what the gateway keeps.

---@class stage.disk
---@field sync? string When the log is forced to the disk: commit (the default) does it before anybody is told, interval every so often, os leaves it to the system.
---@field interval? string The time between two syncs, with sync = interval only; 1s by default.
---@field segment? string|integer The size of one file of the log, 1MiB to 1GiB; 64MiB by default.
---@field retain_bytes? string|integer How much of the log is kept though nothing in it waits; 1GiB by default.
---@field retain_age? string For how long that is kept; 1h by default.

---@class stage.prefix
---@field file? string The routes file, in the scripts folder: a JSON object from prefix to target.
---@field routes? table The routes themselves, from prefix to target, in place of a file.
---@field override? boolean Routes every message, also one that names a target or was routed by a stage before.
---@field cache? integer How many senders each shard remembers the route of; 0 means 4096.

---@class stage.ratelimit
---@field name? string What the buckets are kept under from one save to the next, and the label in metrics; by default what per says, or the key.
---@field rate? number Messages a second, 0.001 to 100000.
---@field burst? integer How many messages may come at once, 1 to 1000000; as many as in a second by default.
---@field per? string Who has a bucket: client (the default), address (IPv6: its /64), prefix, or key.
---@field prefix? any With per = prefix: the prefix, or a list of them, whose clients share a bucket; the longest wins, and others pass.
---@field prefix_length? integer With per = prefix: clients whose IDs begin with the same so many bytes share a bucket.
---@field key? string With per = key: the path of the key, such as data.room; without it the key is what a script says with msg:limit_key.
---@field over? string What happens to a message without a token: reject (the default), delay, or disconnect.
---@field max_delay? string With over = delay: how long a message waits for its token at the most, up to 30s; 2s by default.
---@field max_delayed? integer With over = delay: how many messages wait at the same time; 10000 by default.
---@field max_delayed_bytes? string|integer With over = delay: how many bytes they have; 64MiB by default.
---@field connect_rate? number Connections a second from one address (IPv6: its /64), 0.001 to 100000; more are refused with 429.
---@field connect_burst? integer How many connections may come at once, 1 to 1000000; as many as in a second by default.
---@field max_buckets? integer How many buckets there are at the most, 1000 to 1000000; 100000 by default.

---@class stage.ring
---@field messages? integer How many messages the gateway keeps, counted once a recipient; 1000000 by default.
---@field bytes? string|integer How much memory they take; 512MiB by default.
---@field client_messages? integer How many messages are kept for one client; 100000 by default.
---@field client_bytes? string|integer How many bytes are kept for one client, in memory or on disk; 64MiB by default.
---@field sender_messages? integer How many messages of one sender are kept, on each of the gateway's event loops; 250000 by default.
---@field ttl? string How long a message without a ttl of its own waits, in whole seconds, at most 720h; 24h by default.
---@field overflow? string What happens without room: reject (the default), drop_oldest, conflate or disconnect.
---@field key? string The path of what a payload is the latest state of, such as data.symbol; with overflow = conflate only.
