local function typing(t, to, from)
  return t:send{ from = from or "ann", to = to, data = { kind = "typing" } }
end

function test_it_is_sent_and_not_kept(t)
  local bob = t:connect("bob")
  local r = typing(t, "bob")
  t:eq({ r.delivered, r.storage }, { { "bob" }, "none" })
  t:eq(bob:last().data, { kind = "typing" })

  bob:close()
  t:advance("4s")
  t:eq(typing(t, "bob").status, "offline")
  t:eq(#t:connect("bob"):received(), 0)
end

function test_every_three_seconds_is_enough(t)
  local bob = t:connect("bob")
  for _ = 1, 10 do
    typing(t, "bob")
    t:advance("1s")
  end
  t:eq(#bob:received(), 4)
  local r = typing(t, "bob")
  t:eq({ r.code, r.reason }, { "dropped", "typing: sent already" })
end

function test_another_recipient_hears_of_it_at_once(t)
  local bob, eve = t:connect("bob"), t:connect("eve")
  typing(t, "bob")
  typing(t, "eve")
  t:eq({ #bob:received(), #eve:received() }, { 1, 1 })
  t:eq(typing(t, "bob", "eve").verdict, "done", "another sender")
end

function test_rooms_hear_of_it_too(t)
  local ann, bob = t:connect("ann"), t:connect("bob")
  ann:join("room:1")
  bob:join("room:1")
  t:eq(typing(t, { group = "room:1" }).delivered, { "ann", "bob" })
  t:eq(typing(t, { group = "room:1" }).code, "dropped")
  t:eq(typing(t, { group = "staff" }).code, "forbidden")
  t:eq(typing(t, { prefix = "b" }).code, "forbidden")
  t:eq(bob:join("staff").code, "forbidden")
end

function test_messages_are_kept_as_ever(t)
  local r = t:send{ from = "ann", to = "bob", id = "m1", data = { text = "hello" } }
  t:eq({ r.status, r.stored }, { "queued", "disk" })
  t:eq(t:connect("bob"):last().data.text, "hello")
end

function test_what_is_not_for_anybody_is_refused(t)
  t:eq(typing(t, nil).code, "bad_typing")
  t:eq(t:send{ from = "ann", to = "bob", data = { kind = "typing", draft = ("x"):rep(600) } }.code, "bad_typing")
  t:eq(typing(t, 7).code, "bad_message")
end

function test_without_room_to_remember_nothing_is_sent(t)
  t:connect("bob")
  t:fill_kv()
  t:eq(typing(t, "bob").reason, "typing: not now")
  t:eq(t:send{ from = "ann", to = "bob", data = { text = "hello" } }.verdict, "done")
end
