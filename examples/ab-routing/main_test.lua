local experiment = require "lib.experiment"

-- A client that gets the variant.
local function client_of(variant)
  local n = 1
  while experiment.variant("client-" .. n) ~= variant do
    n = n + 1
  end
  return "client-" .. n
end

local function search(t, from, headers)
  return t:send{ from = from, data = { kind = "search", text = "chairs" }, headers = headers }
end

function test_a_client_is_always_served_by_the_same_variant(t)
  local service, tester = t:connect("search-b"), client_of("b")
  for _ = 1, 3 do
    t:eq(search(t, tester).targets, { "client:search-b" })
  end
  t:eq(service:last().headers, { variant = "b", experiment = experiment.name })
  t:eq(search(t, client_of("a")).targets, { "client:search-a" })
end

function test_the_share_is_met(t)
  local b, all = 0, 10000
  for n = 1, all do
    b = b + (experiment.variant("client-" .. n) == "b" and 1 or 0)
  end
  local want = all * experiment.share / 100
  t:ok(math.abs(b - want) <= all / 100, b .. " of " .. all .. " clients get b")
end

function test_testers_choose(t)
  t:eq(search(t, "qa-1", { variant = "b" }).targets, { "client:search-b" })
  t:eq(search(t, "qa-1", { variant = "a" }).targets, { "client:search-a" })
  t:eq(search(t, "qa-1", { variant = "c" }).headers.variant, experiment.variant("qa-1"))
  local id = client_of("a")
  t:eq(search(t, id, { variant = "b" }).targets, { "client:search-a" }, "others do not")
end

function test_a_search_waits_for_half_a_minute(t)
  local id = client_of("a")
  search(t, id)
  t:advance("31s")
  t:eq(t:connect("search-a"):received(), {})
  local r = search(t, id)
  t:eq(r.status, "delivered")
end

function test_services_are_reached_by_searches_only(t)
  t:eq(t:send{ from = "ann", to = "search-b", data = "hello" }.code, "forbidden")
  t:eq(t:send{ from = "ann", to = "bob", data = "hello" }.targets, { "client:bob" })
  t:eq(t:send{ from = "ann", to = { prefix = "search" }, data = "hello" }.code, "forbidden")
  t:eq(t:send{ from = "search-b", to = "ann", data = "found" }.targets, { "client:ann" })
  t:eq(t:connect("ann"):join("x").code, "forbidden")
  t:eq(t:send{ from = "ann", data = { kind = 7 } }.code, "no_route")
end
