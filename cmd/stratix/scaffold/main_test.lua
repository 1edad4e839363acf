-- Run with `stratix test`, and by each save before it goes live. A test has a
-- gateway of its own, with made-up clients and a clock that it moves.

---@param t Test
function test_a_message_waits_for_who_is_away(t)
  local sent = t:send{ from = "ann", to = "bob", id = "m1", data = { text = "hello" } }
  t:eq(sent.status, "queued")
  t:eq(sent.stored, "disk")

  t:advance("1h")
  local bob = t:connect("bob")
  t:eq(bob:last().data.text, "hello")
  t:eq(sent.status, "delivered")
end

---@param t Test
function test_who_names_no_recipient_is_routed_by_prefix(t)
  t:eq(t:send{ from = "client-1", data = "hello" }.targets, { "sender" })
  t:eq(t:send{ from = "desk-1", data = "hello" }.targets, { "group:room:desks" })
  t:eq(t:send{ from = "nobody", data = "hello" }.code, "no_route")
  t:eq(t:send{ from = "ann", to = { prefix = "desk-" }, data = "hello" }.code, "forbidden")
end
