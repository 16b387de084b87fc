-- Finds what a session holds and what was woken for it. Only looks. Any worker may ask, before `session.lua` takes it.
--
-- KEYS     held, inbox
-- ARGV     [1] session, [2] at most how many
-- RETURNS  {id, index entry..}
-- INVARIANT by id
-- REPEAT   looks again

local session, limit = ARGV[1], tonumber(ARGV[2])
local found = {}
local held = call('ZRANGEBYLEX', KEYS[1], '[' .. session, '(' .. session .. '\255', 'LIMIT', 0, limit)
for i = 1, #held do found[i] = { id = held[i]:sub(17), entry = 'H' .. held[i] } end
walk(KEYS[2], '[' .. session, '(' .. session .. '\255', function(member)
  found[#found + 1] = { id = member:match('^[^%z]*', 24), entry = 'I' .. member }
end)
table.sort(found, function(a, b) return before(a.id, b.id) end)
local first = {}
for i = 1, math.min(limit, #found) do
  first[2 * i - 1], first[2 * i] = found[i].id, found[i].entry
end
return first
