-- The words that are masked, and how. They are found in one pass, however many
-- there are, in any case, and where no letter stands beside them.
local words = {}

local unwanted = stratix.words({ "darn", "heck", "gadzooks", "Donnerwetter", "zut" }, { whole_word = true })

-- A star for each letter: the first byte of one is not from 128 to 191.
local function stars(word)
  return ("*"):rep(#word:gsub("[\128-\191]", ""))
end

---Returns text with the letters of unwanted words as stars, and how many words
---there were.
---@param text string
---@return string text
---@return integer count
function words.mask(text)
  return unwanted:replace(text, stars)
end

return words
