local function send(t, to, data, headers)
  return t:send{ from = "ann", to = to, id = "m1", data = data or { text = "hello" }, headers = headers }
end

function test_a_message_goes_to_its_recipient_and_the_auditors(t)
  local bob, auditor = t:connect("bob"), t:connect("audit-1")
  local r = send(t, "bob")
  t:eq(r.targets, { "client:bob", "group:auditors" })
  t:eq(r.delivered, { "bob", "audit-1" })
  t:eq(auditor:last().from, "ann")
  t:eq(auditor:last().headers, { audit_to = '"bob"', audit_removed = "0" })
  t:eq(bob:last().data, auditor:last().data)
end

function test_an_auditor_that_is_away_gets_it_later(t)
  t:connect("audit-1", { reliable = true }):close()
  t:connect("bob")
  t:eq(send(t, "bob").queued, { "audit-1" })
  t:advance("1h")
  t:eq(t:connect("audit-1", { reliable = true }):last().data.text, "hello")
end

function test_secrets_reach_nobody(t)
  local bob = t:connect("bob")
  send(t, "bob", {
    text = "my card is 4111 1111 1111 1111, thanks", price = 4111, password = "hunter2",
    user = { name = "ann", password = "hunter2" }, card = { number = 4111111111111111 },
  }, { authorization = "Bearer abc" })
  t:eq(bob:last().data, { text = "my card is [number], thanks", price = 4111, user = { name = "ann" } })
  t:eq(bob:last().headers.audit_removed, "4")
  t:eq(bob:last().headers.authorization, nil)
end

function test_the_policy_holds_as_ever(t)
  t:eq(send(t, { prefix = "" }).code, "bad_message")
  t:eq(send(t, { prefix = "b" }).code, "forbidden")
  t:eq(send(t, { group = "auditors" }).code, "forbidden")
  t:eq(t:connect("ann"):join("auditors").code, "forbidden")
  t:eq(t:send{ from = "audit-1", to = "ann", data = 1 }.reason, "auditors only listen")
  t:eq(send(t, { group = "room:1" }).targets, { "group:room:1", "group:auditors" })
end

function test_lists_are_audited_up_to_a_size(t)
  t:eq(send(t, { "bob", "eve" }).headers.audit_to, '["bob","eve"]')
  local many = {}
  for n = 1, 200 do
    many[n] = "client-" .. n
  end
  t:eq(send(t, many).code, "too_many")
  t:eq(send(t, nil).code, "no_route")
end

function test_the_largest_message_is_searched(t)
  local r = send(t, "bob", { text = ("1 "):rep(8000), note = ("4 x "):rep(4000) })
  t:eq({ r.verdict, r.data.text, r.problem }, { "done", "[number] ", nil })
  t:eq(send(t, "bob", { text = ("x"):rep(33000) }).code, "too_big")
end

function test_any_data_is_audited(t)
  for _, data in ipairs{ "text", 7, true, stratix.null, { 1, 2 }, { text = 7, user = "ann" } } do
    t:eq(send(t, "bob", data).verdict, "done")
  end
  t:eq(t:send{ from = "ann", to = "bob" }.problem, nil)
end
