-- Gives a session the work that `candidates.lua` found for it. Only the session's worker may ask.
--
-- KEYS     each instance to give, and its mailbox; each to shelve; each to set aside; each to take a notice from
-- ARGV     'A', session 16, number 6, mode 1 (F fresh, R repeated), then four lists of ids, 3 and each (1 byte count):
--          to give, to shelve, to set aside, with a notice; limits 3, each key (1 byte count) and tokens 4; then of each
--          to give, to shelve and to set aside the index entry (2) that led to it
-- RETURNS  GIVEN {notice..} next timer ('' none) {id damage, of what was skipped..} {queue tokens spent..}
--          (how many others were faster with) {CLAIMED ..}..
--          | FENCED | AGAIN (what was found is out of date)
-- INVARIANT what is given leaves its place in the same write, and has the tokens it needs; a session remembers its
--          newest claim that gave something; what is damaged or gone stops no other, and loses the entry that led to it
-- REPEAT   the same number gives again what it gave, and notices for what it cannot give; an older one gives nothing

-- The number of a session's newest claim that gave something, the instances with their versions, and the notices.
local function remembered(session)
  local packed = call('HGET', CLAIMS, session)
  -- Before every number.
  if not packed then return -1, {}, {} end
  local number, count, at = unpack_('>I6I3', packed)
  local given, notices = {}, {}
  for i = 1, count do
    local id, v
    id, v, at = unpack_('>Bc0I6', packed, at)
    given[i] = { id, v }
  end
  count, at = unpack_('>I3', packed, at)
  for i = 1, count do notices[i], at = unpack_('>Bc0', packed, at) end
  return number, given, notices
end

local function shelve(key, id, session)
  local d = read(key, id)
  if not d then return nil end
  if d.place == READY or (d.place == INBOX and d.session == session) then
    d.place, d.updated = SHELVED, now
    write(d)
  end
  return true
end

-- Out of the inbox, where it waits for a token in nobody's way.
local function set_aside(key, id, session)
  local d = read(key, id)
  if not d then return nil end
  if d.place == INBOX and d.session == session then
    d.v, d.updated = math.max(d.v + 1, now), now
    to_ready(d)
    write(d)
  end
  return true
end

-- The tokens of a claim by their keys, or nil when it has no limits; and whether it has any.
local function tokens_of(packed, at)
  local count, tokens
  local carries = false
  count, at = unpack_('>I3', packed, at)
  for _ = 1, count do
    local name, many
    name, many, at = unpack_('>Bc0I4', packed, at)
    tokens = tokens or {}
    tokens[name] = many
    carries = carries or many > 0
  end
  return tokens, at, carries
end

-- The tokens that giving it takes: of its workflow, and of its queue if it never began. Nil where there is no limit.
local function needed(d, tokens)
  local of_workflow, of_queue = 'w' .. meta(d).workflow, d.begun == 0 and 'q' .. meta(d).queue
  return tokens[of_workflow] and of_workflow, of_queue and tokens[of_queue] and of_queue
end

-- How heads begin of what is ready and nobody has disturbed, before and after its first claim, and once it is held.
local FRESH, BEGUN = char(READY, 0, 0, 0, INNOCENT, 0, 0), char(READY, 0, 0, 1, INNOCENT, 0, 0)

-- As `give`, of what most claims give, where there are no limits: from a list of what is ready, undisturbed.
-- 'long': `give` decides.
local function give_ready(key, id, session, room, f)
  local head, m, input = f[1], f[4], f[5] or ''
  local lead = sub(head, 1, 7)
  if #head ~= HEAD_BYTES or (lead ~= FRESH and lead ~= BEGUN) then return 'long' end
  local since = unpack_('>i6', head, 14)
  local version, starts, named_at = unpack_('>I4xxxxxxxxxxxB', m)
  local workflow, queue = unpack_('>ss', m, starts == 1 and named_at + 6 or named_at)
  if queue == '' then queue = COMMON_QUEUE end
  if room and #input > room then
    -- Nobody else will say that there is more.
    hint('r' .. queue)
    return 'full'
  end
  local v = math.max(unpack_('>I6', head, 37) + 1, now)
  local held = UNDISTURBED .. sub(head, 8, 19) .. NOW_6 .. sub(head, 26, 36) .. pack('>I6', v) .. session
  call('HSET', key, 'h', held)
  filled[queue] = nil
  local list = queue .. (lead == BEGUN and '\0000' or '\0001') .. workflow
  drop(READY_KEY, list .. '\0' .. sortable(since) .. id .. '\0' .. version)
  put(HELD_KEY, session .. id, '0')
  return { 'CLAIMED', id, held, '', f[3], m, f[5], f[6] or '' }, v, #input
end

-- The same, of what was woken for this session.
local function give_woken(key, mailbox, id, session, room, f)
  local head, t, m = f[1], f[2], f[4]
  local lead = sub(head, 1, 7)
  local is_told = lead == WOKEN_TOLD
  if (lead ~= WOKEN and not is_told) or sub(head, HEAD_BYTES + 1) ~= session then return 'long' end
  local member = woken_member(session, unpack_('>i6', head, 14), id, m)
  local v = math.max(unpack_('>I6', head, 37) + 1, now)
  local held = (is_told and HELD_TOLD or UNDISTURBED) .. sub(head, 8, 19) .. NOW_6 .. sub(head, 26, 36) .. pack('>I6', v)
    .. session
  local one, bytes = { 'CLAIMED', id, held, t or '', f[3], m, f[5], f[6] or '' }, #(f[5] or '')
  if is_told then
    local arrivals, unread = unpack_(TRAFFIC, t)
    add_messages(one, arrivals, unread, mailbox, 0)
    for i = 10, #one, 2 do bytes = bytes + #one[i] end
  end
  if room and bytes > room then
    -- Nobody else will say that there is more.
    hint('i' .. session)
    return 'full'
  end
  call('HSET', key, 'h', held)
  call('HDEL', key, 'w')
  drop(INBOX_KEY, member)
  put(HELD_KEY, session .. id, '0')
  return one, v, bytes
end

-- Gives it, its state version and its bytes. False when it is not to be had, and 'taken' when others were faster; it
-- stays where it is when there is not enough room in the answer (nil: it is the first).
local function give(key, mailbox, id, session, room, tokens, started)
  local f = whole(key)
  if not f[1] then return nil end
  local lead = byte(f[1])
  if (lead == HELD or lead == HELD + TRAFFIC_FLAG) and #f[1] == HEAD_BYTES + SESSION_BYTES then return 'taken' end
  if not tokens then
    local one, v, bytes
    if lead == READY then
      one, v, bytes = give_ready(key, id, session, room, f)
    else
      one, v, bytes = give_woken(key, mailbox, id, session, room, f)
    end
    if one ~= 'long' then return one, v, bytes end
  end
  local d = decode_whole(key, id, f)
  local free = d.place == READY or d.place == SHELVED or (d.place == INBOX and d.session == session)
  if not free then return false end
  local of_workflow, of_queue
  if tokens then
    of_workflow, of_queue = needed(d, tokens)
    if (of_workflow and tokens[of_workflow] == 0) or (of_queue and tokens[of_queue] == 0) then return false end
  end
  d.place, d.session, d.notice, d.begun, d.v, d.updated = HELD, session, 0, 1, math.max(d.v + 1, now), now
  -- What cannot be read is found before anything is written.
  local one = claimed(d, '', mailbox)
  local bytes = #(d.whole[5] or '')
  for i = 10, #one, 2 do bytes = bytes + #one[i] end
  if room and bytes > room then
    -- Nobody else will say that there is more.
    hint(d.was_place == INBOX and 'i' .. session or 'r' .. meta(d).queue)
    return 'full'
  end
  write(d)
  if of_workflow then tokens[of_workflow] = tokens[of_workflow] - 1 end
  if of_queue then
    tokens[of_queue] = tokens[of_queue] - 1
    started[of_queue] = (started[of_queue] or 0) + 1
  end
  one[3] = d.set[2]
  return one, d.v, bytes
end

local function held_still(key, mailbox, id, session, v)
  local d = decode_whole(key, id, whole(key))
  if not d or d.place ~= HELD or d.session ~= session or d.v ~= v then return nil end
  return claimed(d, d.whole[1], mailbox)
end

local function give_again(skipped, given, notices, k, session)
  local out = {}
  for i = 1, #given do
    local id, v = given[i][1], given[i][2]
    local one = part(skipped, id, held_still, KEYS[k + 2 * i - 2], KEYS[k + 2 * i - 1], id, session, v)
    if one then out[#out + 1] = one else notices[#notices + 1] = id end
  end
  return out, notices
end

local function take_notice(key, id, session)
  local d = read(key, id)
  if not d then return nil end
  if d.place ~= HELD or d.session ~= session or d.notice ~= 1 then return false end
  d.notice = 0
  write(d)
  return true
end

local function remember(session, number, given, notices)
  local packed = { pack('>I6I3', number, #given) }
  for i = 1, #given do packed[#packed + 1] = pack('>B', #given[i][1]) .. given[i][1] .. pack('>I6', given[i][2]) end
  packed[#packed + 1] = pack('>I3', #notices)
  for i = 1, #notices do packed[#packed + 1] = pack('>B', #notices[i]) .. notices[i] end
  call('HSET', CLAIMS, session, table.concat(packed))
end

commands.A = function(packed, k)
  local session, number, mode, at = unpack_('>xxxxc16I6c1', packed)
  if not alive(session) then return { 'FENCED' } end
  local newest, given, notices = remembered(session)
  local found = number < newest and 'L' or number == newest and 'R' or 'F'
  if found ~= mode then return { 'AGAIN' } end
  local to_give, to_shelve, to_set_aside, to_notice, tokens, carries
  to_give, at = ids_of(packed, at)
  to_shelve, at = ids_of(packed, at)
  to_set_aside, at = ids_of(packed, at)
  to_notice, at = ids_of(packed, at)
  tokens, at, carries = tokens_of(packed, at)
  local out, skipped, started, taken = {}, {}, {}, 0
  if mode == 'R' then
    out, notices = give_again(skipped, given, notices, k, session)
  else
    given, notices = {}, {}
    local key = k + 2 * #to_give
    for i = 1, #to_shelve do
      local one = part(skipped, to_shelve[i], shelve, KEYS[key + i - 1], to_shelve[i], session)
      if one == nil then drop_found(packed, at, #to_give + i) end
    end
    key = key + #to_shelve
    for i = 1, #to_set_aside do
      local one = part(skipped, to_set_aside[i], set_aside, KEYS[key + i - 1], to_set_aside[i], session)
      if one == nil then drop_found(packed, at, #to_give + #to_shelve + i) end
    end
    key = key + #to_set_aside
    local room
    for i = 1, #to_give do
      local id, k_of = to_give[i], k + 2 * i - 2
      local one, v, bytes = part(skipped, id, give, KEYS[k_of], KEYS[k_of + 1], id, session, room, tokens, started)
      if one == 'full' then break end
      if one == 'taken' then
        taken = taken + 1
        -- Where nobody was faster, but the index names what it should not, it would be met again and again.
        if taken == 1 then drop_found(packed, at, i) end
      elseif one then
        out[#out + 1] = one
        given[#given + 1] = { id, v }
        room = (room or CLAIM_BYTES_MAX) - bytes
      elseif one == nil then
        drop_found(packed, at, i)
      end
    end
    for i = 1, #to_notice do
      local one = part(skipped, to_notice[i], take_notice, KEYS[key + i - 1], to_notice[i], session)
      if one then notices[#notices + 1] = to_notice[i] end
      if one == nil then drop(NOTES, session .. to_notice[i]) end
    end
    flush(LOST)
    local lost = call('ZRANGEBYLEX', LOST, '[' .. session, '[' .. session .. '\255')
    for i = 1, #lost do
      notices[#notices + 1] = lost[i]:sub(17)
      drop(LOST, lost[i])
    end
    -- Once it is answered its tokens may be given back: a late copy must not spend them.
    if out[1] or notices[1] or carries then remember(session, number, given, notices) end
  end
  local spent = {}
  for name, many in pairs(started) do spent[#spent + 1], spent[#spent + 2] = name:sub(2), many end
  local reply = { 'GIVEN', notices, next_due(), skipped, spent, taken }
  for i = 1, #out do reply[#reply + 1] = out[i] end
  return reply
end
