local function order(t, id, number)
  return t:send{ from = "ann", id = id, data = { order = number, amount = 3 } }
end

function test_an_order_goes_to_the_desk(t)
  local desk = t:connect("order-desk")
  t:eq(order(t, "m1", "2026-17").delivered, { "order-desk" })
  t:eq(desk:last().data, { order = "2026-17", amount = 3 })
end

function test_it_waits_for_the_desk_on_disk(t)
  local r = order(t, "m1", "2026-17")
  t:eq({ r.status, r.stored }, { "queued", "disk" })
  t:eq(#t:connect("order-desk"):received(), 1)
end

function test_the_same_order_again_is_refused_and_says_where_it_was(t)
  order(t, "m1", "2026-17")
  local r = order(t, "m2", "2026-17")
  t:eq({ r.code, r.reason }, { "duplicate", "this order came already, in the message m1" })
  t:eq(order(t, "m3", "2026-18").verdict, "done", "another order")
  t:eq(t:send{ from = "bob", id = "m1", data = { order = "2026-17" } }.verdict, "done", "another client")
  t:eq(#t:connect("order-desk"):received(), 3)
end

function test_the_same_message_again_is_answered(t)
  order(t, "m1", "2026-17")
  local r = order(t, "m1", "2026-17")
  t:eq({ r.verdict, r.repeated }, { "done", true })
  t:eq(#t:connect("order-desk"):received(), 1)
end

function test_after_ten_minutes_it_is_another_order(t)
  order(t, "m1", "2026-17")
  t:advance("9m59s")
  t:eq(order(t, "m2", "2026-17").code, "duplicate")
  t:advance("2s")
  t:eq(order(t, "m3", "2026-17").verdict, "done")
end

function test_without_room_orders_pass_unchecked(t)
  t:fill_kv()
  t:eq(order(t, "m1", "2026-17").verdict, "done")
  t:eq(order(t, "m2", "2026-17").verdict, "done")
end

function test_what_is_no_order_is_refused(t)
  t:eq(order(t, "m1", nil).code, "bad_order")
  t:eq(order(t, "m1", 17).code, "bad_order")
  t:eq(order(t, "m1", "").code, "bad_order")
  t:eq(order(t, "m1", ("7"):rep(65)).code, "bad_order")
  t:eq(order(t, nil, "2026-17").code, "no_id")
  t:eq(t:send{ from = "ann", to = "bob", id = "m1", data = "no order" }.code, "bad_order")
end

function test_the_desk_answers(t)
  local ann = t:connect("ann")
  t:eq(t:send{ from = "order-desk", to = "ann", data = "it is on its way" }.delivered, { "ann" })
  t:eq(ann:last().data, "it is on its way")
  t:eq(t:send{ from = "order-desk", to = { group = "all" }, data = 1 }.code, "forbidden")
  t:eq(ann:join("all").code, "forbidden")
end
