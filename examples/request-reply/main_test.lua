local function ask(t, id, service, from)
  return t:send{ from = from or "ann", id = id, data = { kind = "request", service = service or "prices", item = "chair" } }
end

local function answer(t, id, from, client)
  return t:send{ from = from or "svc-prices", data = { kind = "reply", client = client or "ann", request = id, price = 20 } }
end

function test_an_answer_goes_to_whoever_asked(t)
  local ann, service = t:connect("ann"), t:connect("svc-prices")
  local r = ask(t, "m1")
  t:eq(r.delivered, { "svc-prices" })
  t:eq(service:last().messageId, "m1")
  t:eq(service:last().headers, { deadline = ("%.0f"):format(t:now() + 30000) })

  t:eq(answer(t, "m1").delivered, { "ann" })
  t:eq(ann:last().headers, { correlation = "m1" })
  t:eq(ann:last().data.price, 20)
end

function test_only_the_service_that_was_asked_answers_and_once(t)
  t:connect("ann")
  t:connect("svc-prices")
  ask(t, "m1")
  t:eq(answer(t, "m1", "svc-stock").code, "too_late")
  t:eq(answer(t, "m1", "mallory").code, "too_late")
  t:eq(answer(t, "m1", nil, "bob").code, "too_late")
  t:eq(answer(t, "m1").verdict, "done")
  t:eq(answer(t, "m1").code, "too_late", "a second time")
end

function test_an_answer_comes_in_time_or_not_at_all(t)
  t:connect("ann")
  t:connect("svc-prices")
  ask(t, "m1")
  ask(t, "m2", nil, "bob")
  t:advance("29s")
  t:eq(answer(t, "m1").verdict, "done")
  t:advance("2s")
  t:eq(answer(t, "m2", nil, "bob").code, "too_late")
end

function test_a_service_that_is_away_is_known_at_once(t)
  local r = ask(t, "m1")
  t:eq({ r.status, r.code }, { "offline", "offline" })
  t:connect("svc-prices")
  t:eq(ask(t, "m1").status, "delivered", "the same request again")
  t:eq(ask(t, "m1", "stock").code, "id_in_use")
end

function test_a_client_has_so_many_requests_open(t)
  t:connect("svc-prices")
  for n = 1, 100 do
    t:eq(ask(t, "m" .. n).verdict, "done")
  end
  t:eq(ask(t, "m101").code, "too_many")
  t:eq(ask(t, "m1", nil, "bob").verdict, "done")
  t:advance("31s")
  t:eq(ask(t, "m101").verdict, "done")
end

function test_what_is_neither_is_refused(t)
  t:eq(t:send{ from = "ann", to = "svc-prices", data = "cheaper!" }.code, "bad_kind")
  t:eq(ask(t, nil).code, "no_id")
  t:eq(ask(t, ("m"):rep(101)).code, "no_id")
  t:eq(ask(t, "m1", "../stock").code, "bad_service")
  t:eq(ask(t, "m1", 7).code, "bad_service")
  t:eq(answer(t, nil).code, "bad_reply")
  t:eq(answer(t, 7).code, "bad_reply")
  t:eq(answer(t, "m1", nil, ("x"):rep(129)).code, "bad_reply")
  t:eq(t:connect("ann"):join("x").code, "forbidden")
end

function test_the_longest_names_fit(t)
  local long, id = ("a"):rep(128), ("m"):rep(100)
  t:connect("svc-prices")
  t:eq(ask(t, id, nil, long).verdict, "done")
  t:eq(answer(t, id, nil, long).delivered, { long })
end

function test_without_room_nothing_is_asked_that_cannot_be_answered(t)
  t:connect("svc-prices")
  t:fill_kv()
  t:eq(ask(t, "m1").code, "busy")
end
