function test_messages_go_where_the_prefix_of_their_sender_says(t)
  local function targets(from)
    return t:send{ from = from, data = 1 }.targets
  end
  t:eq(targets("sensor-7"), { "client:collector" })
  t:eq(targets("sensor-fire-2"), { "client:collector", "group:desks" })
  t:eq(targets("desk-1"), { "prefix:desk-" })
  t:eq(targets("visitor"), { "client:operator" })
end

function test_an_alarm_reaches_every_desk(t)
  t:connect("collector")
  t:connect("desk-1")
  t:connect("desk-2")
  t:eq(t:send{ from = "sensor-fire-2", data = "smoke" }.delivered, { "collector", "desk-1", "desk-2" })
end

function test_sensors_choose_no_recipients(t)
  t:eq(t:send{ from = "sensor-7", to = "desk-1", data = "psst" }.reason, "sensors only report")
  t:eq(t:send{ from = "operator", to = "desk-1", data = "hello" }.targets, { "client:desk-1" })
end
