local words = require "lib.words"

function test_words_are_compared_whole_and_in_any_case(t)
  t:eq({ words.mask("What the HECK, Heckler?") }, { "What the ****, Heckler?", 1 })
  t:eq({ words.mask("zut alors") }, { "*** alors", 1 })
  t:eq({ words.mask("zût") }, { "zût", 0 })
  t:eq({ words.mask("DONNERWETTER! darn") }, { "************! ****", 2 })
  t:eq({ words.mask("") }, { "", 0 })
end

function test_a_post_is_cleaned_and_goes_to_everybody(t)
  local bob = t:connect("bob")
  t:send{ from = "ann", data = { text = "  darn it ", price = 2.5, password = "secret" } }
  t:eq(bob:last().data, { text = "**** it", price = 2.5 })
  t:eq(bob:last().headers, { masked = "1" })
end

function test_what_is_not_allowed_is_refused_with_a_reason(t)
  local function code(data)
    return t:send{ from = "ann", data = data }.code
  end
  t:eq(code("no text"), "no_text")
  t:eq(code{ text = 5 }, "no_text")
  t:eq(code{ text = ("x"):rep(281) }, "too_long")
  t:eq(code{ text = "buy at HTTP://example.com" }, "dropped")
  t:eq(code{ text = "see www.example.com" }, "dropped")
  t:eq(code{ text = ("x"):rep(280) }, nil)
end

function test_whatever_headers_come_the_post_is_masked(t)
  local headers = {}
  for n = 1, 64 do
    headers["h" .. n] = "x"
  end
  local r = t:send{ from = "ann", data = { text = "darn" }, headers = headers }
  t:eq(r.headers, { masked = "1" })
end

function test_there_is_the_wall_only(t)
  local bob = t:connect("bob")
  t:eq(bob:join("club").code, "forbidden")
  t:eq(t:send{ from = "ann", to = "ann", data = { text = "psst" } }.delivered, { "bob", "ann" })
end

function test_what_a_post_costs(t)
  local r = t:send{ from = "ann", data = { text = ("word "):rep(56) } }
  t:eq(r.verdict, "done")
  t:ok(r.instructions < 2000, r.instructions)
end
