-- What the periodic sweep does: due timers, inboxes nobody empties, retention, the outbox, and what was taken out of the
-- indexes by hand. Any worker may ask.
--
-- KEYS     T, V, M: each instance | E: each instance, then the instance of each old run | Q: the instance
-- ARGV     'T' wake: ids | 'V' move out of inboxes: older than ms 6, ids, of each the index entry (2) that led to it |
--          'E' delete: ids; old runs 3, each id (1 byte count) and run 4 | 'Q' sent: id (1), numbers 3 and each 6 |
--          'M' mend: ids, of each the entry (2) of the list of all that led to it;
--          ids: 3 and each (1 byte count), as `due.lua`, `stuck.lua` and `expired.lua` found them
-- RETURNS  COUNT done, next timer ('' none; T only), {id damage, of what was skipped..} (not Q);
--          M: COUNT entries put back, '', {id.. of what lacked any}
-- INVARIANT what is not due (too old, expired) any more is left; nothing unsent is deleted; what is damaged or gone stops
--          no other, and loses the entry that led to it
-- REPEAT   does nothing a second time

local function wake_due(key, id)
  local f = call('HMGET', key, 'h', 't', 'm')
  local head, t, m = f[1], f[2], f[3]
  if not head then return nil end
  local session, is_told = rests_in(head)
  local d = not session and decode(key, id, head, t, m)
  if d and d.place ~= ASLEEP then return nil end
  local due = call('ZSCORE', TIMERS, id)
  -- 'inf' is later than any time.
  if not due or tonumber(due) > now then return 0 end
  if session then
    wake_at_rest(key, id, head, m, session, is_told and t)
    return 1
  end
  wake(d)
  write(d)
  return 1
end

commands.T = function(packed, k)
  local ids, done, skipped = ids_of(packed, 5), 0, {}
  flush(TIMERS)
  for i = 1, #ids do
    local one = part(skipped, ids[i], wake_due, KEYS[k + i - 1], ids[i])
    if one then
      done = done + one
    else
      drop(TIMERS, ids[i])
      drop(LATER, ids[i])
    end
  end
  return { 'COUNT', done, next_due(), skipped }
end

local function unstick(key, id, older_than)
  local d = read(key, id)
  if not d or d.place ~= INBOX then return nil end
  if now - d.since < older_than then return 0 end
  d.v, d.updated = math.max(d.v + 1, now), now
  to_ready(d)
  write(d)
  return 1
end

commands.V = function(packed, k)
  local older_than = unpack_('>xxxxI6', packed)
  local done, skipped = 0, {}
  local ids, at = ids_of(packed, 11)
  for i = 1, #ids do
    local one = part(skipped, ids[i], unstick, KEYS[k + i - 1], ids[i], older_than)
    if one then done = done + one else drop_found(packed, at, i) end
  end
  return { 'COUNT', done, '', skipped }
end

-- The old runs of an instance, as `control.lua` keeps them: run, records, expiry, thirteen bytes each.
local function each_old_run(packed, with)
  for at = 1, #packed, 13 do
    local run, records, expires = unpack_('>I4I3I6', packed, at)
    with(run, records, expires, packed:sub(at, at + 12))
  end
end

local function delete(key, id)
  local d = read(key, id)
  if not d or d.place ~= DONE then return nil end
  if d.unsent > 0 or d.since > now then return 0 end
  local f = call('HMGET', key, 'b', 'a')
  -- What cannot be read is found before anything is dropped.
  local listed, old = meta(d).workflow .. '\0' .. sortable(unpack_('>I6', f[1], 33)) .. id, {}
  each_old_run(f[2] or '', function(run) old[#old + 1] = id .. '\0' .. pack('>I4', run) end)
  drop(ALL, listed)
  for i = 1, #old do drop(OLD, old[i]) end
  if KEEPS_IDS then drop(IDS, id) end
  drop(ended_key(d.ending), id)
  call('UNLINK', key)
  return 1
end

local function delete_run(key, id, old)
  local member = id .. '\0' .. pack('>I4', old)
  drop(OLD, member)
  local kept, fields = '', {}
  each_old_run(call('HGET', key, 'a') or '', function(run, records, expires, packed)
    if run ~= old or expires > now then
      kept = kept .. packed
      if run == old then put(OLD, member, expires) end
      return
    end
    for number = 0, records - 1 do fields[#fields + 1] = record_field(run, number) end
    fields.found = true
  end)
  if not fields.found then return 0 end
  -- A server without memory refuses this: then the run is left for later, and what gives memory back goes on.
  if kept ~= '' and type(redis.pcall('HSET', key, 'a', kept)) == 'table' then
    stays(OLD, member)
    return 0
  end
  if kept == '' then call('HDEL', key, 'a') end
  call_with('HDEL', key, fields)
  return 1
end

commands.E = function(packed, k)
  local ids, at = ids_of(packed, 5)
  local done, skipped, count = 0, {}, nil
  for i = 1, #ids do
    local one = part(skipped, ids[i], delete, KEYS[k + i - 1], ids[i])
    if one then
      done = done + one
    else
      -- How it ended cannot be read, or is not what led to it.
      drop(COMPLETE_KEY, ids[i])
      drop(ERRORED_KEY, ids[i])
      drop(TERMINATED_KEY, ids[i])
    end
  end
  count, at = unpack_('>I3', packed, at)
  for i = 1, count do
    local id, run
    id, run, at = unpack_('>Bc0I4', packed, at)
    done = done + (part(skipped, id, delete_run, KEYS[k + #ids + i - 1], id, run) or 0)
  end
  return { 'COUNT', done, '', skipped }
end

commands.Q = function(packed, k)
  local id, count, at = unpack_('>xxxxBc0I3', packed)
  local d, done = read(KEYS[k], id), 0
  local seen = {}
  for _ = 1, count do
    local number
    number, at = unpack_('>I6', packed, at)
    -- Also the entry of what is gone.
    drop(OUT, id .. '\0' .. sortable(number))
    local field = 'x' .. number
    -- It goes when the head is written: what a server without memory refuses has changed nothing.
    if d and not seen[field] and call('HEXISTS', d.key, field) == 1 then
      seen[field] = true
      unset(d, field)
      done = done + 1
    end
  end
  if done > 0 then
    d.unsent = d.unsent - done
    -- Others have heard of its end: from now on it may expire.
    if d.place == DONE and d.unsent == 0 then put(ended_key(d.ending), id, d.since) end
    write(d)
  end
  return { 'COUNT', done, '' }
end

-- ---- what indexes lack

local function lacks(key, member)
  flush(key)
  return not call('ZSCORE', key, member)
end

-- Nobody takes over from a session that is neither alive nor revoked.
local function mend_session(d)
  if (d.place ~= HELD and d.place ~= INBOX) or alive(d.session) then return 0 end
  if call('HEXISTS', DEAD, d.session) == 1 then return 0 end
  call('HSET', DEAD, d.session, now)
  return 1
end

-- Its commands for others that are not acknowledged. Most often they are its newest.
local LOOKED_AT_MAX = 1000
local function mend_outbox(d, with)
  local left = d.unsent
  for number = d.outgoing, math.max(1, d.outgoing - LOOKED_AT_MAX), -1 do
    if left == 0 then return end
    if call('HEXISTS', d.key, 'x' .. number) == 1 then
      left = left - 1
      with(OUT, d.id .. '\0' .. sortable(number), now)
    end
  end
end

local function mend(key, id)
  local d = read(key, id)
  if not d then return nil end
  local done = mend_session(d)
  local function with(index, member, score)
    if lacks(index, member) then
      put(index, member, score)
      done = done + 1
    end
  end
  if d.place == ASLEEP then d.due = first_due(call('HGET', key, 'w')) end
  enter(d, with)
  if d.place == HELD and d.notice == 1 then with(NOTES, d.session .. id, '0') end
  if d.unsent > 0 then mend_outbox(d, with) end
  if KEEPS_IDS then with(IDS, id, '0') end
  each_old_run(call('HGET', key, 'a') or '', function(run, _, expires)
    with(OLD, id .. '\0' .. pack('>I4', run), expires)
  end)
  return done
end

commands.M = function(packed, k)
  local ids, at = ids_of(packed, 5)
  local done, mended = 0, {}
  for i = 1, #ids do
    local damaged = {}
    local one = part(damaged, ids[i], mend, KEYS[k + i - 1], ids[i])
    if one then
      done = done + one
      if one > 0 then mended[#mended + 1] = ids[i] end
    elseif not damaged[1] then
      drop_found(packed, at, i)
    end
  end
  return { 'COUNT', done, '', mended }
end
