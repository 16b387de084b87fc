-- Makes an instance, or says that it exists. Any process may ask.
--
-- KEYS     the instance; its mailbox; the ids of its messages
-- ARGV     'C', request and seed 32, session to start it in 16 (zeros: none), id (1 byte count), meta (2), input (4),
--          event id (2), message (4) that it begins with ('': none)
-- RETURNS  CREATED | STARTED (created, and held by the session) | EXISTS workflow state
--          | CLAIMED id head traffic birth meta input fork (position message).. (a repeat finds it still held
--          as it was started)
-- INVARIANT an instance that exists is never made again
-- REPEAT   the same request is answered CREATED or CLAIMED, and changes nothing

-- A repeat that finds the instance held as it was started.
local function started_again(key, id, mailbox)
  local d = decode_whole(key, id, whole(key))
  return claimed(d, d.whole[1], mailbox)
end

local function starts_later(m)
  local starts, at = unpack_('>xxxxxxxxxxxxxxxB', m)
  return starts == 1 and unpack_('>i6', m, at) > now
end

-- What starts later sleeps until then.
local function create_later(key, id, m, born_of, input)
  local d = {
    key = key, id = id, packed_meta = m, place = ASLEEP, notice = 0, pause = 0, begun = 0, suspect = INNOCENT, crashes = 0,
    ending = 0, run = 1, v = now + 1, started = now, updated = now, records = 0, bytes = 0, arrivals = 0, unread = 0,
    outgoing = 0, unsent = 0, shift = 0, since = now, session = false, was_session = false, traffic = false,
    set = { 'h', '', 'b', born_of .. pack('>I6', now), 'm', m, 'i', input },
  }
  d.due = meta(d).start_at
  set(d, 'w', START_WAIT .. pack('>BBi6', 1, 0, d.due))
  hint_timer(d.due)
  write(d)
  put(ALL, meta(d).workflow .. '\0' .. sortable(now) .. id, '0')
  if KEEPS_IDS then put(IDS, id, '0') end
  return { 'CREATED' }
end

-- Puts the message into the mailbox of what was just made.
local function begin_with(key, id, mailbox, events, event_id, message)
  local d = read(key, id)
  d.arrivals, d.unread = 1, 1
  write(d)
  call('HSET', mailbox, 1, pack('>I6', now) .. message)
  call('SADD', events, event_id)
end

commands.C = function(packed, k)
  local born_of, session, id, packed_meta, input, event_id, message = unpack_('>xxxxc32c16Bc0I2c0I4c0I2c0I4c0', packed)
  local key = KEYS[k]
  local d = read(key, id)
  if d then
    local birth = call('HGET', key, 'b')
    if birth:sub(1, 16) ~= born_of:sub(1, 16) then return { 'EXISTS', meta(d).workflow, state(d) } end
    local as_started = d.place == HELD and d.session == session and d.v == unpack_('>I6', birth, 33) + 1
    if as_started and alive(session) then return started_again(key, id, KEYS[k + 1]) end
    return { 'CREATED' }
  end
  local reply = starts_later(packed_meta) and create_later(key, id, packed_meta, born_of, input)
    or { create_now(key, id, packed_meta, born_of, input, session) and 'STARTED' or 'CREATED' }
  if event_id ~= '' then begin_with(key, id, KEYS[k + 1], KEYS[k + 2], event_id, message) end
  return reply
end
