-- A write of the worker that holds an instance: appends, consumes, queues, and moves it. Only its owner may ask.
--
-- KEYS     the instance; its mailbox; the ids of its messages; its children
-- ARGV     'O', then 1 (a letter below), request 16, run 4, state version 6, session 16, newest message seen 6,
--          shifted ms 6 (signed), bytes of the records 4, id (1 byte count), records 3 and each (4), consumed 3 and
--          each 6, outgoing 3 and each (child it creates and closes with it (1; '': none), command (4)),
--          and to its letter: H hold | C clear | M mark | K forked | L release | W paused 1, due 1 and 6, waits (4) |
--          F ending 1, end (4) | P reason (4)
-- RETURNS  OK state version, pause, time, (position message).. | CONTINUE the same: the records are kept, the owner
--          goes on | FENCED | STALE | BEHIND | GONE | FULL: nothing was written
-- INVARIANT only the session that holds this run at this state version writes; `v` rises with every write, to the time
--          at least
-- REPEAT   the newest request is answered as the first time (brought up to date while still held), and changes nothing

local moves = {}

moves.H = function() end
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

-- Added, where a write was answered CONTINUE, to the pause that is remembered with the request, the version and the
-- time.
local CONTINUED = 2

-- What the first request was answered, up to date if it still holds the instance.
local function again(d, last, k, run, session, seen)
  local flags, v, at = unpack_('>BI6I6', last, 17)
  local reply = { flags >= CONTINUED and 'CONTINUE' or 'OK', v, flags % CONTINUED, at }
  if d.run == run and d.place == HELD and d.session == session and d.v == v then
    reply[3], reply[4] = d.pause, now
    add_messages(reply, d.arrivals, d.unread, KEYS[k + 1], seen)
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

commands.O = function(packed, k)
  local word, request, run, v, session, seen, shifted, bytes, id, records, at =
    unpack_('>xxxxc1c16I4I6c16I6i6I4Bc0I3', packed)
  local key = KEYS[k]
  local f = call('HMGET', key, 'h', 'q', 't', 'm')
  local head, last = f[1], f[2]
  if not head then return { 'GONE' } end
  local d = decode(key, id, head, f[3], f[4])
  if last and last:find(request, 1, true) == 1 then return again(d, last, k, run, session, seen) end
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
  if d.place == HELD then add_messages(reply, d.arrivals, d.unread, KEYS[k + 1], seen) end
  return reply
end
