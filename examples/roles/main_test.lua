local function driver(t, id, team)
  return t:connect(id, { claims = { sub = id, team = team, roles = { "driver" } } })
end

local function dispatcher(t, id, team)
  return t:connect(id, { claims = { sub = id, team = team, roles = { "driver", "dispatcher" } } })
end

function test_a_dispatcher_gives_jobs_to_the_own_team(t)
  local north, south = driver(t, "dan", "north"), driver(t, "sue", "south")
  local r = dispatcher(t, "ann", "north"):send{ id = "m1", data = { kind = "job", to = "pier 4" } }
  t:eq(r.targets, { "group:team:north" })
  t:eq(north:last().data.to, "pier 4")
  t:eq(south:last(), nil)
end

function test_a_driver_gives_none_and_reports(t)
  local ann, dan = dispatcher(t, "ann", "north"), driver(t, "dan", "north")
  t:eq(dan:send{ data = { kind = "job" } }.code, "forbidden")
  t:eq(dan:send{ data = { kind = "report", text = "done" } }.verdict, "done")
  t:eq(ann:last().from, "dan")
  t:eq(ann:last().data.text, "done")
end

function test_what_a_message_says_about_itself_counts_for_nothing(t)
  local dan = driver(t, "dan", "north")
  t:eq(dan:send{ data = { kind = "job", roles = { "dispatcher" } }, headers = { roles = "dispatcher" } }.code, "forbidden")
end

function test_nobody_goes_around_the_token(t)
  local sue, dan = driver(t, "sue", "south"), driver(t, "dan", "north")
  t:eq(dan:join("dispatch:north").code, "forbidden")
  t:eq(dan:send{ data = { kind = "report" }, to = "sue" }.targets, { "group:dispatch:north" })
  t:eq(sue:last(), nil)
end

function test_odd_claims_are_no_role_and_no_team(t)
  for i, claims in ipairs{
    { team = "north", roles = "dispatcher" }, { team = "north", roles = { dispatcher = true } }, { team = "north" }, { team = "north", roles = { { "dispatcher" } } },
  } do
    t:eq(t:connect("c" .. i, { claims = claims }):send{ data = { kind = "job" } }.code, "forbidden")
  end
  for i, team in ipairs{ 7, {}, "", "North", "a:b", ("x"):rep(33) } do
    local c = t:connect("d" .. i, { claims = { team = team, roles = { "dispatcher" } } })
    t:eq(c:groups(), {})
    t:eq(c:send{ data = { kind = "job" } }.code, "no_team")
  end
  t:eq(t:send{ from = "e", data = { kind = "job" } }.code, "no_team")
end

function test_other_kinds_are_refused(t)
  t:eq(dispatcher(t, "ann", "north"):send{ data = { kind = "chat" } }.code, "bad_kind")
end
