-- The tests of main.lua: bin/stratix test, or bin/stratix test --watch while you
-- edit. What a test can do is in lua/annotations/testing.lua.

function test_a_message_goes_back_to_its_sender(t)
  local r = t:send{ from = "client-1", id = "m1", data = "Hello World" }
  t:eq(r.targets, { "sender" })
  t:eq(r.delivered, { "client-1" })
  t:eq(r.stored, "disk")
end

function test_a_message_waits_for_who_is_not_there(t)
  local r = t:send{ from = "client-1", to = "client-2", id = "m1", data = "Hello you" }
  t:eq(r.status, "queued")

  local b = t:connect("client-2")
  t:eq(b:last().data, "Hello you")
  t:eq(r.status, "delivered")
end

function test_a_large_message_is_dropped(t)
  local r = t:send{ from = "client-1", data = ("x"):rep(40000) }
  t:eq(r.code, "dropped")
  t:match(r.reason, "32 KiB")
end

function test_what_is_urgent_overtakes(t)
  t:send{ from = "client-1", to = "client-2", data = { text = "later" } }
  t:send{ from = "client-1", to = "client-2", data = { text = "now", urgent = true } }
  local b = t:connect("client-2")
  t:eq(b:received()[1].data.text, "now")
  t:eq(b:received()[2].data.text, "later")
end
