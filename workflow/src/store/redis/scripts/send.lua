-- Puts a message into an instance's mailbox, and wakes who waits for it. Any process may ask.
--
-- KEYS     the instance; its mailbox; the ids of its messages; its children
-- ARGV     'S', run 4 (0: the newest), id (1 byte count), child whose end it is (1; '': an event), channel (2),
--          event id (2), message (4)
-- RETURNS  ACCEPTED | UNKNOWN | FINISHED | FULL
-- INVARIANT a message id is accepted once in a run; its position is the next one
-- REPEAT   answered ACCEPTED as long as the run lasts, and changes nothing

-- Whether one of the waits is for this channel.
local function is_waited_for(waits, channel)
  local at, count = 3, unpack_('>I2', waits)
  for _ = 1, count do
    local waited_for
    _, waited_for, at = unpack_('>I2c0I2c0xxxxxxxx', waits, at)
    if waited_for == channel then return true end
  end
  return false
end

-- The answer where nothing is to be put into the mailbox. The end of a child answers what the run itself asked for:
-- refusing it would leave the run waiting for ever.
local function kept_out(arrivals, unread, events, event_id, child)
  if arrivals > 0 and call('SISMEMBER', events, event_id) == 1 then return { 'ACCEPTED' } end
  if child == '' and (unread >= MAILBOX_MAX or arrivals >= EVENTS_MAX) then return { 'FULL' } end
end

-- Of an event that wakes an instance which rests in a session's memory. Nil: it is no such, and nothing was done.
local function send_to_one_at_rest(key, mailbox, events, id, run, channel, event_id, message)
  local f = call('HMGET', key, 'h', 't', 'm', 'w')
  local head, t, m, waits = f[1], f[2], f[3], f[4]
  local session, is_told = rests_in(head)
  if not session or (run ~= 0 and run ~= unpack_('>I4', head, 33)) or not is_waited_for(waits, channel) then return nil end
  local arrivals, unread, outgoing, unsent, shift = 0, 0, 0, 0, 0
  if is_told then arrivals, unread, outgoing, unsent, shift = unpack_(TRAFFIC, t) end
  local reply = kept_out(arrivals, unread, events, event_id, '')
  if reply then return reply end
  wake_at_rest(key, id, head, m, session, pack(TRAFFIC, arrivals + 1, unread + 1, outgoing, unsent, shift))
  call('HSET', mailbox, arrivals + 1, NOW_6 .. message)
  call('SADD', events, event_id)
  return { 'ACCEPTED' }
end

commands.S = function(packed, k)
  local run, id, child, channel, event_id, message = unpack_('>xxxxI4Bc0Bc0I2c0I2c0I4c0', packed)
  local key, mailbox, events = KEYS[k], KEYS[k + 1], KEYS[k + 2]
  if child == '' then
    local reply = send_to_one_at_rest(key, mailbox, events, id, run, channel, event_id, message)
    if reply then return reply end
  end
  local d = read(key, id)
  if not d or (run ~= 0 and run ~= d.run) then return { 'UNKNOWN' } end
  if d.place == DONE then return { 'FINISHED' } end
  local reply = kept_out(d.arrivals, d.unread, events, event_id, child)
  if reply then return reply end
  local wanted = d.place == ASLEEP and is_waited_for(call('HGET', key, 'w'), channel)
  d.updated, d.arrivals, d.unread = now, d.arrivals + 1, d.unread + 1
  if wanted then
    wake(d)
  elseif d.place == HELD then
    d.notice = 1
    hint('i' .. d.session)
  end
  write(d)
  call('HSET', mailbox, d.arrivals, NOW_6 .. message)
  call('SADD', events, event_id)
  if child ~= '' then call('ZREM', KEYS[k + 3], child) end
  return { 'ACCEPTED' }
end
