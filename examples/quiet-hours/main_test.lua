local hours = require "lib.hours"

local function send(t, to, data)
  return t:send{ from = "ann", to = to, data = data or { text = "hello" } }
end

function test_by_day_messages_go_to_the_phone(t)
  t:at("2026-01-15 12:00")
  t:eq(send(t, "phone-1").targets, { "client:phone-1" })
end

function test_by_night_they_go_to_the_digest(t)
  t:at("2026-01-15 21:00") -- 22:00 where the phone is
  local digest = t:connect("digest")
  local phone = t:connect("phone-1")
  local r = t:send{ from = "ann", to = "phone-1", data = { text = "hello" }, headers = { a = "b" }, priority = 9 }
  t:eq(r.delivered, { "digest" })
  t:eq(r.priority, 0)
  t:eq(digest:last().data, { text = "hello" })
  t:eq(digest:last().headers, { quiet_for = "phone-1", quiet_until = "07:00" })
  t:eq(phone:received(), {})
end

function test_the_night_has_a_first_and_a_last_minute(t)
  local function quiet(time, id)
    t:at(time)
    return hours.quiet(id or "phone-1", t:now())
  end
  t:eq(quiet("2026-01-15 20:59:59"), nil)
  t:eq(quiet("2026-01-15 21:00:00"), "07:00")
  t:eq(quiet("2026-01-16 05:59:59"), "07:00")
  t:eq(quiet("2026-01-16 06:00:00"), nil)
  -- Other places.
  t:eq(quiet("2026-01-16 02:29", "phone-us-1"), nil)
  t:eq(quiet("2026-01-16 02:30", "phone-us-1"), "08:00")
  t:eq(quiet("2026-01-16 16:29", "phone-in-1"), nil)
  t:eq(quiet("2026-01-16 16:30", "phone-in-1"), "07:00")
  t:eq(quiet("2026-01-16 23:00", "phone-oncall-1"), nil)
  t:eq(quiet("2026-01-16 23:00", "desk-1"), nil)
end

function test_what_is_urgent_passes_a_few_times(t)
  t:at("2026-01-15 23:00")
  for _ = 1, 3 do
    local r = send(t, "phone-1", { urgent = true })
    t:eq({ r.targets, r.priority }, { { "client:phone-1" }, 9 })
  end
  t:eq(send(t, "phone-1", { urgent = true }).targets, { "client:digest" })
  t:eq(send(t, "phone-1", { urgent = "very" }).targets, { "client:digest" })
  t:advance("1h1s")
  t:eq(send(t, "phone-1", { urgent = true }).targets, { "client:phone-1" })
end

function test_without_room_for_counters_urgent_is_believed(t)
  t:at("2026-01-15 23:00")
  t:fill_kv()
  t:eq(send(t, "phone-1", { urgent = true }).targets, { "client:phone-1" })
end

function test_lists_name_no_quiet_phone(t)
  t:at("2026-01-15 23:00")
  t:eq(send(t, { "desk-1", "phone-1" }).code, "quiet")
  t:eq(send(t, { "desk-1", "phone-oncall-1" }).targets, { "client:desk-1", "client:phone-oncall-1" })
  t:eq(send(t, { group = "phones" }).code, "forbidden")
  t:eq(send(t, { 7 }).code, "bad_message")
  t:eq(send(t, ("x"):rep(200)).code, "bad_message")
  t:eq(send(t, nil).code, "no_route")
end

function test_the_digest_waits_for_the_morning_too(t)
  t:at("2026-01-15 23:00")
  t:eq(t:send{ from = "digest", to = "phone-1", data = 1 }.reason, "quiet until 07:00")
  t:at("2026-01-16 06:00")
  t:eq(t:send{ from = "digest", to = "phone-1", data = 1 }.targets, { "client:phone-1" })
end
