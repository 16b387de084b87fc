-- Finds sleeping instances whose time has come. Only looks. Any worker may ask, before `sweep.lua` wakes them.
--
-- KEYS     timers
-- ARGV     [1] the time in ms for tests, '' for the server's; [2] at most how many
-- RETURNS  {id..}, next timer ('' none)
-- INVARIANT by (due, id)
-- REPEAT   looks again

local ids = call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', time_of(ARGV[1])), 'LIMIT', 0, ARGV[2])
local first = call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return { ids, first[2] and first[2] ~= 'inf' and first[2] or '' }
