local function alert(t, level, from, text)
  return t:send{ from = from or "sensor-7", data = { level = level, text = text or "smoke" } }
end

function test_the_level_decides_who_gets_it(t)
  for _, id in ipairs{ "phone-1", "desk-1", "board-1", "ann" } do
    t:connect(id)
  end
  t:eq(alert(t, "critical").delivered, { "phone-1", "desk-1", "board-1" })
  t:eq(alert(t, "warning").delivered, { "desk-1", "board-1" })
  t:eq(alert(t, "info").delivered, { "board-1" })
  t:eq(t:client("ann"):received(), {})
end

function test_what_is_critical_overtakes(t)
  local desk = t:connect("desk-1", { reliable = true })
  desk:close()
  alert(t, "warning", nil, "warm")
  alert(t, "critical", nil, "fire")
  local texts = {}
  for i, m in ipairs(t:connect("desk-1", { reliable = true }):received()) do
    texts[i] = m.data.text
  end
  t:eq(texts, { "fire", "warm" })
end

function test_of_infos_only_the_latest_waits_and_not_for_long(t)
  t:connect("board-1", { reliable = true }):close()
  alert(t, "info", "sensor-7", "20 C")
  alert(t, "info", "sensor-7", "21 C")
  alert(t, "info", "sensor-8", "5 C")
  t:advance("59s")
  local board = t:connect("board-1", { reliable = true })
  t:eq(#board:received(), 2)
  t:eq(board:received()[1].data.text, "21 C")
  board:close()
  alert(t, "info")
  t:advance("61s")
  t:eq(#t:connect("board-1", { reliable = true }):received(), 0)
end

function test_how_it_is_kept(t)
  local r = alert(t, "critical")
  t:eq({ r.priority, r.ttl, r.storage }, { 9, 86400, "disk" })
  r = alert(t, "info")
  t:eq({ r.priority, r.ttl, r.storage, r.overflow, r.key }, { 1, 60, "memory", "conflate", "sensor-7" })
end

function test_a_source_that_goes_mad_is_slowed_down(t)
  for _ = 1, 10 do
    t:eq(alert(t, "warning").verdict, "done")
  end
  t:eq(alert(t, "warning").code, "too_many")
  t:eq(alert(t, "warning", "sensor-8").verdict, "done", "another source")
  t:eq(alert(t, "critical").verdict, "done", "what is critical always passes")
  t:advance("61s")
  t:eq(alert(t, "warning").verdict, "done")
end

function test_without_room_for_counters_alerts_pass(t)
  t:fill_kv()
  t:eq(alert(t, "warning").verdict, "done")
end

function test_what_is_no_alert_is_refused(t)
  t:eq(alert(t, "loud").code, "bad_level")
  t:eq(alert(t, 9).code, "bad_level")
  t:eq(alert(t, nil).code, "bad_level")
  t:eq(alert(t, "info", nil, 5).code, "bad_text")
  t:eq(alert(t, "info", "ann").code, "no_source")
  t:eq(t:connect("ann"):join("oncall").code, "forbidden")
end
