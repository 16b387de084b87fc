-- A write of the worker that holds an instance: appends, consumes, queues, and moves it. Only its owner may ask.
--
-- KEYS     the instance; its mailbox; the ids of its messages; its children
-- ARGV     'O', then 1 (a letter below), request 16, run 4, state version 6, session 16, newest message seen 6,
--          shifted ms 6 (signed), bytes of the records 4, id (1 byte count), records 3 and each (4), consumed 3 and
--          each 6, outgoing 3 and each (child it creates and closes with it (1; '': none), command (4)),
--          and to its letter: H hold | C clear | M mark | K forked | L release | W paused 1, due 1 and 6, waits (4) |
--          F ending 1, end (4) | P reason (4) | A nothing (hold; nothing is shifted, consumed or outgoing)
-- RETURNS  OK state version, pause, time, (position message).. | CONTINUE the same: the records are kept, the owner
--          goes on | FENCED | STALE | BEHIND | GONE | FULL: nothing was written
-- INVARIANT only the session that holds this run at this state version writes; `v` rises with every write, to the time at least
-- REPEAT   the newest request is answered as the first time (brought up to date while still held), and changes nothing

local moves = {}

moves.H = function() end
moves.A = moves.H
moves.C = function(d) clear_suspicion(d) end
moves.M = function(d) d.suspect = MARKED end
moves.L = function(d)
  unmark(d)
  if d.pause == 1 then to_paused(d, OPERATOR) else to_ready(d) end
end
moves.P = function(d, packed, at)
  clear_suspicion(d)
  to_paused(d, unpack_('>I4c0', packed, at))
end
-- What is kept of the source is in this run's journal: the source is an old run as any other.
moves.K = function(d)
  local fork = call('HGET', d.key, 'f')
  if not fork or fork:byte(1) ~= 1 then return end
  set(d, 'f', '\0' .. fork:sub(2))
  set(d, 'a', close_fork(d, fork, call('HGET', d.key, 'a') or ''))
end
moves.F = function(d, packed, at, k)
  local ending, how = unpack_('>BI4c0', packed, at)
  finish(d, ending, how, KEYS[k + 3])
end
-- True when the owner must go on instead: nobody would wake it for what has happened meanwhile.
moves.W = function(d, packed, at, _, seen)
  local paused, timed, due, waits = unpack_('>BBi6I4c0', packed, at)
  if d.pause ~= 1 and (paused == 1 or d.arrivals > seen or (timed == 1 and due <= now)) then return true end
  -- The worker that tried a marked suspect alone got through it.
  if d.suspect == MARKED then clear_suspicion(d) end
  set(d, 'w', waits)
  if d.pause == 1 then
    to_paused(d, OPERATOR)
    return false
  end
  d.place = ASLEEP
  if timed == 1 then
    d.due = due
    hint_timer(due)
  end
  hint('c' .. d.id)
  return false
end

-- Added, where a write was answered CONTINUE, to the pause that is remembered with the request, the version and the time.
local CONTINUED = 2

-- What the first request was answered, up to date if it still holds the instance.
local function again(d, last, k, run, session, seen)
  local flags, v, at = unpack_('>BI6I6', last, 17)
  local reply = { flags >= CONTINUED and 'CONTINUE' or 'OK', v, flags % CONTINUED, at }
  if d.run == run and d.place == HELD and d.session == session and d.v == v then
    reply[3], reply[4] = d.pause, now
    add_messages(reply, d, KEYS[k + 1], seen)
  end
  return reply
end

-- Each line is one guard of the promise that a stale worker never writes.
local function refusal(d, session, run, v, records, bytes)
  -- `v` never goes back: this store has lost writes, and so sessions and places as well.
  if v > d.v or run > d.run then return 'BEHIND' end
  if not alive(session) then return 'FENCED' end
  if run ~= d.run or d.place ~= HELD or d.session ~= session or v ~= d.v then return 'STALE' end
  -- Without records a write never passes a limit, so there is always a way to end or park a full run.
  if records > 0 and (d.records + records > RECORDS_MAX or d.bytes + bytes > JOURNAL_BYTES_MAX) then return 'FULL' end
end

-- What an owner is that nobody has disturbed: it holds the instance and has begun, without
-- traffic, notice, pause or suspicion.
local UNDISTURBED = string.char(HELD, 0, 0, 1, INNOCENT, 0, 0)

-- An owner is run, state version and session, as a head ends with them.
local function is_undisturbed(head, packed)
  return head:sub(1, 7) == UNDISTURBED and head:sub(33) == packed:sub(22, 47)
end

-- Most writes: such an owner appends a record, and goes on. Nil when it is not such a one, or there are limits to look
-- at: then the long way decides.
local function append(key, head, packed, request, bytes, records, at)
  if records ~= 1 or not is_undisturbed(head, packed) then return nil end
  local number, held, run, v, session = unpack_('>I3I4I4I6c16', head, 26)
  if not alive(session) or number + 1 > RECORDS_MAX or held + bytes > JOURNAL_BYTES_MAX then return nil end
  local raised = math.max(v + 1, now)
  call('HSET', key, 'h',
    pack('>c19I6I3I4I4I6c16', head, now, number + 1, held + bytes, run, raised, session),
    'q', pack('>c16BI6I6', request, 0, raised, now), record_field(run, number), packed:sub(at + 4, -7))
  return { 'OK', raised, 0, now }
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

-- What is neither consumed nor outgoing, as a write says it.
local NEITHER = '\0\0\0\0\0\0'

-- Most ends: such an owner, who has no parent to tell and nothing to leave behind. Nil as for `append`.
local function end_undisturbed(key, id, head, m, packed, request, shifted, bytes, records, at)
  if shifted ~= 0 or not is_undisturbed(head, packed) then return nil end
  local number, held, run, v, session = unpack_('>I3I4I4I6c16', head, 26)
  local over = records > 0 and (number + records > RECORDS_MAX or held + bytes > JOURNAL_BYTES_MAX)
  if over or not alive(session) then return nil end
  local keep_complete, keep_failed, starts, named_at = unpack_('>xxxxxI5I5B', m)
  local _, _, parent = unpack_('>sss', m, starts == 1 and named_at + 6 or named_at)
  local raised = math.max(v + 1, now)
  local fields, record = { 'h', '', 'q', pack('>c16BI6I6', request, 0, raised, now), 'o', '' }, nil
  for i = 0, records - 1 do
    record, at = unpack_('>I4c0', packed, at)
    fields[2 * i + 7], fields[2 * i + 8] = record_field(run, number + i), record
  end
  if parent ~= '' or packed:sub(at, at + 5) ~= NEITHER then return nil end
  local ending, how = unpack_('>BI4c0', packed, at + 6)
  local expires = now + (ending == COMPLETE and keep_complete or keep_failed)
  fields[2] = pack('>BBBBBBBc6i6I6I3I4I4I6', DONE, 0, 0, 1, INNOCENT, 0, ending, head:sub(8, 13), expires, now,
    number + records, held + bytes, run, raised)
  fields[6] = how
  call_with('HSET', key, fields)
  drop(HELD_KEY, session .. id)
  put(ended_key(ending), id, text_of(expires))
  hint('c' .. id)
  return { 'OK', raised, 0, now }
end

commands.O = function(packed, k)
  local word, request, run, v, session, seen, shifted, bytes, id, records, at =
    unpack_('>xxxxc1c16I4I6c16I6i6I4Bc0I3', packed)
  local key = KEYS[k]
  local f = word == 'F' and call('HMGET', key, 'h', 'q', 'm') or call('HMGET', key, 'h', 'q')
  local head, last = f[1], f[2]
  if not head then return { 'GONE' } end
  local repeated = last and last:find(request, 1, true) == 1
  if word == 'A' and not repeated then
    local reply = append(key, head, packed, request, bytes, records, at)
    if reply then return reply end
  elseif word == 'F' and not repeated then
    local reply = end_undisturbed(key, id, head, f[3], packed, request, shifted, bytes, records, at)
    if reply then return reply end
  end
  local d = decode(key, id, head)
  d.packed_meta = f[3]
  if repeated then return again(d, last, k, run, session, seen) end
  local refused = refusal(d, session, run, v, records, bytes)
  if refused then return { refused } end

  -- What cannot be read is found before anything is written.
  if word == 'F' or word == 'L' or word == 'K' then meta(d) end
  local record, consumed, sent
  for i = 1, records do
    record, at = unpack_('>I4c0', packed, at)
    set(d, record_field(run, d.records), record)
    d.records = d.records + 1
  end
  if records > 0 then clear_suspicion(d) end
  d.bytes = d.bytes + bytes
  local gone
  consumed, at = unpack_('>I3', packed, at)
  if consumed > 0 then
    gone = {}
    for i = 1, consumed do gone[i], at = unpack_('>I6', packed, at) end
    d.unread = math.max(d.unread - consumed, 0)
  end
  d.shift = d.shift - shifted
  local children
  sent, at = unpack_('>I3', packed, at)
  for _ = 1, sent do
    local child, command
    child, command, at = unpack_('>Bc0I4c0', packed, at)
    queue(d, command)
    if child ~= '' then
      children = children or {}
      children[#children + 1] = d.outgoing
      children[#children + 1] = child
    end
  end
  if children then call_with('ZADD', KEYS[k + 3], children) end
  d.v, d.updated, d.notice = math.max(d.v + 1, now), now, 0
  local continue = moves[word](d, packed, at, k, seen)
  set(d, 'q', request .. pack('>BI6I6', (continue and CONTINUED or 0) + d.pause, d.v, now))
  write(d)
  if gone then call_with('HDEL', KEYS[k + 1], gone) end
  if d.place == DONE then clear(d, d.arrivals, KEYS[k + 1], KEYS[k + 2]) end
  local reply = { continue and 'CONTINUE' or 'OK', d.v, d.pause, now }
  if d.place == HELD then add_messages(reply, d, KEYS[k + 1], seen) end
  return reply
end
