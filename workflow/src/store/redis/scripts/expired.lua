-- Finds finished instances and old runs whose retention is over. Only looks. Any worker may ask, before `sweep.lua`
-- deletes them.
--
-- KEYS     complete, errored, terminated, old
-- ARGV     [1] the time in ms for tests, '' for the server's; [2] at most how many
-- RETURNS  {id..}, {id NUL run in 4 bytes..}
-- INVARIANT instances by (expiry, id), then old runs by (expiry, id, run)
-- REPEAT   looks again

local now, limit = string.format('%.0f', time_of(ARGV[1])), tonumber(ARGV[2])
-- Each set is in order: of their first ones the first is next, so many times.
local sets = {}
for i = 1, 3 do
  local members = call('ZRANGEBYSCORE', KEYS[i], '-inf', now, 'WITHSCORES', 'LIMIT', 0, limit)
  sets[i] = { members = members, at = 1, expires = tonumber(members[2]) }
end
local function is_first(one, other)
  if one.expires ~= other.expires then return one.expires < other.expires end
  return before(one.members[one.at], other.members[other.at])
end
local ids = {}
while #ids < limit do
  local first
  for i = 1, 3 do
    if sets[i].expires and (not first or is_first(sets[i], first)) then first = sets[i] end
  end
  if not first then break end
  ids[#ids + 1] = first.members[first.at]
  first.at = first.at + 2
  first.expires = tonumber(first.members[first.at + 1])
end
-- The old runs of what is deleted go with it.
local whole = {}
for i = 1, #ids do whole[ids[i]] = true end
local runs, offset = {}, 0
while #runs < limit - #ids do
  local members = call('ZRANGEBYSCORE', KEYS[4], '-inf', now, 'LIMIT', offset, PAGE)
  for i = 1, #members do
    if not whole[members[i]:sub(1, -6)] and #runs < limit - #ids then runs[#runs + 1] = members[i] end
  end
  if #members < PAGE then break end
  offset = offset + PAGE
end
return { ids, runs }
