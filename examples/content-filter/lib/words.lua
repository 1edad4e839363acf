-- The words that are masked, and how.
local words = {}

local unwanted = { darn = true, heck = true, gadzooks = true }

local function stars(word)
  return unwanted[word:lower()] and ("*"):rep(#word)
end

--- Returns text with the letters of unwanted words as stars, and how many there
--- were. Words are compared whole and in lower case.
function words.mask(text)
  local hits = 0
  for word in text:gmatch("%a+") do
    if stars(word) then
      hits = hits + 1
    end
  end
  return (text:gsub("%a+", stars)), hits
end

return words
