-- Finds what a claim could give. Only looks. Asked by a session's worker, before `claim.lua`.
--
-- KEYS     ready, inbox, notes, lost, shelf, sessions, claims, timers
-- ARGV     [1] session, [2] number, [3] most to give, [4] most to put away, [5] how many queues, [6] how many limits,
--          then queue, quota ('' none) of each.., key, tokens of each limit.., workflow, version of each that is known..
-- RETURNS  FENCED | mode (L late, R repeated, F fresh), {to give: id, index entry..}, {to shelve: the same}, {to set
--          aside: the same}, {with a notice: id..}, lost (0 or 1), next timer ('' none), time in ms, {short limit..}
-- INVARIANT the order of candidates is that of `journal/table`: own inbox, shelves, ready
-- REPEAT   looks again

local ready, inbox, notes, lost, shelf, sessions, claims, timers = unpack(KEYS)
local session, number, limit, away_max, queue_count, limit_count = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]),
  tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
if not call('ZSCORE', sessions, session) then return { 'FENCED' } end

local first = call('ZRANGE', timers, 0, 0, 'WITHSCORES')
local next_due = first[2] and first[2] ~= 'inf' and first[2] or ''
local mode, give, put_away, set_aside, noticed, short = 'F', {}, {}, {}, {}, {}
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
if mode ~= 'F' then return { mode, give, put_away, set_aside, noticed, 0, next_due, time_of(''), short } end

local queues, quotas, tokens, known = {}, {}, {}, {}
for i = 1, queue_count do
  queues[i], quotas[i] = ARGV[5 + 2 * i], tonumber(ARGV[6 + 2 * i])
end
local known_from = 7 + 2 * (queue_count + limit_count)
for i = 7 + 2 * queue_count, known_from - 1, 2 do tokens[ARGV[i]] = tonumber(ARGV[i + 1]) end
for i = known_from, #ARGV, 2 do
  local versions = known[ARGV[i]] or {}
  known[ARGV[i]], versions[ARGV[i + 1]] = versions, true
end
local function knows(workflow, version)
  local versions = known[workflow]
  return versions and versions[version]
end

-- ---- limits: what is ready or on a shelf lies in lists of one queue, begun ('0') or not ('1'), and one workflow

local refused, told = {}, {}
-- Whether a limit has no token left; then it is told to be short.
local function is_short(name)
  if tokens[name] ~= 0 then return false end
  if not told[name] then
    told[name] = true
    short[#short + 1] = name
  end
  return true
end
-- Whether one more may be given of a list; one that was refused once is refused from then on.
local function admits(queue, begun, workflow)
  if limit_count == 0 then return true end
  local list = queue .. '\0' .. begun .. workflow
  if refused[list] then return false end
  -- All that are out: what needs tokens of two limits needs them at once.
  local of_workflow, of_queue = is_short('w' .. workflow), begun == '1' and is_short('q' .. queue)
  refused[list] = of_workflow or of_queue
  return not refused[list]
end
local function spend(queue, begun, workflow)
  if limit_count == 0 then return end
  local of_workflow, of_queue = 'w' .. workflow, 'q' .. queue
  if tokens[of_workflow] then tokens[of_workflow] = tokens[of_workflow] - 1 end
  if begun == '1' and tokens[of_queue] then tokens[of_queue] = tokens[of_queue] - 1 end
end

local function enough()
  return #give >= 2 * limit or #put_away + #set_aside >= 2 * away_max
end
local function add(to, id, entry)
  local count = #to
  to[count + 1], to[count + 2] = id, entry
end

-- ---- the places, in their order

local function own_inbox()
  if limit == 0 then return end
  walk(inbox, '[' .. session, '(' .. session .. '\255', function(member)
    local id, workflow, version = member:match('^([^%z]*)%z([^%z]*)%z(.*)$', 24)
    local entry = 'I' .. member
    -- What was woken has begun. In the inbox it would be in the way of what was woken after it.
    if is_short('w' .. workflow) then
      add(set_aside, id, entry)
    elseif knows(workflow, version) then
      spend('', '0', workflow)
      add(give, id, entry)
    else
      add(put_away, id, entry)
    end
    return enough()
  end)
end

local function shelves()
  if call('EXISTS', shelf) == 0 then return end
  local found = {}
  for i = known_from, #ARGV, 2 do
    local of_version = ARGV[i] .. '\0' .. struct.pack('>I4', tonumber(ARGV[i + 1]))
    for q = 1, queue_count do
      for begun = 0, 1 do
        local prefix = of_version .. queues[q] .. '\0' .. begun
        -- Of each no more than is wanted: what is refused of one is all that follows on it.
        local members = call('ZRANGEBYLEX', shelf, '[' .. prefix, '(' .. prefix .. '\255', 'LIMIT', 0, limit)
        for m = 1, #members do
          found[#found + 1] = { id = members[m]:sub(#prefix + 1), entry = 'S' .. members[m], queue = queues[q],
            begun = tostring(begun), workflow = ARGV[i] }
        end
      end
    end
  end
  table.sort(found, function(a, b) return before(a.id, b.id) end)
  for i = 1, #found do
    local one = found[i]
    if enough() then return end
    if admits(one.queue, one.begun, one.workflow) then
      spend(one.queue, one.begun, one.workflow)
      add(give, one.id, one.entry)
    end
  end
end

-- The first of a list that was not looked at. Its score is a number, so that few texts are compared.
local function settle(list)
  if list.at > list.last and not list.ended then
    list.page = call('ZRANGEBYLEX', ready, '(' .. list.page[list.last], '(' .. list.prefix .. '\255', 'LIMIT', 0, PAGE)
    list.at, list.last, list.ended = 1, #list.page, #list.page < PAGE
  end
  list.member = list.at <= list.last and list.page[list.at] or nil
  if list.member then list.score = unpack_('>I7', list.member, #list.prefix + 1) end
end

-- The lists of a queue on which something is. Most queues are read in one go, and each list of more than a page takes
-- another look at what comes after it.
local function lists_of(queue)
  local lists, from, page = {}, '[' .. queue .. '\0', math.max(math.min(limit, PAGE), 8)
  while true do
    local members = call('ZRANGEBYLEX', ready, from, '(' .. queue .. '\1', 'LIMIT', 0, page)
    local i, list = 1, nil
    while i <= #members do
      local begun, workflow, at = members[i]:match('^(.)([^%z]*)%z()', #queue + 2)
      list = { queue = queue, begun = begun, workflow = workflow, prefix = members[i]:sub(1, at - 1), page = members, at = i,
        last = #members, ended = true }
      local function is_of(member) return member:sub(1, at - 1) == list.prefix end
      if not is_of(members[list.last]) then
        list.last = i
        while is_of(members[list.last + 1]) do list.last = list.last + 1 end
      end
      lists[#lists + 1] = list
      i = list.last + 1
    end
    if #members < page then break end
    list.ended = false
    from = '[' .. list.prefix .. '\255'
  end
  for i = 1, #lists do settle(lists[i]) end
  return lists
end

local function is_first(list, of)
  if not of or list.score ~= of.score then return not of or list.score < of.score end
  return before(list.member:sub(#list.prefix + 8), of.member:sub(#of.prefix + 8))
end

-- Takes the first of some lists, again and again, until there are `most` more.
local function take_from(lists, most)
  most = #give + 2 * most
  while #give < most and not enough() do
    local best = lists[2] == nil and lists[1] or nil
    if best and not best.member then return end
    for i = 1, best and 0 or #lists do
      if lists[i].member and is_first(lists[i], best) then best = lists[i] end
    end
    if not best then return end
    if admits(best.queue, best.begun, best.workflow) then
      local zero = best.member:find('\0', #best.prefix + 8, true)
      local id, version = best.member:sub(#best.prefix + 8, zero - 1), best.member:sub(zero + 1)
      local entry = 'R' .. best.member
      if knows(best.workflow, version) then
        spend(best.queue, best.begun, best.workflow)
        add(give, id, entry)
      else
        add(put_away, id, entry)
      end
      best.at = best.at + 1
      settle(best)
    else
      best.member, best.ended = nil, true
    end
  end
end

local function ready_ones()
  local all = {}
  for i = 1, queue_count do
    local lists = enough() and {} or lists_of(queues[i])
    for l = 1, #lists do all[#all + 1] = lists[l] end
    if quotas[i] then quotas[i] = { lists, quotas[i] } end
  end
  for i = 1, queue_count do
    if quotas[i] then take_from(quotas[i][1], quotas[i][2]) end
  end
  take_from(all, limit)
end

own_inbox()
if not enough() then shelves() end
if not enough() then ready_ones() end
walk(notes, '[' .. session, '(' .. session .. '\255', function(member) noticed[#noticed + 1] = member:sub(17) end)
local has_lost = call('ZRANGEBYLEX', lost, '[' .. session, '(' .. session .. '\255', 'LIMIT', 0, 1)[1] and 1 or 0
return { mode, give, put_away, set_aside, noticed, has_lost, next_due, time_of(''), short }
