-- The short ways of what is asked most: a create that starts at once and brings no message; an owner whom nobody has
-- disturbed and who appends one record, sleeps or waits, or ends a run that has no parent and leaves nothing behind.
-- Whatever else is found, it is asked again the long way, which decides everything. What such a way makes are few texts
-- and no table: they are most of what a call takes.
--
-- KEYS     the instance
-- ARGV     'c', 3 unused, request and seed 32, session to start it in 16 (zeros: none), id (1 byte count), meta (2),
--          input (4)
--          | 'a', 3 unused, run 4, state version 6, session 16, request 16, record
--          | 'e', 3 unused, run 4, state version 6, session 16, request 16, id (1 byte count), ending 1, end (4),
--          records 3 and each (4)
--          | 'w', 3 unused, run 4, state version 6, session 16, request 16, id (1 byte count), due 1 and 6, waits (4),
--          records 3 and each (4)
-- RETURNS  false: nothing was written, and it is to be asked the long way; else of 'c': 1 created, 2 created and held
--          by the session; of the others: the new state version
-- INVARIANT what is done is what the long way would have done
-- REPEAT   is sent the long way: what was done once is not as it was

local NOW_6 = pack('>I6', now)
-- Whose ends and waits nobody was told of yet: his own the sender knows.
local changed = {}

-- What starts at once, here or by anyone. Whether it is held here.
local function create_now(key, id, m, born_of, input, session)
  local version, priority, starts, at = unpack_('>I4BxxxxxxxxxxB', m)
  local workflow, queue = unpack_('>ss', m, starts == 1 and at + 6 or at)
  if queue == '' then queue = COMMON_QUEUE end
  local here = session ~= NO_SESSION and alive(session) and not any_ready(queue)
  local since = here and now or now + priority * PRIORITY_STEP_MS
  local head = pack(HEAD, here and HELD or READY, 0, 0, here and 1 or 0, INNOCENT, 0, 0, now, since, now, 0, 0, 1, now + 1)
  call('HSET', key, 'h', here and head .. session or head, 'b', born_of .. NOW_6, 'm', m, 'i', input)
  if here then
    put(HELD_KEY, session .. id, '0')
  else
    filled[queue] = true
    put(READY_KEY, queue .. '\0001' .. workflow .. '\0' .. sortable(since) .. id .. '\0' .. version, '0')
    hint('r' .. queue)
  end
  put(ALL, workflow .. '\0' .. sortable(now) .. id, '0')
  if KEEPS_IDS then put(IDS, id, '0') end
  return here
end

local function create_shortly(key, packed)
  if call('HEXISTS', key, 'h') == 1 then return false end
  local born_of, session, id, m, input = unpack_('>xxxxc32c16Bc0I2c0I4c0', packed)
  return create_now(key, id, m, born_of, input, session) and 2 or 1
end

-- How the head of an owner begins whom nobody has disturbed: it holds the instance and has begun, without traffic,
-- notice, pause or suspicion. It ends with run, state version and session.
local UNDISTURBED = char(HELD, 0, 0, 1, INNOCENT, 0, 0)
local function is_undisturbed(head, owner)
  return head and sub(head, 33) == owner and sub(head, 1, 7) == UNDISTURBED
end

-- The state version after a write, and what is remembered of the request but its name.
local OUTCOME_NOW = '\0' .. pack('>I6I6', now, now)
local function raised(v)
  if v < now then return now, OUTCOME_NOW end
  return v + 1, '\0' .. pack('>I6I6', v + 1, now)
end

local function append(key, packed)
  local owner, request = unpack_('>xxxxc26c16', packed)
  local head = call('HGET', key, 'h')
  if not is_undisturbed(head, owner) then return false end
  local number, bytes, run, v, session = unpack_('>I3I4I4I6c16', head, 26)
  local record = sub(packed, 47)
  bytes = bytes + #record
  if not alive(session) or number >= RECORDS_MAX or bytes > JOURNAL_BYTES_MAX then return false end
  local outcome
  v, outcome = raised(v)
  call('HSET', key, 'h', pack('>c19I6I3I4I4I6c16', head, now, number + 1, bytes, run, v, session), 'q', request .. outcome,
    record_field(run, number), record)
  return v
end

-- A time as a text: many end at one moment and are kept as long.
local texts = {}
local function text_of(time)
  local text = texts[time]
  if not text then
    text = string.format('%.0f', time)
    texts[time] = text
  end
  return text
end

-- Adds the records that begin there to the fields. The length of the journal with them, and its bytes; nil where that is
-- too much.
local function set_records(fields, packed, records, at, run, number, bytes)
  local count = #fields
  for _ = 1, records do
    local record
    record, at = unpack_('>I4c0', packed, at)
    bytes = bytes + #record
    fields[count + 1], fields[count + 2] = record_field(run, number), record
    count = count + 2
    number = number + 1
  end
  if records > 0 and (number > RECORDS_MAX or bytes > JOURNAL_BYTES_MAX) then return nil end
  return number, bytes
end

-- How the head begins of what sleeps or waits and nobody has disturbed.
local AT_REST = char(ASLEEP, 0, 0, 1, INNOCENT, 0, 0)

local function suspend_shortly(key, packed)
  local owner, request, id, timed, due, waits, records, at = unpack_('>xxxxc26c16Bc0Bi6I4c0I3', packed)
  local head = call('HGET', key, 'h')
  if not is_undisturbed(head, owner) or (timed == 1 and due <= now) then return false end
  local number, bytes, run, v, session = unpack_('>I3I4I4I6c16', head, 26)
  if not alive(session) then return false end
  local outcome
  v, outcome = raised(v)
  local fields = { 'h', '', 'q', request .. outcome, 'w', waits }
  number, bytes = set_records(fields, packed, records, at, run, number, bytes)
  if not number then return false end
  fields[2] = AT_REST .. sub(head, 8, 19) .. pack('>I6I3I4I4I6', now, number, bytes, run, v) .. session
  call_with('HSET', key, fields)
  drop(HELD_KEY, session .. id)
  put(TIMERS, id, timed == 1 and text_of(due) or '+inf')
  if timed == 1 and (not next_timer or due < next_timer) then next_timer = due end
  changed[#changed + 1] = id
  return v
end

local function end_shortly(key, packed)
  local owner, request, id, ending, how, records, at = unpack_('>xxxxc26c16Bc0BI4c0I3', packed)
  local f = call('HMGET', key, 'h', 'm')
  local head, m = f[1], f[2]
  if not is_undisturbed(head, owner) then return false end
  local number, bytes, run, v, session = unpack_('>I3I4I4I6c16', head, 26)
  local keep_complete, keep_failed, starts, named_at = unpack_('>xxxxxI5I5B', m)
  local _, _, parent = unpack_('>sss', m, starts == 1 and named_at + 6 or named_at)
  if not alive(session) or parent ~= '' then return false end
  local outcome
  v, outcome = raised(v)
  local fields = { 'h', '', 'q', request .. outcome, 'o', how }
  number, bytes = set_records(fields, packed, records, at, run, number, bytes)
  if not number then return false end
  local expires = now + (ending == COMPLETE and keep_complete or keep_failed)
  fields[2] = pack('>BBBBBBBc6i6I6I3I4I4I6', DONE, 0, 0, 1, INNOCENT, 0, ending, sub(head, 8, 13), expires, now,
    number, bytes, run, v)
  call_with('HSET', key, fields)
  drop(HELD_KEY, session .. id)
  put(ended_key(ending), id, text_of(expires))
  changed[#changed + 1] = id
  return v
end
