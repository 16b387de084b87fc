-- Finds finished instances and old runs whose retention is over. Only looks. Any worker may ask, before `sweep.lua`
-- deletes them.
--
-- KEYS     done, old
-- ARGV     [1] the time in ms for tests, '' for the server's; [2] at most how many
-- RETURNS  {id..}, {id NUL run in 4 bytes..}
-- INVARIANT instances by (expiry, id), then old runs by (expiry, id, run)
-- REPEAT   looks again

local now, limit = string.format('%.0f', time_of(ARGV[1])), tonumber(ARGV[2])
local ids = call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, limit)
-- The old runs of what is deleted go with it.
local whole = {}
for i = 1, #ids do whole[ids[i]] = true end
local runs, offset = {}, 0
while #runs < limit - #ids do
  local members = call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', offset, PAGE)
  for i = 1, #members do
    if not whole[members[i]:sub(1, -6)] and #runs < limit - #ids then runs[#runs + 1] = members[i] end
  end
  if #members < PAGE then break end
  offset = offset + PAGE
end
return { ids, runs }
