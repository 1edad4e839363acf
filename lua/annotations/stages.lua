---@meta stages
-- The Go stages and their settings. Generated from the plugins.

---The Go stages by name.
---@class Stages
---@field disk fun(settings?: stage.disk): Stage Keeps messages in the log on disk until their recipients have them.
---@field jwt fun(settings?: stage.jwt): Stage Lets clients in by their token (JWT), under the ClientID that it is for; scripts read its claims.
---@field prefix fun(settings?: stage.prefix): Stage Routes a message by the prefix of its sender's ClientID; the longest prefix wins.
---@field ring fun(settings?: stage.ring): Stage Keeps messages in memory until their recipients have them, and bounds what the gateway keeps.

---@class stage.disk
---@field sync? string When the log is forced to the disk: commit (the default) does it before anybody is told, interval every so often, os leaves it to the system.
---@field interval? string The time between two syncs, with sync = interval only; 1s by default.
---@field segment? string|integer The size of one file of the log, 1MiB to 1GiB; 64MiB by default.
---@field retain_bytes? string|integer How much of the log is kept though nothing in it waits; 1GiB by default.
---@field retain_age? string For how long that is kept; 1h by default.

---@class stage.jwt
---@field key? string The key itself: the shared secret of HS256, HS384 and HS512, or a public key in PEM.
---@field key_file? string The file of the key: a secret, PEM, or a JWK set; in the scripts folder, or an absolute path. It is read again when it changes.
---@field jwks? string The https URL of the issuer's key set.
---@field algorithms string[] The algorithms that tokens may be signed with, such as RS256 or EdDSA; nothing is guessed.
---@field issuer? string What the claim iss must be; not looked at by default.
---@field audience? any What the claim aud must hold: a string, or a list of which one is enough; not looked at by default.
---@field leeway? string How far the clocks of the issuer and the gateway may be apart; 30s by default.
---@field client? string The claim that must be the ClientID; sub by default.
---@field client_pattern? string What the ClientID must look like, in place of client: {sub} stands for that claim, * at the end for one or more characters.
---@field required? boolean Refuses clients without a token; true by default.

---@class stage.prefix
---@field file? string The routes file, in the scripts folder: a JSON object from prefix to target.
---@field routes? table The routes themselves, from prefix to target, in place of a file.
---@field override? boolean Routes every message, also one that names a target or was routed by a stage before.
---@field cache? integer How many senders each shard remembers the route of; 0 means 4096.

---@class stage.ring
---@field messages? integer How many messages the gateway keeps, counted once a recipient; 1000000 by default.
---@field bytes? string|integer How much memory they take; 512MiB by default.
---@field client_messages? integer How many messages are kept for one client; 100000 by default.
---@field client_bytes? string|integer How many bytes are kept for one client, in memory or on disk; 64MiB by default.
---@field sender_messages? integer How many messages of one sender are kept, on each of the gateway's event loops; 250000 by default.
---@field ttl? string How long a message without a ttl of its own waits, in whole seconds, at most 720h; 24h by default.
---@field overflow? string What happens without room: reject (the default), drop_oldest, conflate or disconnect.
---@field key? string The path of what a payload is the latest state of, such as data.symbol; with overflow = conflate only.
