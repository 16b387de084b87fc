-- Puts a message into an instance's mailbox, and wakes who waits for it. Any process may ask.
--
-- KEYS     the instance; its mailbox; the ids of its messages; its children
-- ARGV     'S', run 4 (0: the newest), id (1 byte count), child whose end it is (1; '': an event), channel (2),
--          event id (2), message (4)
-- RETURNS  ACCEPTED | UNKNOWN | FINISHED | FULL
-- INVARIANT a message id is accepted once in a run; its position is the next one
-- REPEAT   answered ACCEPTED as long as the run lasts, and changes nothing

commands.S = function(packed, k)
  local run, id, child, channel, event_id, message = unpack_('>xxxxI4Bc0Bc0I2c0I2c0I4c0', packed)
  local key, mailbox, events = KEYS[k], KEYS[k + 1], KEYS[k + 2]
  local d = read(key, id)
  if not d or (run ~= 0 and run ~= d.run) then return { 'UNKNOWN' } end
  if d.place == DONE then return { 'FINISHED' } end
  if d.arrivals > 0 and call('SISMEMBER', events, event_id) == 1 then return { 'ACCEPTED' } end
  -- The end of a child answers what the run itself asked for: refusing it would leave the run waiting for ever.
  if child == '' and (d.unread >= MAILBOX_MAX or d.arrivals >= EVENTS_MAX) then return { 'FULL' } end
  local wanted = false
  if d.place == ASLEEP then
    each_wait(call('HGET', key, 'w'), function(waited_for)
      if waited_for == channel then wanted = true end
    end)
  end
  d.updated, d.arrivals, d.unread = now, d.arrivals + 1, d.unread + 1
  if wanted then
    wake(d)
  elseif d.place == HELD then
    d.notice = 1
    hint('i' .. d.session)
  end
  write(d)
  call('HSET', mailbox, d.arrivals, pack('>I6', now) .. message)
  call('SADD', events, event_id)
  if child ~= '' then call('ZREM', KEYS[k + 3], child) end
  return { 'ACCEPTED' }
end
