-- Finds what a session holds and what was woken for it. Only looks. Any worker may ask, before `session.lua` takes it.
--
-- KEYS     held, inbox
-- ARGV     [1] session, [2] at most how many
-- RETURNS  {id..}
-- INVARIANT by id
-- REPEAT   looks again

local session, limit = ARGV[1], tonumber(ARGV[2])
local ids = {}
local held = call('ZRANGEBYLEX', KEYS[1], '[' .. session, '(' .. session .. '\255', 'LIMIT', 0, limit)
for i = 1, #held do ids[i] = held[i]:sub(17) end
walk(KEYS[2], '[' .. session, '(' .. session .. '\255', function(member)
  ids[#ids + 1] = member:match('^[^%z]*', 24)
end)
table.sort(ids, before)
local first = {}
for i = 1, math.min(limit, #ids) do first[i] = ids[i] end
return first
