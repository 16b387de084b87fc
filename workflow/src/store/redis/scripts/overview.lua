-- Counts what there is, and what nobody can run. Only looks. Any process may ask.
--
-- KEYS     ready, timers, held, inbox, paused, done, shelf
-- ARGV     none
-- RETURNS  {a number for each of the first six}, {workflow NUL version in 4 bytes..}, {number on that shelf..}
-- INVARIANT all of one moment; shelves by (workflow, version), none empty
-- REPEAT   looks again

local counts = {}
for i = 1, 6 do counts[i] = call('ZCARD', KEYS[i]) end
local shelves, sizes, from = {}, {}, '-'
while true do
  local first = call('ZRANGEBYLEX', KEYS[7], from, '+', 'LIMIT', 0, 1)[1]
  if not first then break end
  local shelf = first:sub(1, first:find('\0', 1, true) + 4)
  -- No queue's name begins with a byte of 255.
  from = '(' .. shelf .. '\255'
  shelves[#shelves + 1] = shelf
  sizes[#sizes + 1] = call('ZLEXCOUNT', KEYS[7], '[' .. shelf, from)
end
return { counts, shelves, sizes }
