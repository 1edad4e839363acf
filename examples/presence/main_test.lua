local function watch(t, from, ...)
  return t:send{ from = from, id = "w", data = { kind = "watch", who = { ... } } }
end

local function status(client, word)
  return client:send{ id = "s", data = { kind = "status", status = word } }
end

function test_who_watches_is_told_what_is_known(t)
  t:connect("ann")
  local r = watch(t, "bob", "ann", "eve")
  t:eq(r.replies[1].clients, { { id = "ann", status = "online" }, { id = "eve", status = "offline" } })
  t:eq(r.joins, { "watch:ann", "watch:eve" })
end

function test_and_hears_of_each_status_afterwards(t)
  local ann, bob = t:connect("ann"), t:connect("bob")
  watch(t, "bob", "ann")
  t:eq(status(ann, "away").delivered, { "ann", "bob" })
  t:eq(bob:last().data, { kind = "status", status = "away" })
  t:eq(bob:last().from, "ann")

  bob:send{ data = { kind = "unwatch", who = { "ann" } } }
  t:eq(bob:groups(), {})
  t:eq(status(ann, "busy").delivered, { "ann" })
  t:eq(watch(t, "eve", "ann").replies[1].clients[1].status, "busy")
end

function test_who_has_gone_is_offline_since_then(t)
  local ann = t:connect("ann")
  ann:close()
  local gone = t:now()
  t:advance("5m")
  t:eq(watch(t, "bob", "ann").replies[1].clients[1], { id = "ann", status = "offline", seen = gone })
  t:advance("168h")
  t:eq(watch(t, "bob", "ann").replies[1].clients[1], { id = "ann", status = "offline" })
  t:connect("ann")
  t:eq(watch(t, "bob", "ann").replies[1].clients[1].status, "online")
end

function test_another_connection_of_the_same_client_keeps_it_here(t)
  t:connect("ann")
  t:connect("ann")
  t:eq(watch(t, "bob", "ann").replies[1].clients[1].status, "online")
end

function test_a_day_of_silence_is_as_good_as_away(t)
  local ann = t:connect("ann")
  t:advance("24h1s")
  t:eq(watch(t, "bob", "ann").replies[1].clients[1].status, "offline")
  ann:send{ to = "bob", data = "still here" }
  t:eq(watch(t, "bob", "ann").replies[1].clients[1].status, "online")
end

function test_what_makes_no_sense_is_refused(t)
  local ann = t:connect("ann")
  t:eq(status(ann, "happy").code, "bad_status")
  t:eq(status(ann, 7).code, "bad_status")
  t:eq(watch(t, "ann").code, "bad_who")
  t:eq(watch(t, "ann", 7).code, "bad_who")
  t:eq(watch(t, "ann", "bob", "a b").reason, "data.who[1] is no ClientID that can be watched")
  t:eq(ann:send{ data = { kind = "watch", who = "bob" } }.code, "bad_who")
  local many = {}
  for n = 1, 51 do
    many[n] = "client-" .. n
  end
  t:eq(ann:send{ data = { kind = "watch", who = many } }.code, "bad_who")
  t:eq(ann:groups(), {})
  many[51] = nil
  t:eq(#ann:send{ data = { kind = "watch", who = many } }.replies[1].clients, 50)
end

function test_any_name_may_announce(t)
  local long = t:connect(("ä b"):rep(32))
  t:eq(status(long, "away").delivered, { long.id })
end

function test_watchers_are_not_written_to(t)
  local eve = t:connect("eve")
  t:eq(eve:join("watch:ann").code, "forbidden")
  t:eq(eve:join("room:1").verdict, "done")
  t:eq(eve:send{ to = { group = "watch:ann" }, data = { kind = "fake" } }.code, "forbidden")
end

function test_without_room_a_status_is_still_announced(t)
  local ann, bob = t:connect("ann"), t:connect("bob")
  watch(t, "bob", "ann")
  t:fill_kv()
  t:eq(status(ann, "away").delivered, { "ann", "bob" })
  t:eq(bob:last().data.status, "away")
  t:connect("eve")
  t:eq(watch(t, "bob", "eve").replies[1].clients[1].status, "offline", "nothing is known of eve")
end
