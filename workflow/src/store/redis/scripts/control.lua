-- Pauses, resumes, terminates, restarts (from its beginning or from an operation) or deletes an instance. Any process may ask.
--
-- KEYS     the instance; its mailbox; the ids of its messages; its children
-- ARGV     'K', request 16, run 4 (0: the newest), action 1 (P R T S D; G restart from a path), id (1 byte count), reason or
--          source (4)
-- RETURNS  DONE state | REFUSED state | UNKNOWN
-- INVARIANT what is taken from its owner has a new state version: whatever the owner still writes is stale
-- REPEAT   one of the newest four requests is answered as the first time, and changes nothing

local actions = {}

actions.P = function(d)
  if d.place == DONE then return false end
  if d.place == HELD then
    d.notice, d.pause = 1, 1
    hint('i' .. d.session)
  elseif d.place ~= PAUSED then
    d.v = math.max(d.v + 1, now)
    to_paused(d, OPERATOR)
  end
  return true
end

local function leave_pause(d, packed_waits)
  if call('HGET', d.key, 'p'):sub(1, 1) == QUARANTINED then
    -- Whoever resumes it has seen the crashes. It is tried alone all the same.
    d.suspect, d.crashes = SUSPECT, 0
  end
  if d.begun == 1 then
    d.shift = d.shift + math.max(now - d.since, 0)
  else
    -- A start time is a date, not a duration: no pause moves it.
    local due = first_due(packed_waits)
    if due and due > now then
      d.place, d.due = ASLEEP, due
      hint_timer(due)
      return
    end
  end
  to_ready(d)
end

actions.R = function(d)
  if d.place == HELD and d.pause == 1 then
    -- The owner may be about to suspend as paused: without the flag that is answered CONTINUE.
    d.notice, d.pause = 1, 0
    hint('i' .. d.session)
    return true
  end
  if d.place ~= PAUSED then return false end
  d.v = math.max(d.v + 1, now)
  leave_pause(d, call('HGET', d.key, 'w'))
  hint('c' .. d.id)
  return true
end

actions.T = function(d, k, reason)
  if d.place == DONE then return false end
  d.v = math.max(d.v + 1, now)
  take_from_owner(d)
  finish(d, TERMINATED, CHILD_TERMINATED .. counted(reason), KEYS[k + 3])
  return true
end

-- Begins the next run. `source`: the run that a fork comes from; nil: it is none.
local function begin_run(d, k, source)
  take_from_owner(d)
  local expires = d.run == source and KEPT_WHILE_OPEN or d.place == DONE and d.since or expiry(d, false)
  local runs = call('HGET', d.key, 'a') or ''
  -- Nobody will ask for what an open fork comes from.
  local fork = not source and call('HGET', d.key, 'f')
  if fork and fork:byte(1) == 1 then runs = close_fork(d, fork, runs) end
  set(d, 'a', runs .. pack('>I4I3I6', d.run, d.records, expires))
  also(d, OLD, d.id .. '\0' .. pack('>I4', d.run), expires)
  close_children(d, KEYS[k + 3])
  unset(d, 'o')
  d.v, d.run = math.max(d.v + 1, now), d.run + 1
  d.pause, d.begun, d.records, d.bytes, d.shift, d.ending = 0, 0, 0, 0, 0, 0
  clear_suspicion(d)
  to_ready(d)
  hint('c' .. d.id)
end

actions.S = function(d, k)
  begin_run(d, k)
  d.started, d.arrivals, d.unread = now, 0, 0
  unset(d, 'f')
  return true
end

-- `wanted`: the run that the path was found in 4, the path. Where the run comes from is kept as `stored.rs` says: open 1,
-- source 4, streams 4, the path.
actions.G = function(d, k, wanted)
  local source, streams = d.run, d.run
  local fork = call('HGET', d.key, 'f')
  local open = 0
  if fork then
    local from
    open, from, streams = unpack_('>BI4I4', fork)
    -- Nobody has begun with it: the newer wish counts.
    if open == 1 then source = from end
  end
  if open == 0 and d.records == 0 then return false end
  -- It may have begun since: the records it has kept need not have the path.
  if unpack_('>I4', wanted) ~= source then return false end
  begin_run(d, k, source)
  set(d, 'f', pack('>BI4I4', 1, source, streams) .. wanted:sub(5))
  return true
end

actions.D = function(d)
  if d.place ~= DONE then return false end
  d.since = math.min(d.since, now + (meta(d).parent ~= '' and CHILD_KEPT_MIN_MS or 0))
  return true
end

commands.K = function(packed, k)
  local request, run, action, id, reason = unpack_('>xxxxc16I4c1Bc0I4c0', packed)
  local d = read(KEYS[k], id)
  if not d then return { 'UNKNOWN' } end
  local known = call('HGET', d.key, 'k') or ''
  for at = 1, #known, 17 do
    if known:sub(at, at + 15) == request then return { 'DONE', STATES[known:byte(at + 16)] } end
  end
  if run ~= 0 and run ~= d.run then return { 'UNKNOWN' } end
  local arrivals = d.arrivals
  if not actions[action](d, k, reason) then return { 'REFUSED', state(d) } end
  -- What is to be deleted stays as it is until then, its time included: that is when it ended.
  if action ~= 'D' then d.updated = now end
  local after = state(d)
  -- The state is part of what is remembered: a repeat is answered as the first, whatever happened since.
  if #known >= 17 * CONTROLS_REMEMBERED then known = known:sub(18) end
  set(d, 'k', known .. request .. string.char(STATE_NUMBERS[after]))
  write(d)
  -- What is restarted from an operation keeps its messages.
  if d.place == DONE or action == 'S' then clear(d, arrivals, KEYS[k + 1], KEYS[k + 2])
  elseif action == 'G' then clear(d, 0) end
  return { 'DONE', after }
end
