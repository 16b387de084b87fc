-- Finds what waits too long in inboxes. Only looks. Any worker may ask, before `sweep.lua` moves it.
--
-- KEYS     inbox
-- ARGV     [1] the time in ms for tests, '' for the server's; [2] older than ms; [3] at most how many
-- RETURNS  {id, index entry..}
-- INVARIANT by (since, id), over all sessions
-- REPEAT   looks again

local until_ = time_of(ARGV[1]) - tonumber(ARGV[2])
local limit = tonumber(ARGV[3])
local found, from = {}, '-'
while true do
  local member = call('ZRANGEBYLEX', KEYS[1], from, '+', 'LIMIT', 0, 1)[1]
  if not member then break end
  local session = member:sub(1, 16)
  local old = call('ZRANGEBYLEX', KEYS[1], '[' .. session, '(' .. session .. sortable(until_ + 1), 'LIMIT', 0, limit)
  for i = 1, #old do
    local order = old[i]:sub(17)
    found[#found + 1] = { order = order, id = order:match('^[^%z]*', 8), entry = 'I' .. old[i] }
  end
  from = '(' .. session .. '\255'
end
table.sort(found, function(a, b) return before(a.order, b.order) end)
local ids = {}
for i = 1, math.min(limit, #found) do
  ids[2 * i - 1], ids[2 * i] = found[i].id, found[i].entry
end
return ids
