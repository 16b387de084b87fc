-- Sessions of workers: opened, revoked, and what becomes of their instances. `beat.lua` keeps them alive.
--
-- KEYS     for U: each instance to take from the session
-- ARGV     'N' open: session 16, lease ms 6 | 'X' revoke: session 16, beats 6 |
--          'U' take: session 16, why 1 (C it closes, R it is revoked), ids 3 and each (1 byte count), of each the index
--          entry (2) that led to it
-- RETURNS  N: COUNT 1 (0: it is revoked, and stays so) | X: REVOKED | LIVES |
--          U: COUNT taken, MORE or NONE left, {id damage, of what was skipped..}
-- INVARIANT a session that was revoked does not live again while anything of it is left; revoking comes before anything
--          of it is given to others; a session with nothing left is forgotten, and only a new one could have its name;
--          what is damaged or gone stops no other, and loses the entry that led to it
-- REPEAT   N lengthens the lease, X and U do nothing a second time

commands.N = function(packed)
  local session, lease = unpack_('>xxxxc16I6', packed)
  if call('HEXISTS', DEAD, session) == 1 then return { 'COUNT', 0 } end
  if call('ZADD', SESSIONS, now + lease, session) == 1 then call('HSET', BEATS, session, 0) end
  living[session] = true
  return { 'COUNT', 1 }
end

commands.X = function(packed)
  local session, beats = unpack_('>xxxxc16I6', packed)
  local expires = call('ZSCORE', SESSIONS, session)
  if not expires then return { 'REVOKED' } end
  -- Two clocks must agree: the store's, that the lease is over, and the caller's, that the counter stood still.
  -- (It may have seen more beats than arrived here: see the table.)
  if tonumber(expires) > now or tonumber(call('HGET', BEATS, session) or 0) > beats then return { 'LIVES' } end
  call('HSET', DEAD, session, expires)
  call('ZREM', SESSIONS, session)
  living[session] = false
  return { 'REVOKED' }
end

-- Counts a crash against the instance if it was the one being tried; says why it must pause, if it must.
local function judge(d, closed)
  local asked_for = d.pause == 1 and OPERATOR
  if closed then
    unmark(d)
    return asked_for
  end
  if d.suspect == MARKED then d.crashes = d.crashes + 1 end
  d.suspect = SUSPECT
  if d.crashes >= CRASHES_MAX then
    return QUARANTINED .. '{"reason":"quarantined","crashes":' .. d.crashes .. '}'
  end
  return asked_for
end

local function hand_over(key, id, session, closed)
  local d = read(key, id)
  if not d or not (d.place == HELD or d.place == INBOX) or d.session ~= session then return nil end
  d.v, d.updated = math.max(d.v + 1, now), now
  local reason = d.place == HELD and judge(d, closed)
  if reason then to_paused(d, reason) else to_ready(d) end
  write(d)
  return 1
end

local function any_of(key, session)
  flush(key)
  return call('ZRANGEBYLEX', key, '[' .. session, '(' .. session .. '\255', 'LIMIT', 0, 1)[1]
end

commands.U = function(packed, k)
  local session, why, at = unpack_('>xxxxc16c1', packed)
  local lives = alive(session)
  if why == 'R' and (lives or call('HEXISTS', DEAD, session) == 0) then return { 'COUNT', 0, 'NONE', {} } end
  local taken, skipped, ids = 0, {}, nil
  ids, at = ids_of(packed, at)
  for i = 1, #ids do
    -- Of a revoked session the instances are suspects: closing it late does not clear them.
    local one = part(skipped, ids[i], hand_over, KEYS[k + i - 1], ids[i], session, lives)
    if one then taken = taken + one else drop_found(packed, at, i) end
  end
  if any_of(HELD_KEY, session) or any_of(INBOX_KEY, session) then return { 'COUNT', taken, 'MORE', skipped } end
  for _, key in ipairs({ LOST, NOTES }) do
    flush(key)
    call_with('ZREM', key, call('ZRANGEBYLEX', key, '[' .. session, '(' .. session .. '\255'))
  end
  call('ZREM', SESSIONS, session)
  call('HDEL', BEATS, session)
  call('HDEL', DEAD, session)
  call('HDEL', CLAIMS, session)
  living[session] = false
  return { 'COUNT', taken, 'NONE', skipped }
end
