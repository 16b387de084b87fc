-- Finds finished instances and old runs whose retention is over. Only looks. Any worker may ask, before `sweep.lua`
-- deletes them.
--
-- KEYS     complete, errored, terminated, old
-- ARGV     [1] the time in ms for tests, '' for the server's; [2] at most how many
-- RETURNS  {id..}, {id NUL run in 4 bytes..}
-- INVARIANT instances by (expiry, id), then old runs by (expiry, id, run)
-- REPEAT   looks again

local now, limit = string.format('%.0f', time_of(ARGV[1])), tonumber(ARGV[2])
local found = {}
for i = 1, 3 do
  local members = call('ZRANGEBYSCORE', KEYS[i], '-inf', now, 'WITHSCORES', 'LIMIT', 0, limit)
  for m = 1, #members, 2 do found[#found + 1] = { id = members[m], expires = tonumber(members[m + 1]) } end
end
table.sort(found, function(a, b)
  if a.expires ~= b.expires then return a.expires < b.expires end
  return before(a.id, b.id)
end)
local ids = {}
for i = 1, math.min(#found, limit) do ids[i] = found[i].id end
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
