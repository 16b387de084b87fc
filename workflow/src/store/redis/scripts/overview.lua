-- Counts what there is, and what nobody can run. Only looks. Any process may ask.
--
-- KEYS     shelf, all, ready, timers, later, held, inbox, paused, complete, errored, terminated
-- ARGV     none
-- RETURNS  {a number for each but the first two}, {workflow NUL version in 4 bytes..}, {number on that shelf..},
--          {workflow NUL..}, {number of that workflow..}
-- INVARIANT all of one moment; shelves by (workflow, version), workflows by name, none empty
-- REPEAT   looks again

local counts = {}
for i = 3, #KEYS do counts[i - 2] = call('ZCARD', KEYS[i]) end
-- The groups of a set's members, by what they begin with up to `more` bytes after the first zero, and how many each has.
local function groups(key, more, last)
  local names, sizes, from = {}, {}, '-'
  while true do
    local first = call('ZRANGEBYLEX', key, from, '+', 'LIMIT', 0, 1)[1]
    if not first then return names, sizes end
    local name = first:sub(1, first:find('\0', 1, true) + more)
    from = '(' .. name .. last
    names[#names + 1] = name
    sizes[#sizes + 1] = call('ZLEXCOUNT', key, '[' .. name, from)
  end
end
-- Neither a queue's name, which follows on a shelf, nor a time, which follows in the list, begins with a byte of 255.
local shelves, shelved = groups(KEYS[1], 4, '\255')
local workflows, totals = groups(KEYS[2], 0, '\255')
return { counts, shelves, shelved, workflows, totals }
