-- Makes an instance, or says that it exists. Any process may ask.
--
-- KEYS     the instance; its mailbox
-- ARGV     'C', request and seed 32, session to start it in 16 (zeros: none), id (1 byte count), meta (2), input (4)
-- RETURNS  CREATED | STARTED (created, and held by the session) | EXISTS workflow state
--          | CLAIMED id head traffic birth meta input (position message).. (a repeat finds it still held as it was started)
-- INVARIANT an instance that exists is never made again
-- REPEAT   the same request is answered CREATED or CLAIMED, and changes nothing

-- A repeat that finds the instance held as it was started.
local function started_again(key, id, mailbox)
  local d = read_whole(key, id)
  return claimed(d, d.whole[1], mailbox)
end

commands.C = function(packed, k)
  local born_of, session, id, packed_meta, input = unpack_('>xxxxc32c16Bc0I2c0I4c0', packed)
  local key = KEYS[k]
  if session == NO_SESSION then session = nil end
  local d = read(key, id)
  if d then
    local birth = call('HGET', key, 'b')
    if birth:sub(1, 16) ~= born_of:sub(1, 16) then return { 'EXISTS', meta(d).workflow, state(d) } end
    local as_started = d.place == HELD and d.session == session and d.v == unpack_('>I6', birth, 33) + 1
    if as_started and alive(session) then return started_again(key, id, KEYS[k + 1]) end
    return { 'CREATED' }
  end
  d = {
    key = key, id = id, packed_meta = packed_meta, notice = 0, pause = 0, begun = 0, suspect = INNOCENT, crashes = 0,
    ending = 0, run = 1, v = now + 1, started = now, updated = now, records = 0, bytes = 0, arrivals = 0, unread = 0,
    outgoing = 0, unsent = 0, shift = 0, since = now, session = false, was_session = false,
    traffic = false, set = { 'h', '', 'b', born_of .. pack('>I6', now), 'm', packed_meta, 'i', input },
  }
  local m = meta(d)
  local word = 'CREATED'
  if m.starts == 1 and m.start_at > now then
    d.place, d.due = ASLEEP, m.start_at
    set(d, 'w', START_WAIT .. pack('>BBi6', 1, 0, m.start_at))
    hint_timer(m.start_at)
  elseif session and alive(session) and not any_ready(m.queue) then
    d.place, d.session, d.begun, word = HELD, session, 1, 'STARTED'
  else
    to_ready(d)
  end
  write(d)
  put(ALL, m.workflow .. '\0' .. sortable(now) .. id, 0)
  return { word }
end
