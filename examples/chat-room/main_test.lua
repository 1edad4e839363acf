function test_everybody_starts_in_the_lobby(t)
  local alice, bob = t:connect("alice"), t:connect("bob")
  local r = alice:send{ data = { text = "Good morning!" } }
  t:eq(r.delivered, { "alice", "bob" })
  t:eq(bob:last().data, { text = "Good morning!", room = "room:lobby" })
end

function test_a_room_admits_its_members_only(t)
  local alice, mallory = t:connect("alice"), t:connect("mallory")
  t:eq(alice:join("room:staff").verdict, "done")
  t:eq(mallory:join("room:staff").reason, "this room is for its members")
  t:eq(mallory:groups(), { "room:lobby" })

  t:eq(alice:send{ data = { room = "room:staff", text = "Coffee?" } }.delivered, { "alice" })
  t:eq(mallory:send{ data = { room = "room:staff" } }.code, "not_a_member")
  t:eq(mallory:send{ to = { group = "room:staff" }, data = "Me too!" }.code, "forbidden")
end

function test_private_messages_go_to_one_client(t)
  local bob = t:connect("bob")
  t:eq(t:send{ from = "alice", to = "bob", data = "psst" }.targets, { "client:bob" })
  t:eq(bob:last().data, "psst")
end

function test_a_name_has_no_spaces(t)
  t:eq(t:connect("alice the great").refused, "a name has no spaces here")
end

function test_a_post_is_a_text(t)
  t:eq(t:send{ from = "bob", data = "hello" }.code, "no_text")
  t:eq(t:send{ from = "bob", data = { text = 5 } }.code, "no_text")
  t:eq(t:send{ from = "bob", data = { room = 5, text = "hello" } }.code, "not_a_member")
  t:eq(t:send{ from = "bob", data = { room = "room:none", text = "hello" } }.code, "not_a_member")
end
