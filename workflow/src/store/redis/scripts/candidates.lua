-- Finds what a claim could give. Only looks. Asked by a session's worker, before `claim.lua`.
--
-- KEYS     ready, inbox, notes, lost, shelf, sessions, claims, timers
-- ARGV     [1] session, [2] number, [3] most to give, [4] most to shelve, [5] how many queues, queues..,
--          then workflow, version of each that is known..
-- RETURNS  FENCED | mode (L late, R repeated, F fresh), {to give: id, index entry..}, {to shelve: the same},
--          {with a notice: id..}, lost (0 or 1), next timer ('' none), time in ms
-- INVARIANT the order of candidates is that of `journal/table`: own inbox, shelves, ready
-- REPEAT   looks again

local ready, inbox, notes, lost, shelf, sessions, claims, timers = unpack(KEYS)
local session, number, limit, shelved_max, queue_count = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]),
  tonumber(ARGV[4]), tonumber(ARGV[5])
if not call('ZSCORE', sessions, session) then return { 'FENCED' } end

local first = call('ZRANGE', timers, 0, 0, 'WITHSCORES')
local next_due = first[2] and first[2] ~= 'inf' and first[2] or ''
local mode, give, put_away, noticed = 'F', {}, {}, {}
local memory = call('HGET', claims, session)
if memory then
  local newest, count, at = unpack_('>I6I3', memory)
  mode = number < newest and 'L' or number == newest and 'R' or 'F'
  if mode == 'R' then
    for i = 1, count do
      local id, v
      id, v, at = unpack_('>Bc0I6', memory, at)
      give[2 * i - 1], give[2 * i] = id, ''
    end
  end
end
if mode ~= 'F' then return { mode, give, put_away, noticed, 0, next_due, time_of('') } end

local queues, known = {}, {}
for i = 1, queue_count do queues[i] = ARGV[5 + i] end
for i = 6 + queue_count, #ARGV, 2 do known[ARGV[i] .. '\0' .. ARGV[i + 1]] = true end

-- True when there is enough.
local function take(id, kind, entry)
  local to = known[kind] and give or put_away
  to[#to + 1] = id
  to[#to + 1] = entry
  return #give >= 2 * limit or #put_away >= 2 * shelved_max
end

local function own_inbox()
  local enough = limit == 0
  if enough then return true end
  walk(inbox, '[' .. session, '(' .. session .. '\255', function(member)
    local id, kind = member:match('^([^%z]*)%z(.*)$', 24)
    enough = take(id, kind, 'I' .. member)
    return enough
  end)
  return enough
end

local function shelves()
  if call('EXISTS', shelf) == 0 then return false end
  local ids = {}
  for i = 6 + queue_count, #ARGV, 2 do
    for q = 1, queue_count do
      local prefix = ARGV[i] .. '\0' .. struct.pack('>I4', tonumber(ARGV[i + 1])) .. queues[q]
      local members = call('ZRANGEBYLEX', shelf, '[' .. prefix .. '\0', '(' .. prefix .. '\1', 'LIMIT', 0, limit)
      for m = 1, #members do ids[#ids + 1] = { id = members[m]:sub(#prefix + 2), entry = 'S' .. members[m] } end
    end
  end
  table.sort(ids, function(a, b) return before(a.id, b.id) end)
  for i = 1, #ids do
    if #give >= 2 * limit then return true end
    give[#give + 1] = ids[i].id
    give[#give + 1] = ids[i].entry
  end
  return #give >= 2 * limit
end

-- The next member of a queue without the queue's name, which then begins with its score and id; and with it.
local function next_of(cursor)
  if cursor.at > #cursor.page then
    if cursor.ended then return nil end
    cursor.page = call('ZRANGEBYLEX', ready, '[' .. cursor.queue .. '\0', '(' .. cursor.queue .. '\1', 'LIMIT',
      cursor.offset, PAGE)
    cursor.at, cursor.offset, cursor.ended = 1, cursor.offset + PAGE, #cursor.page < PAGE
    if not cursor.page[1] then return nil end
  end
  local member = cursor.page[cursor.at]
  return member:sub(#cursor.queue + 2), member
end

local function ready_ones()
  local cursors = {}
  for i = 1, queue_count do cursors[i] = { queue = queues[i], at = 1, page = {}, offset = 0 } end
  while true do
    local best, best_order, best_member
    for i = 1, queue_count do
      local order, member = next_of(cursors[i])
      if order and (not best_order or before(order, best_order)) then
        best, best_order, best_member = cursors[i], order, member
      end
    end
    if not best then return end
    best.at = best.at + 1
    local id, kind = best_order:match('^([^%z]*)%z(.*)$', 8)
    if take(id, kind, 'R' .. best_member) then return end
  end
end

if not own_inbox() and not shelves() then ready_ones() end
walk(notes, '[' .. session, '(' .. session .. '\255', function(member) noticed[#noticed + 1] = member:sub(17) end)
local has_lost = call('ZRANGEBYLEX', lost, '[' .. session, '(' .. session .. '\255', 'LIMIT', 0, 1)[1] and 1 or 0
return { mode, give, put_away, noticed, has_lost, next_due, time_of('') }
