local words = require "lib.words"

function test_words_are_compared_whole(t)
  t:eq({ words.mask("What the HECK, Heckler?") }, { "What the ****, Heckler?", 1 })
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
  t:eq(code{ text = ("x"):rep(281) }, "too_long")
  t:eq(code{ text = "buy at HTTP://example.com" }, "dropped")
  t:eq(code{ text = ("x"):rep(280) }, nil)
end

function test_what_a_post_costs(t)
  local r = t:send{ from = "ann", data = { text = ("word "):rep(56) } }
  t:eq(r.verdict, "done")
  t:ok(r.instructions < 10000, r.instructions)
end
