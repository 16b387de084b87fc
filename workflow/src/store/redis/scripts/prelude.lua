-- What every command stands on that has no short way, or not here: heads, places, moves and ends.
--
-- KEYS     as `base.lua`
-- ARGV     as `base.lua`
-- RETURNS  the commands, and those that are yet to be made; what tells a damaged instance from a server that refuses
-- INVARIANT as `base.lua`
-- REPEAT   as `base.lua`

-- ---- hints and index entries

local function hint_timer(due)
  if not next_timer or due < next_timer then next_timer = due end
end

-- An entry that was to be dropped or put stays as it is.
local function stays(key, member)
  pending[key][member] = nil
end

-- ---- numbers and texts, as stored

-- A counted text as `journal/wire.rs` writes it: the count seven bits a byte, lowest first.
local function counted(text)
  local count, bytes = #text, ''
  while count >= 128 do
    bytes = bytes .. string.char(count % 128 + 128)
    count = math.floor(count / 128)
  end
  return bytes .. string.char(count) .. text
end

-- A list of ids: how many in 3 bytes, each counted in 1.
local function ids_of(packed, at)
  local ids, count = {}, nil
  count, at = unpack_('>I3', packed, at)
  for i = 1, count do ids[i], at = unpack_('>Bc0', packed, at) end
  return ids, at
end

-- ---- damage

-- What went wrong, as a text; and whether it is that the server refuses to write, whichever command asks.
local function told(problem)
  local text = tostring(type(problem) == 'table' and problem.err or problem)
  -- So a command that the user may not send is refused; `rights.lua` sees to it that this is not halfway.
  local from = text:find('The user executing the script', 1, true)
  if from then return 'NOPERM ' .. text:sub(from), true end
  for _, code in ipairs({ 'OOM', 'MISCONF', 'NOREPLICAS', 'READONLY' }) do
    if text:find(code .. ' ', 1, true) then return text, true end
  end
  return text, false
end
-- Does one instance's part of a command for many, which its damage must not stop. `work` gives nil for what is not
-- where it was found, and this does for what is damaged: then the caller drops the index entry that led there, so that
-- it is in the way once.
local function part(skipped, id, work, ...)
  local ok, one, two, three = pcall(work, ...)
  if ok then return one, two, three end
  local text, refused = told(one)
  if refused then error(text, 0) end
  skipped[#skipped + 1] = id
  skipped[#skipped + 1] = text
  return nil
end
-- Drops the entry by which a look found an instance: the number-th of a list of counted (2) entries, each the letter of
-- an index (R I S H A) and a member.
local function drop_found(packed, at, number)
  for _ = 2, number do at = at + 2 + unpack_('>I2', packed, at) end
  local entry = unpack_('>I2c0', packed, at)
  local index = entry:sub(1, 1)
  local key = index == 'R' and READY_KEY or index == 'I' and INBOX_KEY or index == 'S' and SHELF
    or index == 'A' and ALL or HELD_KEY
  drop(key, entry:sub(2))
end

-- ---- heads

local SESSION_BYTES, TRAFFIC_FLAG = 16, 16
-- arrivals, unread, outgoing, unsent, shift
local TRAFFIC = '>I4I3I4I3i6'

-- The head of an instance, with its fields `t` and `m`, unpacked: `t` if the head says that it counts, `m` once `meta`
-- is asked for.
local function decode(key, id, head, t, packed_meta)
  local place, notice, pause, begun, suspect, crashes, ending, started, since, updated, records, bytes, run, v =
    unpack_(HEAD, head)
  local session = #head ~= HEAD_BYTES and head:sub(HEAD_BYTES + 1)
  if session and #session ~= SESSION_BYTES then error('the length of a head') end
  local arrivals, unread, outgoing, unsent, shift = 0, 0, 0, 0, 0
  local traffic = false
  if place >= TRAFFIC_FLAG then
    place, traffic = place - TRAFFIC_FLAG, t
    arrivals, unread, outgoing, unsent, shift = unpack_(TRAFFIC, traffic)
  end
  return {
    key = key, id = id, place = place, notice = notice, pause = pause, begun = begun, suspect = suspect,
    crashes = crashes, ending = ending, run = run, started = started, since = since, v = v, updated = updated,
    records = records, bytes = bytes, arrivals = arrivals, unread = unread, outgoing = outgoing, unsent = unsent,
    shift = shift, session = session, traffic = traffic, was_place = place, was_session = session, was_since = since,
    was_notice = notice, was_ending = ending, was_begun = begun, set = { 'h', '' },
    packed_meta = packed_meta,
  }
end
local function encode(d, traffic)
  local head = pack(HEAD, traffic and d.place + TRAFFIC_FLAG or d.place, d.notice, d.pause, d.begun, d.suspect, d.crashes,
    d.ending, d.started, d.since, d.updated, d.records, d.bytes, d.run, d.v)
  return d.session and head .. d.session or head
end
local function traffic_of(d)
  local none = d.arrivals == 0 and d.unread == 0 and d.outgoing == 0 and d.unsent == 0 and d.shift == 0
  return not none and pack(TRAFFIC, d.arrivals, d.unread, d.outgoing, d.unsent, d.shift)
end

-- The instance under `key`; nil when there is none.
local function read(key, id)
  local f = call('HMGET', key, 'h', 't', 'm')
  return f[1] and decode(key, id, f[1], f[2], f[3]) or nil
end

-- What it is: its spec without input and seed.
local function meta(d)
  local m = d.meta
  if not m then
    local packed = d.packed_meta
    local version, priority, keep_complete, keep_failed, starts, at = unpack_('>I4BI5I5B', packed)
    local start_at, parent_run, abandon = 0, 0, 0
    if starts == 1 then start_at, at = unpack_('>i6', packed, at) end
    local workflow, queue, parent
    workflow, queue, parent, at = unpack_('>sss', packed, at)
    if queue == '' then queue = COMMON_QUEUE end
    if parent ~= '' then parent_run, abandon = unpack_('>I4B', packed, at) end
    m = {
      version = version, priority = priority, keep_complete = keep_complete, keep_failed = keep_failed, starts = starts,
      start_at = start_at, parent_run = parent_run, abandon = abandon, workflow = workflow, queue = queue,
      parent = parent,
    }
    d.meta = m
  end
  return m
end

local function state(d)
  local place = d.place
  if place == DONE then
    return d.ending == COMPLETE and 'complete' or d.ending == ERRORED and 'errored' or 'terminated'
  end
  if place == INBOX or place == HELD then return 'running' end
  if place == PAUSED then return 'paused' end
  if place == ASLEEP and d.begun == 1 then return 'waiting' end
  return 'queued'
end

-- ---- places in the indexes

-- What is ready lies in lists of one queue, of what has begun ('0') or has not ('1'), and of one workflow: what the
-- limits of a claim say of one is true of its whole list, so nobody need look at what waits for tokens.
local function ready_member(d, score, begun)
  local m = meta(d)
  return m.queue .. (begun == 1 and '\0000' or '\0001') .. m.workflow .. '\0' .. sortable(score) .. d.id .. '\0' .. m.version
end
local function inbox_member(d, session, since)
  local m = meta(d)
  return session .. sortable(since) .. d.id .. '\0' .. m.workflow .. '\0' .. m.version
end
local function shelf_member(d, begun)
  local m = meta(d)
  return m.workflow .. '\0' .. pack('>I4', m.version) .. m.queue .. (begun == 1 and '\0000' or '\0001') .. d.id
end
local function leave(d)
  local place = d.was_place
  if place == HELD then drop(HELD_KEY, d.was_session .. d.id)
  elseif place == READY then
    filled[meta(d).queue] = nil
    drop(READY_KEY, ready_member(d, d.was_since, d.was_begun))
  elseif place == ASLEEP then
    drop(TIMERS, d.id)
    if d.was_begun == 0 then drop(LATER, d.id) end
  elseif place == INBOX then drop(INBOX_KEY, inbox_member(d, d.was_session, d.was_since))
  elseif place == PAUSED then drop(PAUSED_KEY, d.id)
  elseif place == SHELVED then drop(SHELF, shelf_member(d, d.was_begun))
  elseif place == DONE then drop(ended_key(d.was_ending), d.id) end
end
-- Calls `with` for each index entry of its place: `put`, or what looks whether it is there.
local function enter(d, with)
  local place = d.place
  if place == HELD then with(HELD_KEY, d.session .. d.id, '0')
  elseif place == READY then
    filled[meta(d).queue] = true
    with(READY_KEY, ready_member(d, d.since, d.begun), '0')
  elseif place == ASLEEP then
    with(TIMERS, d.id, d.due or '+inf')
    if d.begun == 0 then with(LATER, d.id, '0') end
  elseif place == INBOX then with(INBOX_KEY, inbox_member(d, d.session, d.since), '0')
  elseif place == PAUSED then with(PAUSED_KEY, d.id, d.since)
  elseif place == SHELVED then with(SHELF, shelf_member(d, d.begun), '0')
  -- Never expires before others have heard of it: `sent` puts it in its place.
  elseif place == DONE then with(ended_key(d.ending), d.id, d.unsent > 0 and '+inf' or d.since) end
end

-- The places whose index entries name the workflow.
local named = { [READY] = true, [SHELVED] = true, [INBOX] = true }

-- Whether what it waits for is kept in this place.
local function keeps_waits(place)
  return place == ASLEEP or place == INBOX or place == PAUSED
end

local function set(d, field, value)
  local fields = d.set
  local count = #fields
  fields[count + 1] = field
  fields[count + 2] = value
end
local function unset(d, field)
  local fields = d.unset
  if not fields then
    fields = {}
    d.unset = fields
  end
  fields[#fields + 1] = field
end

-- An index entry that is to be written with the head: a command that fails before leaves none.
local function also(d, key, member, score)
  local entries = d.also
  if not entries then
    entries = {}
    d.also = entries
  end
  local count = #entries
  entries[count + 1], entries[count + 2], entries[count + 3] = key, member, score
end

-- Writes the head, the fields that go with it, and its place.
local function write(d)
  local place, was = d.place, d.was_place
  -- What cannot be read is found before anything is written.
  if named[place] or named[was] then meta(d) end
  if place ~= HELD and place ~= INBOX and place ~= ASLEEP then d.session = false end
  if was and keeps_waits(was) and not keeps_waits(place) then unset(d, 'w') end
  if was == PAUSED and place ~= PAUSED then unset(d, 'p') end
  local traffic = traffic_of(d)
  if traffic ~= d.traffic then
    if traffic then set(d, 't', traffic) else unset(d, 't') end
  end
  -- The head comes first, also in the hash, where it is looked for most.
  d.set[2] = encode(d, traffic)
  call_with('HSET', d.key, d.set)
  if d.unset then call_with('HDEL', d.key, d.unset) end
  local entries = d.also
  if entries then
    for i = 1, #entries, 3 do put(entries[i], entries[i + 1], entries[i + 2]) end
  end
  if place ~= was or d.session ~= d.was_session or d.since ~= d.was_since then
    if was then leave(d) end
    enter(d, put)
  end
  local noticed = was == HELD and d.was_notice == 1
  local notice = place == HELD and d.notice == 1
  if noticed and not (notice and d.session == d.was_session) then drop(NOTES, d.was_session .. d.id) end
  if notice and not (noticed and d.session == d.was_session) then put(NOTES, d.session .. d.id, '0') end
end

-- The messages after a position, in order, at the end of a reply.
local function add_messages(reply, arrivals, unread, mailbox, after)
  if unread == 0 or arrivals <= after then return reply end
  local f = call('HGETALL', mailbox)
  local found = {}
  for i = 1, #f, 2 do
    local position = tonumber(f[i])
    if position > after then found[#found + 1] = { position, f[i + 1] } end
  end
  table.sort(found, function(a, b) return a[1] < b[1] end)
  for i = 1, #found do
    reply[#reply + 1] = found[i][1]
    reply[#reply + 1] = found[i][2]
  end
  return reply
end

-- All that a claimer is told of the instance under `key`, as it is stored.
local function whole(key)
  return call('HMGET', key, 'h', 't', 'b', 'm', 'i', 'f')
end
-- As `read`, with that; `f` is what `whole` gives.
local function decode_whole(key, id, f)
  if not f[1] then return nil end
  local d = decode(key, id, f[1], f[2], f[4])
  d.whole = f
  return d
end
-- What a claimer learns of an instance it holds: `d` from `decode_whole`, and its head as it is to be.
local function claimed(d, head, mailbox)
  local f = d.whole
  return add_messages({ 'CLAIMED', d.id, head, f[2] or '', f[3], f[4], f[5], f[6] or '' }, d.arrivals, d.unread, mailbox,
    0)
end

-- ---- moves that more than one command makes

-- What has begun comes a day before new work; a step of priority is half a minute.
local function score(d, begun)
  return now + meta(d).priority * PRIORITY_STEP_MS - (begun == 1 and BEGUN_LEAD_MS or 0)
end
local function to_ready(d)
  d.since = score(d, d.begun)
  d.place = READY
  hint('r' .. meta(d).queue)
end
local function to_paused(d, reason)
  d.pause = 0
  d.place = PAUSED
  d.since = now
  set(d, 'p', reason)
  hint('c' .. d.id)
end
-- For the session that has it in memory, if that lives, else for anyone.
local function wake(d)
  d.v = math.max(d.v + 1, now)
  d.updated = now
  if alive(d.session) then
    d.place = INBOX
    d.since = now
    hint('i' .. d.session)
  else
    to_ready(d)
  end
end

-- How heads begin of what nobody has disturbed and others have sent messages: at rest, woken, and held; and of what was
-- woken and has no messages.
local RESTS_TOLD, WOKEN_TOLD, HELD_TOLD = char(ASLEEP + TRAFFIC_FLAG, 0, 0, 1, INNOCENT, 0, 0),
  char(INBOX + TRAFFIC_FLAG, 0, 0, 1, INNOCENT, 0, 0), char(HELD + TRAFFIC_FLAG, 0, 0, 1, INNOCENT, 0, 0)
local WOKEN = char(INBOX, 0, 0, 1, INNOCENT, 0, 0)

-- The session that has it in memory, if it is at rest, undisturbed, and that lives; and whether it has messages.
local function rests_in(head)
  local lead = head and sub(head, 1, 7)
  if lead ~= AT_REST and lead ~= RESTS_TOLD then return nil end
  local session = sub(head, HEAD_BYTES + 1)
  if #session ~= SESSION_BYTES or not alive(session) then return nil end
  return session, lead == RESTS_TOLD
end
-- What its entry in the inbox is.
local function woken_member(session, since, id, m)
  local version, starts, at = unpack_('>I4xxxxxxxxxxxB', m)
  local workflow = unpack_('>s', m, starts == 1 and at + 6 or at)
  return session .. sortable(since) .. id .. '\0' .. workflow .. '\0' .. version
end
-- As `wake` and `write`, of what rests in a session. `t`: its traffic, if there is some.
local function wake_at_rest(key, id, head, m, session, t)
  local v = math.max(unpack_('>I6', head, 37) + 1, now)
  local member = woken_member(session, now, id, m)
  local woken = (t and WOKEN_TOLD or WOKEN) .. sub(head, 8, 13) .. NOW_6 .. NOW_6 .. sub(head, 26, 36) .. pack('>I6', v)
    .. session
  if t then call('HSET', key, 'h', woken, 't', t) else call('HSET', key, 'h', woken) end
  drop(TIMERS, id)
  put(INBOX_KEY, member, '0')
  hint('i' .. session)
end

local function unmark(d)
  if d.suspect == MARKED then d.suspect = SUSPECT end
end
local function clear_suspicion(d)
  d.suspect = INNOCENT
  d.crashes = 0
end

-- When the next timer is due, as a text; '' when there is none.
local function next_due()
  flush(TIMERS)
  local first = call('ZRANGE', TIMERS, 0, 0, 'WITHSCORES')
  return first[2] and first[2] ~= 'inf' and first[2] or ''
end

-- The earliest time by which one of a packed list of waits is over; nil where none has one.
local function first_due(packed)
  if not packed then return nil end
  local first
  local at, count = 3, unpack_('>I2', packed)
  for _ = 1, count do
    local path, channel, timed, shifts, due
    path, channel, timed, shifts, due, at = unpack_('>I2c0I2c0BBi6', packed, at)
    if timed == 1 and (not first or due < first) then first = due end
  end
  return first
end

-- ---- ends

-- Puts an encoded command for another instance into the outbox.
local function queue(d, packed)
  d.outgoing = d.outgoing + 1
  d.unsent = d.unsent + 1
  set(d, 'x' .. d.outgoing, packed)
  also(d, OUT, d.id .. '\0' .. sortable(d.outgoing), now)
  hint('o')
end
local function close_children(d, children)
  if d.outgoing == 0 then return end
  local ids = call('ZRANGE', children, 0, -1)
  for i = 1, #ids do
    queue(d, OUTGOING_CLOSE .. counted(ids[i]) .. counted('its parent ' .. d.id .. ' closed'))
  end
  if ids[1] then d.orphaned = children end
end
local function expiry(d, complete)
  local m = meta(d)
  local expires = now + (complete and m.keep_complete or m.keep_failed)
  if m.parent ~= '' then expires = math.max(expires, now + CHILD_KEPT_MIN_MS) end
  return expires
end
-- Ends the run. `packed`: how, as a parent learns it.
local function finish(d, ending, packed, children)
  local m = meta(d)
  if m.parent ~= '' then
    local run, bytes = m.parent_run, ''
    while run >= 128 do
      bytes = bytes .. string.char(run % 128 + 128)
      run = math.floor(run / 128)
    end
    queue(d, OUTGOING_DELIVER .. counted(m.parent) .. bytes .. string.char(run) .. counted('c:' .. d.id)
      .. counted(d.id .. ':' .. d.run) .. counted(packed))
  end
  close_children(d, children)
  d.place, d.since, d.ending, d.pause, d.unread = DONE, expiry(d, ending == COMPLETE), ending, 0, 0
  clear_suspicion(d)
  set(d, 'o', packed)
  hint('c' .. d.id)
end
-- Deletes what only a run that goes on needs. After `write`: a server without memory refuses HSET, but no UNLINK.
local function clear(d, arrivals, mailbox, events)
  if arrivals > 0 then call('UNLINK', mailbox, events) end
  if d.orphaned then call('UNLINK', d.orphaned) end
end
-- What an open fork comes from is an old run as any other from here on. `runs`: the old runs as they are kept.
local function close_fork(d, fork, runs)
  local source, kept, expires = unpack_('>I4', fork, 2), '', expiry(d, false)
  for at = 1, #runs, 13 do
    local run, records = unpack_('>I4I3', runs, at)
    kept = kept .. (run == source and pack('>I4I3I6', run, records, expires) or runs:sub(at, at + 12))
  end
  also(d, OLD, d.id .. '\0' .. pack('>I4', source), expires)
  return kept
end
-- It is taken from its owner, who may run a long body: it is told, and whatever it still writes is stale.
local function take_from_owner(d)
  if d.place == HELD then
    if alive(d.session) then also(d, LOST, d.session .. d.id, '0') end
    hint('i' .. d.session)
  end
end

local commands = {}
local define = {}
