---@meta stages
-- The Go stages and their settings. Generated from the plugins.

---The Go stages by name.
---@class Stages
---@field prefix fun(settings?: stage.prefix): Stage Routes a message by the prefix of its sender's ClientID; the longest prefix wins.

---@class stage.prefix
---@field file? string The routes file, in the scripts folder: a JSON object from prefix to target.
---@field routes? table The routes themselves, from prefix to target, in place of a file.
---@field override? boolean Routes every message, also one that names a target or was routed by a stage before.
---@field cache? integer How many senders each shard remembers the route of; 0 means 4096.
