---Functions on lists, for require "list". They leave the lists that they are given alone.
local list = {}

---The results of f(item, index) for every item.
---@generic T, U
---@param items T[]
---@param f fun(item: T, index: integer): U
---@return U[]
function list.map(items, f)
  local out = {}
  for i, item in ipairs(items) do
    out[i] = f(item, i)
  end
  return out
end

---The items for which keep(item, index) is true.
---@generic T
---@param items T[]
---@param keep fun(item: T, index: integer): any
---@return T[]
function list.filter(items, keep)
  local out = {}
  for i, item in ipairs(items) do
    if keep(item, i) then
      out[#out + 1] = item
    end
  end
  return out
end

---Whether one of the items equals wanted.
---@param items any[]
---@param wanted any
---@return boolean
function list.contains(items, wanted)
  for _, item in ipairs(items) do
    if item == wanted then
      return true
    end
  end
  return false
end

---The keys of a table. Their order is not defined.
---@generic K
---@param t table<K, any>
---@return K[]
function list.keys(t)
  local out = {}
  for key in pairs(t) do
    out[#out + 1] = key
  end
  return out
end

return list
