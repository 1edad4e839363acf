-- What an alert of each level means: who gets it, how urgent it is, for how long
-- it waits (seconds), and how much of it is kept. With `latest` a newer alert of
-- the same source replaces one that still waits.
return {
  critical = { groups = { "oncall", "desks", "boards" }, priority = 9, ttl = 24 * 3600, store = "disk" },
  warning = { groups = { "desks", "boards" }, priority = 5, ttl = 3600, store = "memory", limit = 10 },
  info = { groups = { "boards" }, priority = 1, ttl = 60, store = "memory", latest = true, limit = 60 },
}
