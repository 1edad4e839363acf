--- Functions on lists. They leave the lists that they are given alone.
local list = {}

--- The results of f(item, index) for every item.
function list.map(items, f)
  local out = {}
  for i, item in ipairs(items) do
    out[i] = f(item, i)
  end
  return out
end

--- The items for which keep(item, index) is true.
function list.filter(items, keep)
  local out = {}
  for i, item in ipairs(items) do
    if keep(item, i) then
      out[#out + 1] = item
    end
  end
  return out
end

--- Whether one of the items equals wanted.
function list.contains(items, wanted)
  for _, item in ipairs(items) do
    if item == wanted then
      return true
    end
  end
  return false
end

--- The keys of a table. Their order is not defined.
function list.keys(t)
  local out = {}
  for key in pairs(t) do
    out[#out + 1] = key
  end
  return out
end

return list
