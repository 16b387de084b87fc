-- What the scripts that only look have in common: each of them follows this file. They find what a transition may concern;
-- the transition, which gets the keys of what was found, decides again.
--
-- KEYS     those of the script that follows
-- ARGV     those of the script that follows
-- RETURNS  nothing: the script that follows does
-- INVARIANT nothing is written
-- REPEAT   looks again

local call, unpack_ = redis.call, struct.unpack
local function time_of(text)
  local now = tonumber(text)
  if now then return now end
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function sortable(number)
  return struct.pack('>I7', number + 4503599627370496)
end
-- Whether a text comes before another by its bytes: `<` asks the server's locale.
local function before(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = a:byte(i), b:byte(i)
    if x ~= y then return x < y end
  end
  return #a < #b
end
-- Calls `visit` for the members between two bounds, in order, until it returns true.
local PAGE = 64
local function walk(key, from, to, visit)
  local offset = 0
  while true do
    local members = call('ZRANGEBYLEX', key, from, to, 'LIMIT', offset, PAGE)
    for i = 1, #members do
      if visit(members[i]) then return end
    end
    if #members < PAGE then return end
    offset = offset + PAGE
  end
end
