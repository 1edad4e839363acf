local function send(t, to, data)
  return t:send{ from = "ann", id = "m1", to = to, data = data or { text = "hello" } }
end

function test_what_reaches_somebody_is_left_alone(t)
  t:connect("bob")
  local r = send(t, "bob")
  t:eq({ r.delivered, r.headers, r.replies }, { { "bob" }, nil, {} })
end

function test_what_is_for_nobody_goes_to_the_operators(t)
  local ops, ann = t:connect("ops"), t:connect("ann")
  t:eq(send(t, "bbo").delivered, { "ops" })
  t:eq(ops:last().from, "ann")
  t:eq(ops:last().data, { text = "hello" })
  t:eq(ops:last().headers, { dead_reason = "unknown_recipient", dead_to = "bbo" })
  t:eq(ann:last().data, { kind = "undeliverable", reason = "unknown_recipient", message = "m1" })

  t:eq(t:send{ from = "ann", id = "m2", data = 1 }.delivered, { "ops" })
  t:eq(ops:last().headers, { dead_reason = "no_recipient", dead_to = "" })
end

function test_it_waits_for_the_operators(t)
  send(t, "bbo")
  t:advance("24h")
  t:eq(t:connect("ops"):last().headers.dead_to, "bbo")
end

function test_who_was_here_has_a_mailbox(t)
  t:connect("bob"):close()
  t:eq(send(t, "bob").queued, { "bob" })
  t:advance("1h")
  t:eq(t:connect("bob"):last().data.text, "hello")
end

function test_what_is_for_now_or_never_does_not_wait(t)
  local bob = t:connect("bob")
  t:eq(send(t, "bob", { now = true }).delivered, { "bob" })
  bob:close()
  local r = send(t, "bob", { now = true })
  t:eq({ r.targets, r.headers.dead_reason }, { { "client:ops" }, "recipient_away" })
end

function test_a_second_connection_takes_nobody_away(t)
  t:connect("bob")
  t:connect("bob")
  t:eq(send(t, "bob", { now = true }).delivered, { "bob" })
end

function test_after_a_month_nobody_is_known(t)
  t:connect("bob"):close()
  t:advance("720h")
  t:eq(send(t, "bob").headers.dead_reason, "unknown_recipient")
end

function test_a_sender_fills_the_operators_mailbox_only_so_far(t)
  for _ = 1, 60 do
    t:eq(send(t, "bbo").targets, { "client:ops" })
  end
  local r = send(t, "bbo")
  t:eq({ r.code, r.reason }, { "undeliverable", "unknown_recipient" })
  t:advance("61s")
  t:eq(send(t, "bbo").targets, { "client:ops" })
end

function test_rooms_and_lists_are_the_gateways_business(t)
  t:eq(send(t, { group = "room:1" }).code, "offline")
  t:eq(send(t, { "bob", "eve" }).targets, { "client:bob", "client:eve" })
  t:eq(send(t, { prefix = "b" }).code, "forbidden")
  t:eq(send(t, ("x"):rep(200)).code, "bad_message")
  t:eq(send(t, "ops").targets, { "client:ops" })
  t:eq(t:send{ from = "ops", to = { prefix = "a" }, data = 1 }.problem, nil)
end

function test_without_room_nobody_is_known_and_nothing_is_lost(t)
  t:fill_kv()
  t:connect("bob")
  t:eq(send(t, "bob").targets, { "client:ops" })
end
